/*
 * Devices, each with a connection and a poll on it, and operators who put.
 *
 * A device polls; handed something, it acknowledges and reports where there are templates for that, and polls again.
 */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#define FEW 16 /* connections that wait to be accepted */

enum { BEFORE, POLL, ACK, RESULT };

struct operator {
    struct conn *line;
    struct device *device;
    struct operator *next_free;
};

struct device *devices;
long device_count;
struct tally rounds;
void (*device_done)(struct device *device);
void (*operator_free)(void);

static struct operator *free_operators;
static const char *before, *poll_, *ack, *result, *put;

static void poll_again(struct device *device)
{
    device->step = POLL;
    device->subject.poll++;
    say(device->line, poll_, &device->subject);
}

static void step(struct device *device, int to, const char *template)
{
    device->step = to;
    say(device->line, template, &device->subject);
}

static void finish(struct device *device)
{
    double began = device->put_at;
    device->put_at = 0;
    if (began)
        tally_add(&rounds, now() - began);
    poll_again(device);
    if (began && device_done)
        device_done(device);
}

static void handed(struct device *device)
{
    if (*ack)
        step(device, ACK, ack);
    else if (*result)
        step(device, RESULT, result);
    else
        finish(device);
}

static int is_error(const struct answer *answer)
{
    return answer->status >= 400 && answer->status != 408; /* which is how nchan ends a poll */
}

static void device_heard(struct conn *conn, const struct answer *answer)
{
    struct device *device = conn->owner;
    if (device->step != BEFORE && is_error(answer))
        note_error("a device was answered", answer);
    if (device->step == POLL && brings(answer, device->message, sizeof device->message))
        handed(device);
    else if (device->step == ACK && *result)
        step(device, RESULT, result);
    else if (device->step == ACK || device->step == RESULT)
        finish(device);
    else
        poll_again(device);
}

static void begin(struct device *device)
{
    if (*before)
        step(device, BEFORE, before);
    else
        poll_again(device);
}

static void device_lost(struct conn *conn)
{
    note_error("a device lost its connection", NULL);
    redial(conn);
    begin(conn->owner);
}

/* A server whose queue overflows is tried again by the system after seconds: that is for the crowd to measure. */
static void do_not_press(int port)
{
    for (double until = now() + 5; queued_at(port) > FEW && now() < until;)
        turn_until(now() + 0.001);
}

void (*meanwhile)(int port) = do_not_press;

/* Have so many devices, each connected and polling. */
void devices_open(long count)
{
    int port = (int)number_of("port", 0);
    before = text_of("before", ""), poll_ = text_of("poll", NULL), ack = text_of("ack", ""), result = text_of("result", "");
    devices = realloc(devices, (size_t)count * sizeof *devices);
    for (long i = 0; i < device_count; i++) /* it may have moved */
        devices[i].line->owner = &devices[i], devices[i].subject.message = devices[i].message;
    for (; device_count < count; device_count++) {
        struct device *device = &devices[device_count];
        *device = (struct device){.subject = {.index = device_count, .message = device->message}};
        device->line = dial(port, device_heard, device_lost, device);
        begin(device);
        if (device_count % 8)
            continue;
        meanwhile(port);
        turn(0);
    }
}

/* Wait until the server has read the polls of all devices. */
void devices_held(double patience)
{
    int port = (int)number_of("port", 0);
    double until = now() + patience;
    while (taken_in(port) < device_count) {
        if (now() > until)
            fail("of %ld polls the server took %ld within %g s", device_count, taken_in(port), patience);
        turn_until(now() + 0.05);
    }
    turn_until(now() + number_of("settle", 0.3));
}

static void release(struct operator *operator)
{
    operator->device = NULL;
    operator->next_free = free_operators;
    free_operators = operator;
    if (operator_free)
        operator_free();
}

static void refused(struct operator *operator)
{
    struct device *device = operator->device;
    if (device && device->put_at) {
        device->put_at = 0;
        if (device_done)
            device_done(device);
    }
}

static void operator_heard(struct conn *conn, const struct answer *answer)
{
    if (answer->status >= 300) {
        note_error("an operator was answered", answer);
        refused(conn->owner);
    }
    release(conn->owner);
}

static void operator_lost(struct conn *conn)
{
    struct operator *operator = conn->owner;
    redial(conn);
    if (!operator->device)
        return;
    note_error("an operator lost the connection", NULL);
    refused(operator);
    release(operator);
}

void operators_open(long count)
{
    int port = (int)number_of("put_port", number_of("port", 0));
    put = text_of("put", NULL);
    for (long i = 0; i < count; i++) {
        struct operator *operator = calloc(1, sizeof *operator);
        operator->line = dial(port, operator_heard, operator_lost, operator);
        operator->next_free = free_operators;
        free_operators = operator;
        if (i % 8 == 0)
            do_not_press(port);
    }
    turn_until(now() + 0.1);
}

/* Put a command for this device; 0 if all operators wait for an answer. */
int put_for(struct device *device)
{
    struct operator *operator = free_operators;
    if (!operator)
        return 0;
    free_operators = operator->next_free;
    operator->device = device;
    device->put_at = now();
    say(operator->line, put, &device->subject);
    return 1;
}
