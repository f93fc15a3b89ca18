/*
 * Hold polls, and do nothing else: stages=1000,10000 continues with the next stage when it reads a line.
 */

#include "bench.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static void wait_for_line(double until)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (!poll(&input, 1, 0) && now() < until)
        run_until(now() + 0.02);
    while (getchar() > '\n')
        ;
}

int run_hold(void)
{
    double until = now() + number_setting("seconds", 60);
    char *stage = (char *)text_setting("stages", NULL);
    setvbuf(stdin, NULL, _IONBF, 0);
    while (*stage) {
        devices_open(strtol(stage, &stage, 10));
        wait_until_held(until - now());
        printf("{\"held\": %ld, \"errors\": %ld}\n", device_count, errors);
        fflush(stdout);
        wait_for_line(until);
        stage += *stage == ',';
    }
    return 0;
}
