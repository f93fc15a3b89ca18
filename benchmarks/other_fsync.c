/*
 * Preloaded into a server: its fsync takes BENCH_FSYNC_MS milliseconds more, as that of a common cloud disk does; where
 * that is negative, it does nothing.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int sync_by(const char *name, int fd)
{
    const char *text = getenv("BENCH_FSYNC_MS");
    double more = text ? atof(text) : 0;
    if (more < 0)
        return 0;
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int outcome = real(fd);
    usleep((useconds_t)(more * 1000));
    return outcome;
}

int fsync(int fd)
{
    return sync_by("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_by("fdatasync", fd);
}
