/*
 * A server that does as little as possible: it shows the most that the generator itself can reach.
 */

#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define MAX_DEVICES 100000

static struct conn *held[MAX_DEVICES];
static int pending[MAX_DEVICES];
static int holds;

static void reply(struct conn *conn, const char *status, const char *body)
{
    char text[512];
    int length = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          status, strlen(body), body);
    send_bytes(conn, text, (size_t)length);
}

static void deliver(long device, struct conn *conn)
{
    pending[device] = 0;
    held[device] = NULL;
    reply(conn, "200 OK", "{\"success\": true, \"data\": {\"messageId\": \"01a203e0-659f-74ee-be88-8f35734736fc\"}}");
}

static void handle_poll(long device, struct conn *conn)
{
    if (pending[device])
        deliver(device, conn);
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
        deliver(device, held[device]);
}

static void handle_request(struct conn *conn, const char *text)
{
    const char *name = strstr(text, "bench"), *line = strchr(text, '\n');
    long device = name && name < line ? strtol(name + 5, NULL, 10) % MAX_DEVICES : 0;
    if (!strncmp(text, "POST /v1", 8))
        put(device, conn);
    else if (!strncmp(text, "GET /push", 9))
        handle_poll(device, conn);
    else
        reply(conn, "200 OK", "{\"success\": true}");
}

/* The length of the first request; 0 if it is incomplete. */
static size_t request_length(const char *text, size_t length)
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
    conn->in_capacity = 0;
}

static void received(struct conn *conn)
{
    conn->in[conn->in_length] = 0; /* there is always space for another byte */
    for (size_t size; conn->in_length && (size = request_length(conn->in, conn->in_length));) {
        unsigned generation = conn->generation;
        int last = memmem(conn->in, size, "Connection: close", 17) != NULL;
        handle_request(conn, conn->in);
        if (last) {
            disconnect(conn);
            lost(conn);
        }
        if (conn->generation != generation)
            return;
        conn->in_length -= size;
        memmove(conn->in, conn->in + size, conn->in_length + 1);
    }
}

static void accept_all(int listener)
{
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct conn *conn = add_accepted(fd);
        conn->received = received;
        conn->lost = lost;
    }
}

int run_trivial_server(void)
{
    holds = (int)number_setting("hold", 0);
    on_incoming = accept_all;
    listen_at((int)number_setting("port", 0));
    run_until(now() + number_setting("seconds", 600));
    return 0;
}
