/*
 * The full cycle, as often as it goes: put, deliver, acknowledge, result; each device has one command at a time.
 */

#include "bench.h"

#include <stdlib.h>

static struct device **ready;
static long first, last;

static void put_ready(void)
{
    while (first < last && put_for(ready[first % device_count]))
        first++;
}

static void done(struct device *device)
{
    ready[last++ % device_count] = device;
    put_ready();
}

int work_cycle(void)
{
    long count = (long)number_of("devices", 1);
    double operators = number_of("operators", 256);
    devices_open(count);
    devices_held(number_of("patience", 30));
    operators_open(count < operators ? count : (long)operators);
    ready = calloc((size_t)count, sizeof *ready);
    device_done = done;
    operator_free = put_ready;
    print_open();
    counting_from = now() + number_of("warm", 0.3);
    for (long i = 0; i < count; i++)
        done(&devices[i]);
    turn_until(counting_from);
    rounds.began = counting_from;
    turn_until(counting_from + number_of("seconds", 1));
    rounds.ended = now();
    tally_print("cycles", &rounds);
    print_close();
    return 0;
}
