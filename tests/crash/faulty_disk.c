/*
 * A library to preload into a server: the disk of its database, with faults.
 *
 * CRASH_DATABASE is the path of the database, in a directory of its own. What is written there and not synced is noted
 * in the directory CRASH_DISK, so that a power cut can be simulated after a SIGKILL (see faulty_disk.py): for each
 * file, by its inode, what its bytes were at the last sync; in the file "directory", which names were created, renamed
 * and deleted since the directory was synced.
 *
 * Files in CRASH_DISK cause faults, as long as they exist: "full", no write to the database succeeds; "failing", each
 * sync of it fails, although what was written is there, and the write after it takes 0.1 s, within which the process
 * can be killed; "suspend", after the next sync of a write that contains the text in this file the process stops itself
 * with SIGSTOP.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum kind { OTHER, ENTRY, DATABASE, DIRECTORY };

struct undo { uint64_t offset, length, size; }; /* the bytes that were there, which follow, and the size of the file */

#define MAX_FDS 65536
#define REAL(name) ((__typeof__(&name))real(#name))

static unsigned char kinds[MAX_FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int has_written_marker, has_failed_to_sync;

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void fail(const char *what)
{
    perror(what);
    abort();
}

static const char *database(void)
{
    const char *path = getenv("CRASH_DATABASE");
    return path ? path : "";
}

static size_t directory_length(void)
{
    const char *slash = strrchr(database(), '/');
    return slash ? (size_t)(slash - database()) : 0;
}

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && !strcmp(text + length - end_length, end);
}

static enum kind kind_of(const char *path)
{
    size_t length = directory_length();
    if (!length || strncmp(path, database(), length))
        return OTHER;
    if (!path[length])
        return DIRECTORY;
    if (path[length] != '/' || strchr(path + length + 1, '/') || ends_with(path, "-shm") || ends_with(path, ".lock"))
        return OTHER;
    return strncmp(path, database(), strlen(database())) ? ENTRY : DATABASE;
}

static enum kind kind_of_fd(int fd)
{
    return fd >= 0 && fd < MAX_FDS ? kinds[fd] : OTHER;
}

static const char *in_disk(char *path, const char *name)
{
    snprintf(path, PATH_MAX, "%s/%s", getenv("CRASH_DISK"), name);
    return path;
}

static int is_faulty(const char *fault)
{
    char path[PATH_MAX];
    return !access(in_disk(path, fault), F_OK);
}

