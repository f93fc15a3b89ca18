/*
 * Makes requests from templates, and parses answers.
 *
 * A template is the whole request, with {i} for the device's number, {u} for a name of its current poll and {m} for
 * the id of the command that it has received. With proto=resp it is a Redis command, its words separated by spaces.
 */

#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int is_resp(void)
{
    static int resp = -1;
    if (resp < 0)
        resp = !strcmp(text_setting("proto", "http"), "resp");
    return resp;
}

static size_t fill_in(const char *template, const struct bindings *bindings, char *to, size_t capacity)
{
    size_t length = 0;
    for (const char *at = template; *at && length + 128 < capacity; at++) {
        if (at[0] != '{' || !at[1] || at[2] != '}') {
            to[length++] = *at;
            continue;
        }
        if (at[1] == 'i')
            length += (size_t)snprintf(to + length, capacity - length, "%ld", bindings->index);
        else if (at[1] == 'u')
            length += (size_t)snprintf(to + length, capacity - length, "u%x-%lx", (unsigned)getpid(), bindings->poll);
        else if (at[1] == 'm')
            length += (size_t)snprintf(to + length, capacity - length, "%s", bindings->message);
        else
            fail("unknown placeholder {%c} in a template", at[1]);
        at += 2;
    }
    to[length] = 0;
    return length;
}

static size_t as_resp(char *words, char *to, size_t capacity)
{
    int count = 1;
    for (const char *at = words; *at; at++)
        count += *at == ' ';
    size_t length = (size_t)snprintf(to, capacity, "*%d\r\n", count);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        length += (size_t)snprintf(to + length, capacity - length, "$%zu\r\n%s\r\n", strlen(word), word);
    return length;
}

size_t expand(const char *template, const struct bindings *bindings, char *to, size_t capacity)
{
    char words[4096];
    if (!is_resp())
        return fill_in(template, bindings, to, capacity);
    fill_in(template, bindings, words, sizeof words);
    return as_resp(words, to, capacity);
}

/* The end of the Redis reply that begins at `at`; 0 if it is incomplete. */
static size_t resp_end(const char *text, size_t length, size_t at)
{
    const char *stop = at < length ? memchr(text + at, '\n', length - at) : NULL;
    if (!stop)
        return 0;
    size_t next = (size_t)(stop - text) + 1;
    long count = strtol(text + at + 1, NULL, 10);
    if (text[at] == '$' && count >= 0)
        return next + (size_t)count + 2 <= length ? next + (size_t)count + 2 : 0;
    if (text[at] == '*')
        for (long i = 0; i < count && next; i++)
            next = resp_end(text, length, next);
    return next;
}

static long read_resp(const char *text, size_t length, struct answer *answer)
{
    size_t end = resp_end(text, length, 0);
    *answer = (struct answer){.status = text[0] == '-' ? 500 : 200, .body = text, .length = end};
    return (long)end;
}

/* Join chunks in place; returns their length with all framing, 0 if they are incomplete. */
static long join_chunks(char *text, size_t length, size_t *joined)
{
    size_t at = 0, to = 0;
    for (;;) {
        char *stop = memchr(text + at, '\n', length - at);
        if (!stop)
            return 0;
        size_t size = strtoul(text + at, NULL, 16);
        size_t begin = (size_t)(stop - text) + 1;
        if (begin + size + 2 > length)
            return 0;
        at = begin + size + 2;
        if (!size)
            break;
        to += size;
    }
    size_t framed = at;
    *joined = to;
    for (at = to = 0; to < *joined;) {
        char *stop = memchr(text + at, '\n', length - at);
        size_t size = strtoul(text + at, NULL, 16);
        memmove(text + to, stop + 1, size);
        at = (size_t)(stop - text) + 1 + size + 2;
        to += size;
    }
    return (long)framed;
}

struct head {
    size_t length, body;
    int chunked;
};

/* Parse the head of an answer; returns 0 if it is incomplete. */
static int read_head(const char *text, size_t length, struct head *head, struct answer *answer)
{
    const char *end = memmem(text, length, "\r\n\r\n", 4);
    if (!end)
        return 0;
    *head = (struct head){.length = (size_t)(end - text) + 4};
    answer->status = length > 12 ? atoi(text + 9) : 0;
    for (const char *line = memchr(text, '\n', length); line && line < end; line = memchr(line, '\n', (size_t)(end - line))) {
        line++;
        if (!strncasecmp(line, "content-length:", 15))
            head->body = strtoul(line + 15, NULL, 10);
        else if (!strncasecmp(line, "transfer-encoding: chunked", 26))
            head->chunked = 1;
        else if (!strncasecmp(line, "connection: close", 17))
            answer->last = 1;
    }
    if (answer->status == 304 || answer->status == 204)
        head->body = 0, head->chunked = 0;
    return 1;
}

static long read_http(char *text, size_t length, struct answer *answer)
{
    struct head head;
    *answer = (struct answer){0};
    if (!read_head(text, length, &head, answer))
        return 0;
    answer->body = text + head.length;
    answer->length = head.body;
    if (head.chunked) {
        if (length == head.length)
            return 0;
        long framed = join_chunks(text + head.length, length - head.length, &answer->length);
        return framed ? (long)head.length + framed : 0;
    }
    return head.length + head.body <= length ? (long)(head.length + head.body) : 0;
}

/* Parse the first answer; returns its length, 0 if it is incomplete. */
long read_answer(char *text, size_t length, struct answer *answer)
{
    if (!length)
        return 0;
    return is_resp() ? read_resp(text, length, answer) : read_http(text, length, answer);
}

static void copy_token(const char *from, const char *end, char *to, size_t capacity)
{
    size_t length = 0;
    while (from < end && !strchr("\"\r\n, }", *from) && length + 1 < capacity)
        to[length++] = *from++;
    to[length] = 0;
}

/* The reply of Redis is [[stream, [[id, [field, value]]]]]. */
static int has_entry(const struct answer *answer, char *message, size_t capacity)
{
    const char *end = answer->body + answer->length, *at = answer->body;
    if (answer->length < 6 || at[0] != '*' || at[1] == '-')
        return 0;
    for (int bulk = 0; bulk < 2 && at; bulk++) {
        at = memchr(at, '$', (size_t)(end - at));
        at = at ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    }
    if (!at)
        return 0;
    copy_token(at + 1, end, message, capacity);
    return 1;
}

/* Whether the answer to a poll has a command; its id is copied to `message`. */
int has_command(const struct answer *answer, char *message, size_t capacity)
{
    static const char *marker;
    if (!marker)
        marker = text_setting("id_marker", "");
    *message = 0;
    if (is_resp())
        return has_entry(answer, message, capacity);
    if (answer->status != 200 || !answer->length)
        return 0;
    if (!*marker)
        return 1;
    const char *end = answer->body + answer->length, *at = memmem(answer->body, answer->length, marker, strlen(marker));
    if (!at)
        return 0;
    for (at += strlen(marker); at < end && strchr("\": ", *at);)
        at++;
    copy_token(at, end, message, capacity);
    return 1;
}
