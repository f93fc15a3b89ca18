/*
 * Polls that are answered at once, one after the other on each connection; fresh=1: each on a connection of its own.
 */

#include "bench.h"

#include <stdlib.h>

static struct tally polls;
static const char *template;
static double from, until;
static int fresh;

struct poller {
    struct conn *line;
    struct subject subject;
    int asked;
};

static void ask(struct poller *poller)
{
    poller->asked = 1;
    poller->subject.poll++;
    say(poller->line, template, &poller->subject);
}

static void lost(struct conn *conn)
{
    struct poller *poller = conn->owner;
    if (poller->asked)
        note_error("a poll lost its connection", NULL);
    redial(conn);
    ask(poller);
}

static void answered(struct conn *conn, const struct answer *answer)
{
    struct poller *poller = conn->owner;
    double moment = now();
    if (answer->status >= 400)
        note_error("a poll was answered", answer);
    if (conn->sent_at >= from && moment <= until)
        tally_add(&polls, moment - conn->sent_at);
    poller->asked = 0;
    if (!fresh && !answer->last)
        ask(poller);
}

int work_idle(void)
{
    long count = (long)number_of("connections", 64);
    template = text_of("poll", NULL);
    fresh = (int)number_of("fresh", 0);
    from = now() + number_of("warm", 0.3);
    until = from + number_of("seconds", 1);
    print_open();
    for (long i = 0; i < count; i++) {
        struct poller *poller = calloc(1, sizeof *poller);
        poller->subject = (struct subject){.index = i, .message = ""};
        poller->line = dial((int)number_of("port", 0), answered, lost, poller);
        poller->line->lingers = fresh;
        ask(poller);
    }
    turn_until(until);
    polls.began = from, polls.ended = until;
    tally_print("polls", &polls);
    print_close();
    return 0;
}
