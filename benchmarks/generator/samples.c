/*
 * Latencies, of which all are kept, and the JSON output.
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

void samples_add(struct samples *samples, double seconds)
{
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity ? samples->capacity * 2 : 4096;
        samples->seconds = realloc(samples->seconds, samples->capacity * sizeof *samples->seconds);
        if (!samples->seconds)
            fail("out of memory");
    }
    samples->seconds[samples->count++] = seconds;
}

static int ascending(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

static double quantile(const struct samples *samples, double share)
{
    if (!samples->count)
        return 0;
    size_t place = (size_t)(share * (double)samples->count);
    return samples->seconds[place < samples->count ? place : samples->count - 1];
}

void samples_print(const char *name, struct samples *samples)
{
    qsort(samples->seconds, samples->count, sizeof *samples->seconds, ascending);
    double lasted = samples->ended - samples->began;
    printf("%s\"%s\": {\"count\": %zu, \"seconds\": %.6f, \"rate\": %.3f, \"p50\": %.6f, \"p99\": %.6f, "
           "\"p999\": %.6f, \"worst\": %.6f}",
           comma, name, samples->count, lasted, lasted > 0 ? (double)samples->count / lasted : 0, quantile(samples, 0.5),
           quantile(samples, 0.99), quantile(samples, 0.999), quantile(samples, 1));
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
