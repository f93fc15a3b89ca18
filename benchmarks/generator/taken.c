/*
 * How far a server is with its connections: what the system tells of its sockets.
 */

#include "bench.h"

#include <stdio.h>

#define ESTABLISHED 1
#define LISTENING 10

struct entry {
    unsigned port, state;
    unsigned unread;     /* bytes; of a listener: connections that wait to be accepted */
    unsigned long inode; /* 0 until it is accepted */
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

/* How many connections the server has accepted, and read all of. */
long taken_in(int port)
{
    struct entry entry;
    long taken = 0;
    FILE *table = open_table();
    while (next_entry(table, &entry))
        taken += entry.port == (unsigned)port && entry.state == ESTABLISHED && !entry.unread && entry.inode;
    fclose(table);
    return taken;
}

/* How many connections wait to be accepted. Listeners come first in the table: most of it is not even made. */
long queued_at(int port)
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
