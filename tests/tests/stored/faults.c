/* Makes the system calls of the process that it is preloaded into fail, for files below the
 * directory KITH_FAULTS_BELOW, while a file of a certain name is in the directory KITH_FAULTS:
 *
 *   read-only   writes fail with EROFS
 *   sync-fails  syncs fail with EIO, and nothing is synced
 *   sync-hangs  syncs wait until the file is gone
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int is_on(const char *name) {
    const char *folder = getenv("KITH_FAULTS");
    char path[4096];
    if (!folder || snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return 0;
    return access(path, F_OK) == 0;
}

static int is_meant(int fd) {
    const char *below = getenv("KITH_FAULTS_BELOW");
    char link[64], path[4096];
    if (!below) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

static int write_fails(int fd) {
    if (!is_on("read-only") || !is_meant(fd)) return 0;
    errno = EROFS;
    return 1;
}

static int sync_fails(int fd) {
    if (!is_meant(fd)) return 0;
    struct timespec pause = {0, 5000000};
    while (is_on("sync-hangs")) nanosleep(&pause, NULL);
    if (!is_on("sync-fails")) return 0;
    errno = EIO;
    return 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t);
    return write_fails(fd) ? -1 : real(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    return write_fails(fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return write_fails(fd) ? -1 : real(fd, bytes, count, offset);
}

ssize_t writev(int fd, const struct iovec *slices, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    return write_fails(fd) ? -1 : real(fd, slices, count);
}

int ftruncate(int fd, off_t length) {
    REAL(int, ftruncate, int, off_t);
    return write_fails(fd) ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    return write_fails(fd) ? -1 : real(fd, length);
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return sync_fails(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return sync_fails(fd) ? -1 : real(fd);
}
