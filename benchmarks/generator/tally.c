/*
 * Latencies, all of them, and JSON.
 */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static const char *comma = "";
static double opened_at, cpu_at;

static double cpu(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 + (double)usage.ru_stime.tv_sec
           + (double)usage.ru_stime.tv_usec / 1e6;
}

void tally_add(struct tally *tally, double seconds)
{
    if (tally->count == tally->room) {
        tally->room = tally->room ? tally->room * 2 : 4096;
        tally->seconds = realloc(tally->seconds, tally->room * sizeof *tally->seconds);
        if (!tally->seconds)
            fail("out of memory");
    }
    tally->seconds[tally->count++] = seconds;
}

static int ascending(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static double part(const struct tally *tally, double share)
{
    if (!tally->count)
        return 0;
    size_t place = (size_t)(share * (double)tally->count);
    return tally->seconds[place < tally->count ? place : tally->count - 1];
}

void tally_print(const char *name, struct tally *tally)
{
    qsort(tally->seconds, tally->count, sizeof *tally->seconds, ascending);
    double lasted = tally->ended - tally->began;
    printf("%s\"%s\": {\"count\": %zu, \"seconds\": %.6f, \"rate\": %.3f, \"p50\": %.6f, \"p99\": %.6f, "
           "\"p999\": %.6f, \"worst\": %.6f}",
           comma, name, tally->count, lasted, lasted > 0 ? (double)tally->count / lasted : 0, part(tally, 0.5),
           part(tally, 0.99), part(tally, 0.999), part(tally, 1));
    comma = ", ";
}

void print_open(void)
{
    opened_at = now();
    cpu_at = cpu();
    putchar('{');
}

void print_number(const char *name, double value)
{
    printf("%s\"%s\": %.6f", comma, name, value);
    comma = ", ";
}

void print_close(void)
{
    double lasted = now() - opened_at;
    print_number("errors", (double)errors);
    print_number("busy", lasted > 0 ? (cpu() - cpu_at) / lasted : 0);
    printf(", \"last_error\": \"");
    for (const char *at = last_error; *at; at++)
        putchar(*at == '"' || *at == '\\' || (unsigned char)*at < ' ' || (unsigned char)*at > '~' ? ' ' : *at);
    printf("\"}\n");
    fflush(stdout);
}
