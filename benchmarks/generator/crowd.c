/*
 * All devices connect at once and poll: how long until all are held, and how long an operator waits meanwhile.
 */

#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define EVERY 0.01

static struct tally asked;
static struct conn *operator;
static double asked_at, due;

static void answered(struct conn *conn, const struct answer *answer)
{
    (void)conn;
    if (answer->status >= 400)
        note_error("an operator was answered", answer);
    if (asked_at)
        tally_add(&asked, now() - asked_at);
    asked_at = 0;
}

static void lost(struct conn *conn)
{
    note_error("an operator lost the connection", NULL);
    asked_at = 0;
    redial(conn);
}

static void ask_if_due(int port)
{
    (void)port;
    static const struct subject nobody = {.message = ""};
    if (asked_at || now() < due)
        return;
    asked_at = now();
    due = asked_at + EVERY;
    say(operator, text_of("ask", NULL), &nobody);
}

/* A process that looks whether all are held, so that looking does not delay the operator; where it tells when. */
static int watch(long wanted, double patience, pid_t *watcher)
{
    int ends[2];
    if (pipe(ends))
        fail("no pipe");
    *watcher = fork();
    if (*watcher)
        return close(ends[1]), ends[0];
    for (double until = now() + patience; now() < until; usleep(20000))
        if (taken_in((int)number_of("port", 0)) >= wanted) {
            double moment = now();
            _exit(write(ends[1], &moment, sizeof moment) != sizeof moment);
        }
    _exit(1);
}

int work_crowd(void)
{
    long count = (long)number_of("devices", 10000);
    int port = (int)number_of("ask_port", number_of("port", 0));
    operator = dial(port, answered, lost, NULL);
    ask_if_due(port);
    turn_until(now() + 0.2);
    pid_t watcher;
    int telling = watch(count + (port == (int)number_of("port", 0)), number_of("patience", 30), &watcher);
    print_open();
    double began = now(), held = 0;
    asked.count = 0;
    meanwhile = ask_if_due;
    devices_open(count);
    print_number("dialled", now() - began);
    for (int ended = 0; !ended;) {
        ask_if_due(port);
        turn(EVERY / 4);
        ended = waitpid(watcher, NULL, WNOHANG) == watcher;
    }
    if (read(telling, &held, sizeof held) != sizeof held)
        note_error("not all polls were held in time", NULL);
    print_number("held", held ? held - began : 0);
    if (asked_at)
        turn_until(now() + 0.5);
    asked.began = began, asked.ended = now();
    tally_print("asked", &asked);
    print_close();
    return 0;
}
