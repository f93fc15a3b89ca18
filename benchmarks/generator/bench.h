/*
 * The load generator: one thread, one epoll, as many connections as the system allows.
 *
 * It is run as `generator WORK name=value ...`, and prints one JSON object when it is done. Times are seconds of the
 * monotonic clock. Requests are templates, given from outside: see wire.c.
 */

#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* settings.c: what was said on the command line */
void settings_read(int count, char **words);
const char *text_of(const char *name, const char *otherwise);
double number_of(const char *name, double otherwise);
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* wire.c: requests from templates, answers from bytes */
struct answer {
    int status;       /* of HTTP; of Redis 200, or 500 for an error */
    const char *body; /* of HTTP; of Redis the whole reply */
    size_t length;
    int last;         /* whether the connection ends with it */
};

struct subject {
    long index;          /* {i}: which device */
    unsigned long poll;  /* {u}: a name for its present poll, new in each run */
    const char *message; /* {m}: what it was handed */
};

size_t expand(const char *template, const struct subject *subject, char *to, size_t room);
long read_answer(char *text, size_t length, struct answer *answer);
int brings(const struct answer *answer, char *message, size_t room);

/* net.c: connections and the loop */
struct conn {
    int fd;
    unsigned life;    /* goes up when it is hung up */
    int connected;
    int lingers;      /* whether it waits for the server to close: who closes first keeps the port for a minute */
    unsigned from;    /* the address it comes from */
    int port;
    char *in;
    size_t in_length, in_room;
    char *out;
    size_t out_length, out_sent;
    double sent_at;   /* when the first byte of the latest request was handed to the system */
    void (*answered)(struct conn *conn, const struct answer *answer);
    void (*lost)(struct conn *conn);
    void (*heard)(struct conn *conn); /* of a server: bytes have come */
    void *owner;
};

double now(void);
void net_open(void);
struct conn *dial(int port, void (*answered)(struct conn *, const struct answer *), void (*lost)(struct conn *),
                  void *owner);
void redial(struct conn *conn);
void hang_up(struct conn *conn);
void say(struct conn *conn, const char *template, const struct subject *subject);
void say_text(struct conn *conn, const char *text, size_t length);
int listen_at(int port);
struct conn *adopt(int fd);
void turn(double seconds);
void turn_until(double moment);
extern void (*knocked)(int listener);
extern long errors;
extern char last_error[256];
void note_error(const char *what, const struct answer *answer);

/* taken.c: how far a server is with its connections, as the system tells */
long taken_in(int port);
long queued_at(int port);

/* tally.c: latencies */
struct tally {
    double *seconds;
    size_t count, room;
    double began, ended;
};

void tally_add(struct tally *tally, double seconds);
void tally_print(const char *name, struct tally *tally);
void print_open(void);
void print_number(const char *name, double value);
void print_close(void);

/* devices.c: devices that hold polls, and operators who put */
struct device {
    struct conn *line;
    struct subject subject;
    char message[96];
    int step;
    double put_at; /* when its command was sent off; 0 if it has none */
};

extern struct device *devices;
extern long device_count;
extern struct tally rounds; /* from the first byte of a put to the end of what it caused */
void devices_open(long count);
void operators_open(long count);
int put_for(struct device *device);
void devices_held(double patience);
extern void (*device_done)(struct device *device);
extern void (*operator_free)(void);
extern void (*meanwhile)(int port); /* to be done while devices are opened; by default, no more come than it accepts */

/* the works */
int work_idle(void);
int work_hold(void);
int work_wake(void);
int work_cycle(void);
int work_crowd(void);
int work_floor(void);

#endif
