/*
 * Connections, and the event loop.
 */

#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void (*on_incoming)(int listener);
long errors;
char last_error[256];

#define FROM_ONE_ADDRESS 10000

static int poller;
static int listening = -1;

double now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec / 1e9;
}

void record_error(const char *event, const struct answer *answer)
{
    errors++;
    if (answer)
        snprintf(last_error, sizeof last_error, "%s: %d %.*s", event, answer->status,
                 (int)(answer->length < 150 ? answer->length : 150), answer->length ? answer->body : "");
    else
        snprintf(last_error, sizeof last_error, "%s", event);
}

void net_open(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
}

/* Edge-triggered, so that each connection is registered only once. */
static void register_events(struct conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, conn->fd, &event))
        fail("epoll_ctl: %s", strerror(errno));
}

static struct sockaddr_in socket_address(in_addr_t address, int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(address)};
}

/*
 * Use another loopback address than 127.0.0.1. The kernel searches the local ports of an address for a free one, half
 * of them one by one: with more than ten thousand in use, that would take longer than everything else.
 */
static void bind_local_address(int fd, in_addr_t address)
{
    struct sockaddr_in here = socket_address(address, 0);
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int))
        || bind(fd, (struct sockaddr *)&here, sizeof here))
        fail("bind: %s", strerror(errno));
}

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fail("socket: %s", strerror(errno));
    return fd;
}

void reconnect(struct conn *conn)
{
    disconnect(conn);
    struct sockaddr_in there = socket_address(INADDR_LOOPBACK, conn->port);
    conn->fd = new_socket();
    if (conn->local_address != INADDR_LOOPBACK)
        bind_local_address(conn->fd, conn->local_address);
    conn->connected = !connect(conn->fd, (struct sockaddr *)&there, sizeof there);
    if (!conn->connected && errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    register_events(conn);
}

struct conn *open_connection(int port, void (*answered)(struct conn *, const struct answer *), void (*lost)(struct conn *),
                  void *owner)
{
    static in_addr_t opened;
    struct conn *conn = calloc(1, sizeof *conn);
    *conn = (struct conn){.fd = -1, .local_address = INADDR_LOOPBACK + opened++ / FROM_ONE_ADDRESS, .port = port,
                          .answered = answered, .lost = lost, .owner = owner};
    reconnect(conn);
    return conn;
}

void disconnect(struct conn *conn)
{
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    conn->generation++;
    conn->connected = 0;
    conn->in_length = conn->out_length = conn->out_sent = 0;
}

static void lose(struct conn *conn)
{
    disconnect(conn);
    conn->lost(conn);
}

static void flush(struct conn *conn)
{
    while (conn->connected && conn->out_sent < conn->out_length) {
        ssize_t sent = send(conn->fd, conn->out + conn->out_sent, conn->out_length - conn->out_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            lose(conn);
            return;
        }
        if (sent < 0)
            break;
        conn->out_sent += (size_t)sent;
    }
    if (conn->out_sent == conn->out_length)
        conn->out_sent = conn->out_length = 0;
}

void send_bytes(struct conn *conn, const char *text, size_t length)
{
    conn->out = realloc(conn->out, conn->out_length + length);
    memcpy(conn->out + conn->out_length, text, length);
    conn->out_length += length;
    conn->sent_at = now();
    flush(conn);
}

void send_request(struct conn *conn, const char *template, const struct bindings *bindings)
{
    char text[8192];
    send_bytes(conn, text, expand(template, bindings, text, sizeof text));
}

static void handle_answers(struct conn *conn)
{
    struct answer answer;
    long length;
    while (conn->in_length && (length = read_answer(conn->in, conn->in_length, &answer)) > 0) {
        unsigned generation = conn->generation;
        conn->answered(conn, &answer);
        if (conn->generation != generation) /* the callback has disconnected it */
            return;
        conn->in_length -= (size_t)length;
        memmove(conn->in, conn->in + length, conn->in_length);
        if (answer.last && !conn->server_closes) {
            lose(conn);
            return;
        }
    }
}

static void receive(struct conn *conn, int ended)
{
    unsigned generation = conn->generation;
    size_t capacity;
    ssize_t got;
    do {
        if (conn->in_capacity - conn->in_length < 1024) {
            conn->in_capacity = conn->in_capacity ? conn->in_capacity * 2 : 2048;
            conn->in = realloc(conn->in, conn->in_capacity);
        }
        capacity = conn->in_capacity - conn->in_length - 1;
        got = recv(conn->fd, conn->in + conn->in_length, capacity, 0);
        if (got > 0) {
            conn->in_length += (size_t)got;
            conn->received ? conn->received(conn) : handle_answers(conn);
        } else if (got == 0 || errno != EAGAIN)
            lose(conn);
    } while (conn->generation == generation && (got == (ssize_t)capacity || ended)); /* else all available bytes are read */
}

static void handle_event(struct conn *conn, uint32_t events)
{
    unsigned generation = conn->generation;
    if (conn->fd < 0 || (!conn->connected && !(events & (EPOLLOUT | EPOLLERR)))) /* an outdated event */
        return;
    conn->connected = 1; /* if it is not, sending or receiving will fail */
    if (events & EPOLLOUT)
        flush(conn);
    if (conn->generation == generation && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        receive(conn, events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

int listen_at(int port)
{
    struct sockaddr_in here = socket_address(INADDR_LOOPBACK, port);
    int on = 1;
    listening = new_socket();
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&here, sizeof here) || listen(listening, 4096))
        fail("port %d: %s", port, strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listening, &event);
    return listening;
}

struct conn *add_accepted(int fd)
{
    struct conn *conn = calloc(1, sizeof *conn);
    *conn = (struct conn){.fd = fd, .connected = 1};
    register_events(conn);
    return conn;
}

void run_events(double seconds)
{
    static struct epoll_event events[512];
    double wait = seconds > 0 ? seconds : 0;
    struct timespec timeout = {.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (double)(time_t)wait) * 1e9)};
    int count = epoll_pwait2(poller, events, 512, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr)
            handle_event(events[i].data.ptr, events[i].events);
        else
            on_incoming(listening);
    }
}

void run_until(double moment)
{
    for (double left; (left = moment - now()) > 0;)
        run_events(left);
}
