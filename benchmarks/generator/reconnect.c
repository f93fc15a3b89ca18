/*
 * All devices connect and poll at once: how long until all polls are held, and how long an operator waits meanwhile.
 */

#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTERVAL 0.01

static struct samples latencies;
static struct conn *operator;
static double operator_sent_at, due;

static void answered(struct conn *conn, const struct answer *answer)
{
    (void)conn;
    if (answer->status >= 400)
        record_error("an operator received", answer);
    if (operator_sent_at)
        samples_add(&latencies, now() - operator_sent_at);
    operator_sent_at = 0;
}

static void lost(struct conn *conn)
{
    record_error("an operator lost the connection", NULL);
    operator_sent_at = 0;
    reconnect(conn);
}

static void send_if_due(int port)
{
    (void)port;
    static const struct bindings no_bindings = {.message = ""};
    if (operator_sent_at || now() < due)
        return;
    operator_sent_at = now();
    due = operator_sent_at + INTERVAL;
    send_request(operator, text_setting("operator_request", NULL), &no_bindings);
}

/* Start a process that watches until all polls are held, so that watching does not delay the operator. Returns a pipe
 * from which the time can be read. */
static int start_watcher(long expected, double timeout, pid_t *watcher)
{
    int ends[2];
    if (pipe(ends))
        fail("pipe: cannot be created");
    *watcher = fork();
    if (*watcher)
        return close(ends[1]), ends[0];
    for (double until = now() + timeout; now() < until; usleep(20000))
        if (connections_read((int)number_setting("port", 0)) >= expected) {
            double moment = now();
            _exit(write(ends[1], &moment, sizeof moment) != sizeof moment);
        }
    _exit(1);
}

int run_reconnect(void)
{
    long count = (long)number_setting("devices", 10000);
    int port = (int)number_setting("operator_port", number_setting("port", 0));
    operator = open_connection(port, answered, lost, NULL);
    send_if_due(port);
    run_until(now() + 0.2);
    pid_t watcher;
    int result = start_watcher(count + (port == (int)number_setting("port", 0)), number_setting("timeout", 30), &watcher);
    print_open();
    double began = now(), held = 0;
    latencies.count = 0;
    while_opening = send_if_due;
    devices_open(count);
    print_number("connected", now() - began);
    for (int ended = 0; !ended;) {
        send_if_due(port);
        run_events(INTERVAL / 4);
        ended = waitpid(watcher, NULL, WNOHANG) == watcher;
    }
    if (read(result, &held, sizeof held) != sizeof held)
        record_error("not all polls were held in time", NULL);
    print_number("held", held ? held - began : 0);
    if (operator_sent_at)
        run_until(now() + 0.5);
    latencies.began = began, latencies.ended = now();
    samples_print("operator_latency", &latencies);
    print_close();
    return 0;
}
