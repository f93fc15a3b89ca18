/*
 * Polls that are answered at once, one after the other on each connection, or with new_connections=1 on one each.
 */

#include "bench.h"

#include <stdlib.h>

#define MAX_SECONDS 9

static struct samples polls;
static const char *template;
static double since, until;
static long answers;
static int new_connections;

struct poller {
    struct conn *conn;
    struct bindings bindings;
    int is_waiting;
};

static void send_poll(struct poller *poller)
{
    poller->is_waiting = 1;
    poller->bindings.poll++;
    send_request(poller->conn, template, &poller->bindings);
}

static void lost(struct conn *conn)
{
    struct poller *poller = conn->owner;
    if (poller->is_waiting)
        record_error("a poll lost its connection", NULL);
    reconnect(conn);
    send_poll(poller);
}

static void answered(struct conn *conn, const struct answer *answer)
{
    struct poller *poller = conn->owner;
    double moment = now();
    answers++;
    if (answer->status >= 400)
        record_error("a poll received", answer);
    if (conn->sent_at >= since && moment <= until)
        samples_add(&polls, moment - conn->sent_at);
    poller->is_waiting = 0;
    if (!new_connections && !answer->last)
        send_poll(poller);
}

int run_idle(void)
{
    long count = (long)number_setting("connections", 64);
    template = text_setting("poll", NULL);
    new_connections = (int)number_setting("new_connections", 0);
    since = now() + number_setting("warm", 0.3);
    double seconds = number_setting("seconds", 1);
    until = since + seconds;
    print_open();
    for (long i = 0; i < count; i++) {
        struct poller *poller = calloc(1, sizeof *poller);
        poller->bindings = (struct bindings){.index = i, .message = ""};
        poller->conn = open_connection((int)number_setting("port", 0), answered, lost, poller);
        poller->conn->server_closes = new_connections;
        send_poll(poller);
    }
    run_until(until);
    while (!polls.count && until < since + MAX_SECONDS) { /* a slow server, or a busy machine */
        until += seconds;
        run_until(until);
    }
    polls.began = since, polls.ended = until;
    samples_print("polls", &polls);
    print_number("answers", (double)answers); /* also of the warm-up */
    print_close();
    return 0;
}
