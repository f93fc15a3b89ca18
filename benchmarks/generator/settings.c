/*
 * The settings on the command line, as name=value.
 */

#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **settings;
static int settings_count;

void settings_read(int count, char **words)
{
    settings = words;
    settings_count = count;
}

const char *text_setting(const char *name, const char *fallback)
{
    size_t length = strlen(name);
    for (int i = 0; i < settings_count; i++)
        if (!strncmp(settings[i], name, length) && settings[i][length] == '=')
            return settings[i] + length + 1;
    if (!fallback)
        fail("%s=... is missing", name);
    return fallback;
}

double number_setting(const char *name, double fallback)
{
    const char *text = text_setting(name, "");
    return *text ? atof(text) : fallback;
}

/* One of the ports of a setting, such as 8001,8002: the next one for each number. */
int port_setting(const char *name, long number)
{
    const char *text = text_setting(name, NULL), *at = text;
    long count = 1;
    for (const char *each = text; *each; each++)
        count += *each == ',';
    for (number %= count; number; number--)
        at = strchr(at, ',') + 1;
    return atoi(at);
}

void fail(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fputs("generator: ", stderr);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
    va_end(values);
    exit(1);
}
