/*
 * Devices, each with a connection on which it polls, and operators that put commands.
 *
 * A device that receives a command acknowledges it and reports its result, if there are templates for that, and polls
 * again.
 */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_BACKLOG 16 /* connections that the server has not accepted yet */

enum { SETUP, POLL, ACK, RESULT };

struct operator {
    struct conn *conn;
    struct device *device;
    struct operator *next_free;
};

struct device *devices;
long device_count;
struct samples round_trips;
void (*device_done)(struct device *device);
void (*operator_free)(void);

static struct operator *free_operators;
static const char *setup, *poll_, *ack, *result, *put;

static void poll_again(struct device *device)
{
    device->step = POLL;
    device->bindings.poll++;
    send_request(device->conn, poll_, &device->bindings);
}

static void step(struct device *device, int to, const char *template)
{
    device->step = to;
    send_request(device->conn, template, &device->bindings);
}

static void finish(struct device *device)
{
    double began = device->put_at;
    device->put_at = 0;
    if (began)
        samples_add(&round_trips, now() - began);
    poll_again(device);
    if (began && device_done)
        device_done(device);
}

static void receive_command(struct device *device)
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
    return answer->status >= 400 && answer->status != 408; /* nchan ends a poll with 408 */
}

static void device_answered(struct conn *conn, const struct answer *answer)
{
    struct device *device = conn->owner;
    if (device->step != SETUP && is_error(answer))
        record_error("a device received", answer);
    if (device->step == POLL && has_command(answer, device->message, sizeof device->message))
        receive_command(device);
    else if (device->step == ACK && *result)
        step(device, RESULT, result);
    else if (device->step == ACK || device->step == RESULT)
        finish(device);
    else
        poll_again(device);
}

static void begin(struct device *device)
{
    if (*setup)
        step(device, SETUP, setup);
    else
        poll_again(device);
}

static void device_lost(struct conn *conn)
{
    record_error("a device lost its connection", NULL);
    reconnect(conn);
    begin(conn->owner);
}

/* Wait while the backlog is long: if it overflows, the kernel retries after seconds, which only reconnect measures. */
static void limit_backlog(int port)
{
    for (double until = now() + 5; backlog_length(port) > MAX_BACKLOG && now() < until;)
        run_until(now() + 0.001);
}

void (*while_opening)(int port) = limit_backlog;

/* Connect devices and let them poll, until there are so many. */
void devices_open(long count)
{
    setup = text_setting("setup", "");
    poll_ = text_setting("poll", NULL);
    ack = text_setting("ack", "");
    result = text_setting("result", "");
    devices = realloc(devices, (size_t)count * sizeof *devices);
    for (long i = 0; i < device_count; i++) /* realloc may have moved them */
        devices[i].conn->owner = &devices[i], devices[i].bindings.message = devices[i].message;
    for (; device_count < count; device_count++) {
        struct device *device = &devices[device_count];
        *device = (struct device){.bindings = {.index = device_count, .message = device->message}};
        int port = port_setting("port", device_count);
        device->conn = open_connection(port, device_answered, device_lost, device);
        begin(device);
        if (device_count % 8)
            continue;
        while_opening(port);
        run_events(0);
    }
}

/* How many polls the servers have read, each at a port of its own. */
static long polls_read(void)
{
    long count = 0, number = 0;
    do
        count += connections_read(port_setting("port", number++));
    while (port_setting("port", number) != port_setting("port", 0));
    return count;
}

/* Wait until the servers have read the polls of all devices. */
void wait_until_held(double timeout)
{
    double until = now() + timeout;
    while (polls_read() < device_count) {
        if (now() > until)
            fail("the server has read %2$ld of %1$ld polls after %3$g s", device_count, polls_read(), timeout);
        run_until(now() + 0.05);
    }
    run_until(now() + number_setting("settle", 0.3));
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

static void operator_answered(struct conn *conn, const struct answer *answer)
{
    if (answer->status >= 300) {
        record_error("an operator received", answer);
        refused(conn->owner);
    }
    release(conn->owner);
}

static void operator_lost(struct conn *conn)
{
    struct operator *operator = conn->owner;
    reconnect(conn);
    if (!operator->device)
        return;
    record_error("an operator lost the connection", NULL);
    refused(operator);
    release(operator);
}

void operators_open(long count)
{
    const char *ports = *text_setting("put_port", "") ? "put_port" : "port";
    put = text_setting("put", NULL);
    for (long i = 0; i < count; i++) {
        int port = port_setting(ports, i);
        struct operator *operator = calloc(1, sizeof *operator);
        operator->conn = open_connection(port, operator_answered, operator_lost, operator);
        operator->next_free = free_operators;
        free_operators = operator;
        if (i % 8 == 0)
            limit_backlog(port);
    }
    run_until(now() + 0.1);
}

/* Put a command for this device; returns 0 if all operators wait for an answer. */
int put_command(struct device *device)
{
    struct operator *operator = free_operators;
    if (!operator)
        return 0;
    free_operators = operator->next_free;
    operator->device = device;
    device->put_at = now();
    send_request(operator->conn, put, &device->bindings);
    return 1;
}
