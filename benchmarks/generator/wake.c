/*
 * Put commands at a rate for devices that hold polls: the time from sending a put until its poll is answered.
 *
 * phases=5000:200:2,10000:4000:1 holds 5000 polls and puts 200 commands per second for 2 s, then holds 10000, and so on.
 */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

static long cursor;

static struct device *next_device(void)
{
    for (long tries = 0; tries < device_count; tries++) {
        struct device *device = &devices[cursor++ % device_count];
        if (!device->put_at)
            return device;
    }
    return NULL;
}

static long waiting(void)
{
    long count = 0;
    for (long i = 0; i < device_count; i++)
        count += devices[i].put_at > 0;
    return count;
}

static void put_at_rate(double rate, double seconds)
{
    double began = now(), until = began + seconds;
    for (long sent = 0; now() < until;) {
        double due = began + (double)sent / rate, late = now() - due;
        struct device *device = late >= 0 ? next_device() : NULL;
        if (device && put_command(device)) {
            sent++;
            run_events(0);
        } else
            run_events(late < 0 ? -late : until - now());
    }
}

static void phase(long hold, double rate, double seconds)
{
    char name[64];
    if (hold > device_count) {
        devices_open(hold);
        wait_until_held(number_setting("timeout", 30));
    }
    round_trips.began = now();
    round_trips.count = 0;
    put_at_rate(rate, seconds);
    round_trips.ended = now();
    for (double until = now() + 8; waiting() && now() < until;)
        run_until(now() + 0.01);
    if (waiting())
        errors += waiting(), snprintf(last_error, sizeof last_error, "%ld polls were not woken", waiting());
    snprintf(name, sizeof name, "%ld@%g", hold, rate);
    samples_print(name, &round_trips);
}

int run_wake(void)
{
    char *at = (char *)text_setting("phases", NULL);
    devices_open(strtol(at, NULL, 10));
    wait_until_held(number_setting("timeout", 30));
    operators_open((long)number_setting("operators", 64));
    print_open();
    while (*at) {
        long hold = strtol(at, &at, 10);
        double rate = strtod(at + 1, &at);
        phase(hold, rate, strtod(at + 1, &at));
        at += *at == ',';
    }
    print_close();
    return 0;
}
