/*
 * Preloaded into a server: its fsync takes BENCH_FSYNC_MS milliseconds more, as that of a common cloud disk does.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_more(void)
{
    const char *text = getenv("BENCH_FSYNC_MS");
    usleep((useconds_t)((text ? atof(text) : 0) * 1000));
}

static int sync_by(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    int outcome = real(fd);
    wait_more();
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
