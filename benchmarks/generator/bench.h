/*
 * The load generator: one thread, one epoll loop, as many connections as the system allows.
 *
 * `generator BENCHMARK name=value ...` runs a benchmark and prints its figures as a JSON object. Times are seconds of
 * the monotonic clock. Requests are templates that the caller gives as settings: see wire.c.
 */

#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

/* settings.c: the command line */
void settings_read(int count, char **words);
const char *text_setting(const char *name, const char *fallback); /* without a fallback it is required */
double number_setting(const char *name, double fallback);
int port_setting(const char *name, long number);
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* wire.c: makes requests from templates, parses answers */
struct answer {
    int status;       /* of HTTP; for Redis 200, or 500 for an error */
    const char *body; /* of HTTP; for Redis the whole reply */
    size_t length;
    int last;         /* whether the server closes the connection after it */
};

struct bindings {
    long index;          /* {i}: the device's number */
    unsigned long poll;  /* {u}: a unique name of its current poll */
    const char *message; /* {m}: the id of the command that it has received */
};

size_t expand(const char *template, const struct bindings *bindings, char *to, size_t capacity);
long read_answer(char *text, size_t length, struct answer *answer);
int has_command(const struct answer *answer, char *message, size_t capacity);

/* net.c: connections and the event loop */
struct conn {
    int fd;
    unsigned generation;    /* incremented at each disconnect, to recognize outdated events */
    int connected;
    int server_closes;      /* whether to let the server close: the side that closes first blocks the port for a minute */
    unsigned local_address;
    int port;
    char *in;
    size_t in_length, in_capacity;
    char *out;
    size_t out_length, out_sent;
    double sent_at;         /* when sending of the latest request began */
    void (*answered)(struct conn *conn, const struct answer *answer);
    void (*lost)(struct conn *conn);
    void (*received)(struct conn *conn); /* called instead of `answered` for each block of bytes, in a server */
    void *owner;
};

double now(void);
void net_open(void);
struct conn *open_connection(int port, void (*answered)(struct conn *, const struct answer *),
                             void (*lost)(struct conn *), void *owner);
void reconnect(struct conn *conn);
void disconnect(struct conn *conn);
void send_request(struct conn *conn, const char *template, const struct bindings *bindings);
void send_bytes(struct conn *conn, const char *text, size_t length);
int listen_at(int port);
struct conn *add_accepted(int fd);
void run_events(double seconds); /* waits for events for at most so long, and handles them once */
void run_until(double moment);
extern void (*on_incoming)(int listener);
extern long errors;
extern char last_error[256];
void record_error(const char *event, const struct answer *answer);

/* server_sockets.c: the state of a server's connections in the kernel */
long connections_read(int port);
long backlog_length(int port);

/* samples.c: latencies and the JSON output */
struct samples {
    double *seconds;
    size_t count, capacity;
    double began, ended;
};

void samples_add(struct samples *samples, double seconds);
void samples_print(const char *name, struct samples *samples);
void print_open(void);
void print_number(const char *name, double value);
void print_close(void);

/* devices.c: devices that hold polls, and operators that put commands */
struct device {
    struct conn *conn;
    struct bindings bindings;
    char message[96];
    int step;
    double put_at; /* when its current command was put; 0 if it has none */
};

extern struct device *devices;
extern long device_count;
extern struct samples round_trips; /* from sending a put until its device has done all steps */
void devices_open(long count);
void operators_open(long count);
int put_command(struct device *device);
void wait_until_held(double timeout);
extern void (*device_done)(struct device *device);
extern void (*operator_free)(void);
extern void (*while_opening)(int port); /* called while devices connect; by default it waits for the server to accept */

/* the benchmarks, each in a file of its own */
int run_idle(void);
int run_hold(void);
int run_wake(void);
int run_cycle(void);
int run_reconnect(void);
int run_trivial_server(void);

#endif