/* Append to a file in CRASH_DISK in one write: a process that is killed leaves all of it, or a part at the end. */
static void note(const char *name, const void *record, size_t length)
{
    char path[PATH_MAX];
    int fd = REAL(open)(in_disk(path, name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || REAL(write)(fd, record, length) != (ssize_t)length)
        fail(path);
    REAL(close)(fd);
}

static void forget(const char *name)
{
    char path[PATH_MAX];
    if (REAL(unlink)(in_disk(path, name)) && errno != ENOENT)
        fail(path);
}

static void inode_name(char *name, int fd)
{
    struct stat found;
    if (fstat(fd, &found))
        fail("fstat");
    snprintf(name, NAME_MAX, "inode-%llu", (unsigned long long)found.st_ino);
}

static int is_write_only(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
}

/* SQLite's are not opened again: to close one of them would end all locks of the process on the file. */
static ssize_t read_bytes(int fd, void *bytes, size_t length, off_t offset)
{
    if (!is_write_only(fd))
        return pread(fd, bytes, length, offset);
    char path[NAME_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reading = REAL(open)(path, O_RDONLY | O_CLOEXEC);
    ssize_t found = pread(reading, bytes, length, offset);
    REAL(close)(reading);
    return found;
}

static void note_bytes(int fd, off_t offset, size_t length)
{
    struct stat found;
    if (fstat(fd, &found))
        fail("fstat");
    if (offset >= found.st_size)
        length = 0;
    else if (offset + (off_t)length > found.st_size)
        length = (size_t)(found.st_size - offset);
    char name[NAME_MAX], *record = malloc(sizeof(struct undo) + length);
    struct undo head = {(uint64_t)offset, length, (uint64_t)found.st_size};
    memcpy(record, &head, sizeof head);
    if (read_bytes(fd, record + sizeof head, length, offset) != (ssize_t)length)
        fail("pread");
    inode_name(name, fd);
    note(name, record, sizeof head + length);
    free(record);
}

static void look_for_marker(const void *bytes, size_t length)
{
    char path[PATH_MAX], marker[256];
    int fd = REAL(open)(in_disk(path, "suspend"), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t found = read(fd, marker, sizeof marker);
    if (found > 0 && memmem(bytes, length, marker, (size_t)found))
        has_written_marker = 1;
    REAL(close)(fd);
}

/* Whether a write is to fail; if not, what it replaces is noted. */
static int refuse_write(int fd, const void *bytes, size_t length, off_t offset)
{
    if (kind_of_fd(fd) == DATABASE) {
        if (is_faulty("full")) {
            errno = ENOSPC;
            return 1;
        }
        if (has_failed_to_sync) {
            has_failed_to_sync = 0;
            usleep(100000);
        }
        look_for_marker(bytes, length);
    }
    note_bytes(fd, offset, length);
    return 0;
}

static int is_file(int fd)
{
    return kind_of_fd(fd) == ENTRY || kind_of_fd(fd) == DATABASE;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (!is_file(fd))
        return REAL(write)(fd, bytes, length);
    pthread_mutex_lock(&lock);
    int refused = refuse_write(fd, bytes, length, lseek(fd, 0, SEEK_CUR));
    ssize_t written = refused ? -1 : REAL(write)(fd, bytes, length);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    if (!is_file(fd))
        return REAL(pwrite64)(fd, bytes, length, offset);
    pthread_mutex_lock(&lock);
    int refused = refuse_write(fd, bytes, length, offset);
    ssize_t written = refused ? -1 : REAL(pwrite64)(fd, bytes, length, offset);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return pwrite64(fd, bytes, length, offset);
}

int ftruncate64(int fd, off64_t size)
{
    if (!is_file(fd))
        return REAL(ftruncate64)(fd, size);
    pthread_mutex_lock(&lock);
    struct stat found;
    if (fstat(fd, &found))
        fail("fstat");
    note_bytes(fd, size, found.st_size > size ? (size_t)(found.st_size - size) : 0);
    int result = REAL(ftruncate64)(fd, size);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

static void suspend(void)
{
    has_written_marker = 0;
    forget("suspend");
    kill(getpid(), SIGSTOP);
}

static int synced(int fd, int (*sync)(int))
{
    enum kind kind = kind_of_fd(fd);
    if (kind == OTHER)
        return sync(fd);
    if (kind == DATABASE && is_faulty("failing")) {
        has_failed_to_sync = 1;
        errno = EIO;
        return -1;
    }
    pthread_mutex_lock(&lock);
    char name[NAME_MAX] = "directory";
    if (kind != DIRECTORY)
        inode_name(name, fd);
    int result = sync(fd);
    if (!result)
        forget(name);
    int stops = kind == DATABASE && has_written_marker;
    pthread_mutex_unlock(&lock);
    if (stops)
        suspend();
    return result;
}

int fsync(int fd)
{
    return synced(fd, REAL(fsync));
}

int fdatasync(int fd)
{
    return synced(fd, REAL(fdatasync));
}

static const char *name_in_directory(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* Keep a file that is about to lose its name, by another one; the name that it gets, or "-" if there is no such file. */
static void keep(const char *path, char *name)
{
    static int count;
    char kept[PATH_MAX];
    snprintf(name, NAME_MAX, "kept-%d-%d", getpid(), ++count);
    if (link(path, in_disk(kept, name)))
        strcpy(name, "-");
}

static void note_name(const char *did, const char *path, const char *from, const char *kept)
{
    char line[PATH_MAX];
    int length = snprintf(line, sizeof line, "%s %s %s %s\n", did, name_in_directory(path), from, kept);
    note("directory", line, (size_t)length);
}

static int opened(int (*open_file)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
    enum kind kind = kind_of(path);
    if (kind == OTHER) {
        int fd = open_file(path, flags, mode);
        if (fd >= 0 && fd < MAX_FDS)
            kinds[fd] = OTHER;
        return fd;
    }
    pthread_mutex_lock(&lock);
    if (kind != DIRECTORY && flags & O_CREAT && access(path, F_OK))
        note_name("created", path, "-", "-");
    int fd = open_file(path, flags & ~O_TRUNC, mode);
    if (fd >= 0 && fd < MAX_FDS)
        kinds[fd] = kind;
    pthread_mutex_unlock(&lock);
    if (fd >= 0 && flags & O_TRUNC && ftruncate64(fd, 0))
        fail(path);
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(REAL(open), path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(REAL(open64), path, flags, mode);
}

int close(int fd)
{
    if (fd >= 0 && fd < MAX_FDS)
        kinds[fd] = OTHER;
    return REAL(close)(fd);
}

int unlink(const char *path)
{
    enum kind kind = kind_of(path);
    if (kind == OTHER || kind == DIRECTORY)
        return REAL(unlink)(path);
    pthread_mutex_lock(&lock);
    char kept[NAME_MAX];
    keep(path, kept);
    if (strcmp(kept, "-"))
        note_name("deleted", path, "-", kept);
    int result = REAL(unlink)(path);
    pthread_mutex_unlock(&lock);
    return result;
}

int rename(const char *from, const char *to)
{
    if (kind_of(to) == OTHER || kind_of(from) == OTHER)
        return REAL(rename)(from, to);
    pthread_mutex_lock(&lock);
    char kept[NAME_MAX];
    keep(to, kept);
    note_name("renamed", to, name_in_directory(from), kept);
    int result = REAL(rename)(from, to);
    pthread_mutex_unlock(&lock);
    return result;
}
