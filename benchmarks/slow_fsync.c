/*
 * A library to preload into a server: each fsync takes BENCH_FSYNC_MS milliseconds longer, as on the disk of a cloud
 * machine; if that is negative, fsync does nothing.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slow_sync(const char *function, int fd)
{
    const char *text = getenv("BENCH_FSYNC_MS");
    double extra = text ? atof(text) : 0;
    if (extra < 0)
        return 0;
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, function);
    int result = real(fd);
    usleep((useconds_t)(extra * 1000));
    return result;
}

int fsync(int fd)
{
    return slow_sync("fsync", fd);
}

int fdatasync(int fd)
{
    return slow_sync("fdatasync", fd);
}
