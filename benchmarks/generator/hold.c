/*
 * Hold polls, and do nothing else: stages=1000,10000 goes on to the next stage when a line comes.
 */

#include "bench.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

static void wait_for_line(double until)
{
    struct pollfd input = {.fd = 0, .events = POLLIN};
    while (!poll(&input, 1, 0) && now() < until)
        turn_until(now() + 0.02);
    while (getchar() > '\n')
        ;
}

int work_hold(void)
{
    double until = now() + number_of("seconds", 60);
    char *stage = (char *)text_of("stages", NULL);
    setvbuf(stdin, NULL, _IONBF, 0);
    while (*stage) {
        devices_open(strtol(stage, &stage, 10));
        devices_held(until - now());
        printf("{\"held\": %ld, \"errors\": %ld}\n", device_count, errors);
        fflush(stdout);
        wait_for_line(until);
        stage += *stage == ',';
    }
    return 0;
}
