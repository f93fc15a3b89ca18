/*
 * Connections, and the loop.
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

void (*knocked)(int listener);
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

void note_error(const char *what, const struct answer *answer)
{
    errors++;
    if (answer)
        snprintf(last_error, sizeof last_error, "%s: %d %.*s", what, answer->status,
                 (int)(answer->length < 150 ? answer->length : 150), answer->length ? answer->body : "");
    else
        snprintf(last_error, sizeof last_error, "%s", what);
}

void net_open(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
}

/* Only changes are told, so that each connection is registered once. */
static void watch(struct conn *conn)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = conn};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, conn->fd, &event))
        fail("epoll_ctl: %s", strerror(errno));
}

static struct sockaddr_in place(in_addr_t address, int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(address)};
}

/*
 * Come from another loopback address than the first one. The system looks for a free port among those of an address,
 * half of them one by one: with more than some ten thousand in use that takes longer than all else.
 */
static void come_from(int fd, in_addr_t address)
{
    struct sockaddr_in here = place(address, 0);
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

void redial(struct conn *conn)
{
    hang_up(conn);
    struct sockaddr_in there = place(INADDR_LOOPBACK, conn->port);
    conn->fd = new_socket();
    if (conn->from != INADDR_LOOPBACK)
        come_from(conn->fd, conn->from);
    conn->connected = !connect(conn->fd, (struct sockaddr *)&there, sizeof there);
    if (!conn->connected && errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    watch(conn);
}

struct conn *dial(int port, void (*answered)(struct conn *, const struct answer *), void (*lost)(struct conn *),
                  void *owner)
{
    static in_addr_t dialled;
    struct conn *conn = calloc(1, sizeof *conn);
    *conn = (struct conn){.fd = -1, .from = INADDR_LOOPBACK + dialled++ / FROM_ONE_ADDRESS, .port = port,
                          .answered = answered, .lost = lost, .owner = owner};
    redial(conn);
    return conn;
}

void hang_up(struct conn *conn)
{
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
    conn->life++;
    conn->connected = 0;
    conn->in_length = conn->out_length = conn->out_sent = 0;
}

static void drop(struct conn *conn)
{
    hang_up(conn);
    conn->lost(conn);
}

static void flush(struct conn *conn)
{
    while (conn->connected && conn->out_sent < conn->out_length) {
        ssize_t sent = send(conn->fd, conn->out + conn->out_sent, conn->out_length - conn->out_sent, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            drop(conn);
            return;
        }
        if (sent < 0)
            break;
        conn->out_sent += (size_t)sent;
    }
    if (conn->out_sent == conn->out_length)
        conn->out_sent = conn->out_length = 0;
}

void say_text(struct conn *conn, const char *text, size_t length)
{
    conn->out = realloc(conn->out, conn->out_length + length);
    memcpy(conn->out + conn->out_length, text, length);
    conn->out_length += length;
    conn->sent_at = now();
    flush(conn);
}

void say(struct conn *conn, const char *template, const struct subject *subject)
{
    char text[8192];
    say_text(conn, text, expand(template, subject, text, sizeof text));
}

static void take_answers(struct conn *conn)
{
    struct answer answer;
    long taken;
    while (conn->in_length && (taken = read_answer(conn->in, conn->in_length, &answer)) > 0) {
        unsigned life = conn->life;
        conn->answered(conn, &answer);
        if (conn->life != life) /* it was hung up meanwhile */
            return;
        conn->in_length -= (size_t)taken;
        memmove(conn->in, conn->in + taken, conn->in_length);
        if (answer.last && !conn->lingers) {
            drop(conn);
            return;
        }
    }
}

static void hear(struct conn *conn, int ended)
{
    unsigned life = conn->life;
    size_t room;
    ssize_t got;
    do {
        if (conn->in_room - conn->in_length < 1024) {
            conn->in_room = conn->in_room ? conn->in_room * 2 : 2048;
            conn->in = realloc(conn->in, conn->in_room);
        }
        room = conn->in_room - conn->in_length - 1;
        got = recv(conn->fd, conn->in + conn->in_length, room, 0);
        if (got > 0) {
            conn->in_length += (size_t)got;
            conn->heard ? conn->heard(conn) : take_answers(conn);
        } else if (got == 0 || errno != EAGAIN)
            drop(conn);
    } while (conn->life == life && (got == (ssize_t)room || ended)); /* else there is no more for now */
}

static void happen(struct conn *conn, uint32_t what)
{
    unsigned life = conn->life;
    if (conn->fd < 0 || (!conn->connected && !(what & (EPOLLOUT | EPOLLERR)))) /* news of an earlier life */
        return;
    conn->connected = 1; /* if it is not, sending and receiving will tell */
    if (what & EPOLLOUT)
        flush(conn);
    if (conn->life == life && (what & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        hear(conn, what & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

int listen_at(int port)
{
    struct sockaddr_in here = place(INADDR_LOOPBACK, port);
    int on = 1;
    listening = new_socket();
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listening, (struct sockaddr *)&here, sizeof here) || listen(listening, 4096))
        fail("port %d: %s", port, strerror(errno));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listening, &event);
    return listening;
}

struct conn *adopt(int fd)
{
    struct conn *conn = calloc(1, sizeof *conn);
    *conn = (struct conn){.fd = fd, .connected = 1};
    watch(conn);
    return conn;
}

/* Wait for at most so long, and do what there is to do. */
void turn(double seconds)
{
    static struct epoll_event events[512];
    double wait = seconds > 0 ? seconds : 0;
    struct timespec patience = {.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (double)(time_t)wait) * 1e9)};
    int count = epoll_pwait2(poller, events, 512, &patience, NULL);
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr)
            happen(events[i].data.ptr, events[i].events);
        else
            knocked(listening);
    }
}

void turn_until(double moment)
{
    for (double left; (left = moment - now()) > 0;)
        turn(left);
}
