/*
 * The full cycle, as often as it goes: put, deliver, acknowledge, result; each device has one command at a time.
 */

#include "bench.h"

#include <stdlib.h>

static struct device **ready;
static long first, last;
static double began, rate;

#define WARM 0.3
#define WARM_AT_MOST 2
#define LAST_AT_MOST 9

/* The pace, if there is one: so many puts by now. */
static int is_due(void)
{
    return !rate || (double)first < (now() - began) * rate;
}

static void put_ready(void)
{
    while (first < last && is_due() && put_for(ready[first % device_count]))
        first++;
}

static void work_until(double moment)
{
    while (now() < moment) {
        put_ready();
        turn(0.001);
    }
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
    rate = number_of("rate", 0);
    began = now();
    for (long i = 0; i < count; i++)
        done(&devices[i]);
    work_until(began + WARM);
    while ((long)rounds.count < count && now() < began + WARM_AT_MOST)
        work_until(now() + 0.01);
    rounds.began = began;
    if ((long)rounds.count >= count) { /* each device has had one; of a slower server, the first one counts too */
        rounds.count = 0;
        rounds.began = now();
    }
    work_until(now() + number_of("seconds", 1));
    while (!rate && (long)rounds.count < count && now() < began + LAST_AT_MOST)
        turn(0.01);
    rounds.ended = now();
    tally_print("cycles", &rounds);
    print_close();
    return 0;
}
