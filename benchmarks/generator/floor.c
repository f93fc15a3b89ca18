/*
 * A server that does no more than it must, in the same loop: what the generator can reach at best.
 */

#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define MOST 100000

static struct conn *held[MOST];
static int pending[MOST];
static int holds;

static void reply(struct conn *conn, const char *status, const char *body)
{
    char text[512];
    int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          status, strlen(body), body);
    say_text(conn, text, (size_t)length);
}

static void bring(long device, struct conn *conn)
{
    pending[device] = 0;
    held[device] = NULL;
    reply(conn, "200 OK", "{\"success\": true, \"data\": {\"messageId\": \"01a203e0-659f-74ee-be88-8f35734736fc\"}}");
}

static void polled(long device, struct conn *conn)
{
    if (pending[device])
        bring(device, conn);
    else if (holds) {
        held[device] = conn;
        conn->owner = &held[device];
    }
    else
        reply(conn, "200 OK", "{\"success\": false, \"message\": \"no message\"}");
}

static void put(long device, struct conn *conn)
{
    reply(conn, "201 Created", "{}");
    pending[device] = 1;
    if (held[device])
        bring(device, held[device]);
}

static void serve(struct conn *conn, const char *text)
{
    const char *name = strstr(text, "bench"), *line = strchr(text, '\n');
    long device = name && name < line ? strtol(name + 5, NULL, 10) % MOST : 0;
    if (!strncmp(text, "POST /v1", 8))
        put(device, conn);
    else if (!strncmp(text, "GET /push", 9))
        polled(device, conn);
    else
        reply(conn, "200 OK", "{\"success\": true}");
}

/* How long the first request is; 0 if it has not all arrived. */
static size_t whole(const char *text, size_t length)
{
    const char *end = memmem(text, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    const char *body = strcasestr(text, "content-length:");
    size_t size = (size_t)(end - text) + 4 + (body && body < end ? strtoul(body + 15, NULL, 10) : 0);
    return size <= length ? size : 0;
}

static void lost(struct conn *conn)
{
    struct conn **place = conn->owner;
    if (place && *place == conn)
        *place = NULL;
    free(conn->in);
    free(conn->out);
    conn->in = conn->out = NULL;
    conn->in_room = 0;
}

static void heard(struct conn *conn)
{
    conn->in[conn->in_length] = 0; /* there is always room for more */
    for (size_t size; conn->in_length && (size = whole(conn->in, conn->in_length));) {
        unsigned life = conn->life;
        int last = memmem(conn->in, size, "Connection: close", 17) != NULL;
        serve(conn, conn->in);
        if (last) {
            hang_up(conn);
            lost(conn);
        }
        if (conn->life != life)
            return;
        conn->in_length -= size;
        memmove(conn->in, conn->in + size, conn->in_length + 1);
    }
}

static void knock(int listener)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct conn *conn = adopt(fd);
        conn->heard = heard;
        conn->lost = lost;
    }
}

int work_floor(void)
{
    holds = (int)number_of("hold", 0);
    knocked = knock;
    listen_at((int)number_of("port", 0));
    turn_until(now() + number_of("seconds", 600));
    return 0;
}
