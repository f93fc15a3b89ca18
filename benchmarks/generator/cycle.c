/*
 * Full cycles, as many as possible: put, deliver, acknowledge, result. Each device has one command at a time.
 */

#include "bench.h"

#include <stdlib.h>

static struct device **ready;
static long first, last;
static double began, rate;

#define WARM_UP 0.3
#define MAX_WARM_UP 2
#define MAX_SECONDS 9

/* Whether another put is due at the chosen rate; always if there is none. */
static int is_due(void)
{
    return !rate || (double)first < (now() - began) * rate;
}

static void put_ready(void)
{
    while (first < last && is_due() && put_command(ready[first % device_count]))
        first++;
}

static void run_cycles_until(double moment)
{
    while (now() < moment) {
        put_ready();
        run_events(0.001);
    }
}

static void done(struct device *device)
{
    ready[last++ % device_count] = device;
    put_ready();
}

int run_cycle(void)
{
    long count = (long)number_setting("devices", 1);
    double operators = number_setting("operators", 256);
    devices_open(count);
    wait_until_held(number_setting("timeout", 30));
    operators_open(count < operators ? count : (long)operators);
    ready = calloc((size_t)count, sizeof *ready);
    device_done = done;
    operator_free = put_ready;
    print_open();
    rate = number_setting("rate", 0);
    began = now();
    for (long i = 0; i < count; i++)
        done(&devices[i]);
    run_cycles_until(began + WARM_UP);
    while ((long)round_trips.count < count && now() < began + MAX_WARM_UP)
        run_cycles_until(now() + 0.01);
    round_trips.began = began;
    if ((long)round_trips.count >= count) { /* else a slow server: its warm-up counts */
        round_trips.count = 0;
        round_trips.began = now();
    }
    run_cycles_until(now() + number_setting("seconds", 1));
    while (!rate && (long)round_trips.count < count && now() < began + MAX_SECONDS)
        run_events(0.01);
    round_trips.ended = now();
    samples_print("cycles", &round_trips);
    print_number("completed", (double)(last - count)); /* also before the measurement began */
    print_close();
    return 0;
}
