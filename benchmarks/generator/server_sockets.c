/*
 * The state of a server's connections, from /proc/net/tcp.
 */

#include "bench.h"

#include <stdio.h>

#define ESTABLISHED 1
#define LISTENING 10

struct entry {
    unsigned port, state;
    unsigned unread;     /* bytes; for a listener: connections that are not accepted yet */
    unsigned long inode; /* 0 until the connection is accepted */
};

static FILE *open_table(void)
{
    char head[256];
    FILE *table = fopen("/proc/net/tcp", "r");
    if (!table || !fgets(head, sizeof head, table))
        fail("/proc/net/tcp cannot be read");
    return table;
}

static int next_entry(FILE *table, struct entry *entry)
{
    char line[256];
    return fgets(line, sizeof line, table)
           && sscanf(line, "%*d: %*8X:%X %*8X:%*X %X %*X:%X %*X:%*X %*X %*d %*d %lu", &entry->port, &entry->state,
                     &entry->unread, &entry->inode) == 4;
}

/* How many connections the server has accepted, with nothing left to read. */
long connections_read(int port)
{
    struct entry entry;
    long count = 0;
    FILE *table = open_table();
    while (next_entry(table, &entry))
        count += entry.port == (unsigned)port && entry.state == ESTABLISHED && !entry.unread && entry.inode;
    fclose(table);
    return count;
}

/* How many connections are not accepted yet. Listeners come first, and the kernel does not generate the rest. */
long backlog_length(int port)
{
    struct entry entry;
    long queued = 0;
    FILE *table = open_table();
    while (next_entry(table, &entry) && entry.state == LISTENING)
        if (entry.port == (unsigned)port)
            queued = entry.unread;
    fclose(table);
    return queued;
}
