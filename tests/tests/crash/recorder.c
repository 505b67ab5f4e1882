/* Records what a process does to the files below a directory, so that a test can rebuild what a
 * disk would hold had the power failed at any moment. Preloaded (LD_PRELOAD) into the process:
 *
 *   KITH_RECORD_DIRECTORY   the directory that is watched: an absolute path without links
 *   KITH_RECORD_LOG         where the events go; outside of that directory
 *
 * Every function here makes the system call itself, so none has to be looked up, and appends one
 * event to the log in the same critical section: the order of the log is the order of the effects.
 * Files are named by inode, since names change. What a process writes to its standard output is an
 * event as well (MARK), written before the bytes go out: whatever somebody has read was promised
 * when the log was this long.
 *
 * What can't be recorded is refused, and the refusal is an event: writable shared mappings, links,
 * and copying inside the kernel, which has its callers fall back on reading and writing. A program
 * that makes its system calls without the C library is not seen at all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    CREATE = 1, MKDIR, WRITE, TRUNCATE, SYNC, RANGE, RENAME, UNLINK, RMDIR, ALLOCATE, REFUSED, MARK
};

struct event {
    uint32_t bytes, kind;
    uint64_t inode;
    int64_t offset;
    uint64_t length;
    uint32_t path_bytes, other_bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char watched[PATH_MAX];
static size_t watched_bytes;
static int log_file = -1;

__attribute__((constructor)) static void begin(void) {
    const char *directory = getenv("KITH_RECORD_DIRECTORY"), *path = getenv("KITH_RECORD_LOG");
    if (!directory || !path || strlen(directory) >= sizeof watched) return;
    int file = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0) { perror(path); _exit(70); }
    log_file = fcntl(file, F_DUPFD_CLOEXEC, 700);
    syscall(SYS_close, file);
    watched_bytes = strlen(directory);
    strcpy(watched, directory);
}

static int is_below(const char *path) {
    return watched_bytes && !strncmp(path, watched, watched_bytes)
        && (path[watched_bytes] == '/' || !path[watched_bytes]);
}

static int path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = 0;
    return n >= 0;
}

/* Whether `name` is below the watched directory; `path` is then the whole of it. */
static int resolve(int directory, const char *name, char *path) {
    if (!watched_bytes || !name) return 0;
    if (name[0] == '/') {
        if (strlen(name) >= PATH_MAX) return 0;
        strcpy(path, name);
    } else {
        char base[PATH_MAX];
        if (directory == AT_FDCWD ? !getcwd(base, sizeof base) : !path_of(directory, base)) return 0;
        if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    }
    return is_below(path);
}

static int is_watched(int file) {
    char path[PATH_MAX];
    int before = errno, found;
    found = watched_bytes && file != log_file && path_of(file, path) && is_below(path);
    errno = before;
    return found;
}

static uint64_t inode_of(int file) {
    struct stat about;
    return fstat(file, &about) ? 0 : about.st_ino;
}

static uint64_t inode_at(const char *path) {
    struct stat about;
    return lstat(path, &about) ? 0 : about.st_ino;
}

static void note_all(enum kind kind, uint64_t inode, int64_t offset, uint64_t length,
                     const char *path, const char *other, const void *data, size_t data_bytes) {
    int before = errno;
    size_t path_bytes = path ? strlen(path) : 0, other_bytes = other ? strlen(other) : 0;
    struct event event = {
        sizeof event + path_bytes + other_bytes + data_bytes, kind, inode, offset, length,
        path_bytes, other_bytes
    };
    struct iovec parts[] = {
        { &event, sizeof event }, { (void *)path, path_bytes }, { (void *)other, other_bytes },
        { (void *)data, data_bytes }
    };
    if (syscall(SYS_writev, log_file, parts, 4) != (ssize_t)event.bytes) {
        static const char text[] = "recorder: the log can't be written\n";
        syscall(SYS_write, 2, text, sizeof text - 1);
        _exit(70);
    }
    errno = before;
}

static void note(enum kind kind, uint64_t inode, int64_t offset, uint64_t length) {
    note_all(kind, inode, offset, length, NULL, NULL, NULL, 0);
}

#define LOCKED(type, expression) \
    pthread_mutex_lock(&lock); type result = (expression)
#define DONE pthread_mutex_unlock(&lock); return result

/* Opening */

static int open_at(int directory, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int before = errno;
    int wanted = (flags & (O_CREAT | O_TRUNC)) && resolve(directory, name, path);
    errno = before;
    if (!wanted) return syscall(SYS_openat, directory, name, flags, mode);
    pthread_mutex_lock(&lock);
    uint64_t was = inode_at(path);
    errno = before;
    int result = syscall(SYS_openat, directory, name, flags, mode);
    if (result >= 0 && !was) note_all(CREATE, inode_of(result), 0, 0, path, NULL, NULL, 0);
    if (result >= 0 && was && (flags & O_TRUNC)) note(TRUNCATE, was, 0, 0);
    DONE;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); \
    }

int open(const char *name, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, name, flags, mode); }
int openat(int at, const char *name, int flags, ...) { MODE(flags) return open_at(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE(flags) return open_at(at, name, flags, mode); }
int creat(const char *name, mode_t mode) { return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }

/* Writing. `offset` is -1 for where the file stands. */

static ssize_t write_at(int file, const struct iovec *parts, int n_parts, off_t offset) {
    int is_mark = file == 1 && log_file >= 0, watching = is_watched(file);
    if (!is_mark && !watching) {
        return offset < 0 ? syscall(SYS_writev, file, parts, n_parts)
                          : syscall(SYS_pwritev, file, parts, n_parts, offset, 0);
    }
    pthread_mutex_lock(&lock);
    size_t bytes = 0;
    for (int at = 0; at < n_parts; at++) bytes += parts[at].iov_len;
    char *data = malloc(bytes ? bytes : 1), *end = data;
    if (!data) _exit(70);
    for (int at = 0; at < n_parts; at++) end = mempcpy(end, parts[at].iov_base, parts[at].iov_len);
    if (is_mark) note_all(MARK, 0, 0, bytes, NULL, NULL, data, bytes);
    off_t start = offset;
    struct stat about;
    if (watching && offset < 0 && !fstat(file, &about)) {
        int appends = fcntl(file, F_GETFL) & O_APPEND;
        start = appends ? about.st_size : lseek(file, 0, SEEK_CUR);
    }
    ssize_t result = offset < 0 ? syscall(SYS_writev, file, parts, n_parts)
                                : syscall(SYS_pwritev, file, parts, n_parts, offset, 0);
    if (watching && result > 0) {
        note_all(WRITE, inode_of(file), start, result, NULL, NULL, data, result);
    }
    int after = errno;
    free(data);
    errno = after;
    DONE;
}

ssize_t write(int file, const void *data, size_t bytes) {
    struct iovec part = { (void *)data, bytes };
    return write_at(file, &part, 1, -1);
}
ssize_t pwrite(int file, const void *data, size_t bytes, off_t offset) {
    struct iovec part = { (void *)data, bytes };
    return write_at(file, &part, 1, offset);
}
ssize_t pwrite64(int file, const void *data, size_t bytes, off64_t offset) { return pwrite(file, data, bytes, offset); }
ssize_t writev(int file, const struct iovec *parts, int n) { return write_at(file, parts, n, -1); }
ssize_t pwritev(int file, const struct iovec *parts, int n, off_t at) { return write_at(file, parts, n, at); }
ssize_t pwritev64(int file, const struct iovec *parts, int n, off64_t at) { return write_at(file, parts, n, at); }
ssize_t pwritev2(int file, const struct iovec *parts, int n, off_t at, int flags) {
    if (flags && is_watched(file)) { errno = EOPNOTSUPP; return -1; }
    return flags ? syscall(SYS_pwritev2, file, parts, n, at, 0, flags) : write_at(file, parts, n, at);
}

/* Lengths */

static int cut(int file, off_t length) {
    if (!is_watched(file)) return syscall(SYS_ftruncate, file, length);
    LOCKED(int, syscall(SYS_ftruncate, file, length));
    if (!result) note(TRUNCATE, inode_of(file), length, 0);
    DONE;
}
int ftruncate(int file, off_t length) { return cut(file, length); }
int ftruncate64(int file, off64_t length) { return cut(file, length); }
int truncate(const char *name, off_t length) {
    char path[PATH_MAX];
    if (!resolve(AT_FDCWD, name, path)) return syscall(SYS_truncate, name, length);
    LOCKED(int, syscall(SYS_truncate, name, length));
    if (!result) note(TRUNCATE, inode_at(path), length, 0);
    DONE;
}
int truncate64(const char *name, off64_t length) { return truncate(name, length); }
int fallocate(int file, int mode, off_t offset, off_t length) {
    if (!is_watched(file)) return syscall(SYS_fallocate, file, mode, offset, length);
    /* Only the kind that makes a file longer; punching holes and the like is not recorded. */
    if (mode) { errno = EOPNOTSUPP; return -1; }
    LOCKED(int, syscall(SYS_fallocate, file, mode, offset, length));
    if (!result) note(ALLOCATE, inode_of(file), offset, length);
    DONE;
}
int fallocate64(int file, int mode, off64_t offset, off64_t length) { return fallocate(file, mode, offset, length); }
int posix_fallocate(int file, off_t offset, off_t length) { return fallocate(file, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int file, off64_t offset, off64_t length) { return posix_fallocate(file, offset, length); }

/* Syncing */

static int sync_with(long call, int file) {
    if (!is_watched(file)) return syscall(call, file);
    LOCKED(int, syscall(call, file));
    if (!result) note(SYNC, inode_of(file), 0, 0);
    DONE;
}
int fsync(int file) { return sync_with(SYS_fsync, file); }
int fdatasync(int file) { return sync_with(SYS_fdatasync, file); }
int sync_file_range(int file, off64_t offset, off64_t length, unsigned flags) {
    if (!is_watched(file)) return syscall(SYS_sync_file_range, file, offset, length, flags);
    LOCKED(int, syscall(SYS_sync_file_range, file, offset, length, flags));
    if (!result) note(RANGE, inode_of(file), offset, length);
    DONE;
}

/* Names */

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    char path[PATH_MAX], other[PATH_MAX];
    int has_from = resolve(from_at, from, path), has_to = resolve(to_at, to, other);
    if (!has_from && !has_to) return syscall(SYS_renameat2, from_at, from, to_at, to, flags);
    if (!has_from || !has_to || flags) {
        note_all(REFUSED, 0, 0, 0, from, to, NULL, 0);
        errno = EXDEV;
        return -1;
    }
    LOCKED(int, syscall(SYS_renameat2, from_at, from, to_at, to, 0));
    if (!result) note_all(RENAME, 0, 0, 0, path, other, NULL, 0);
    DONE;
}
int renameat(int from_at, const char *from, int to_at, const char *to) { return renameat2(from_at, from, to_at, to, 0); }
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int at, const char *name, int flags) {
    char path[PATH_MAX];
    if (!resolve(at, name, path)) return syscall(SYS_unlinkat, at, name, flags);
    LOCKED(int, syscall(SYS_unlinkat, at, name, flags));
    if (!result) note_all(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, 0, 0, path, NULL, NULL, 0);
    DONE;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) {
    int result = unlink(name);
    return result && errno == EISDIR ? rmdir(name) : result;
}

int mkdirat(int at, const char *name, mode_t mode) {
    char path[PATH_MAX];
    if (!resolve(at, name, path)) return syscall(SYS_mkdirat, at, name, mode);
    LOCKED(int, syscall(SYS_mkdirat, at, name, mode));
    if (!result) note_all(MKDIR, inode_at(path), 0, 0, path, NULL, NULL, 0);
    DONE;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

/* What can't be recorded */

static int refuse_name(int at, const char *name) {
    char path[PATH_MAX];
    if (!resolve(at, name, path)) return 0;
    note_all(REFUSED, 0, 0, 0, path, NULL, NULL, 0);
    errno = EPERM;
    return 1;
}
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    return refuse_name(to_at, to) ? -1 : syscall(SYS_linkat, from_at, from, to_at, to, flags);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int symlinkat(const char *from, int at, const char *to) {
    return refuse_name(at, to) ? -1 : syscall(SYS_symlinkat, from, at, to);
}
int symlink(const char *from, const char *to) { return symlinkat(from, AT_FDCWD, to); }

void *mmap(void *where, size_t bytes, int protection, int flags, int file, off_t offset) {
    int is_shared = (flags & MAP_TYPE) != MAP_PRIVATE && !(flags & MAP_ANONYMOUS);
    if (is_shared && (protection & PROT_WRITE) && is_watched(file)) {
        note(REFUSED, inode_of(file), offset, bytes);
        errno = ENODEV;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, where, bytes, protection, flags, file, offset);
}
void *mmap64(void *where, size_t bytes, int protection, int flags, int file, off64_t offset) {
    return mmap(where, bytes, protection, flags, file, offset);
}
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t bytes, unsigned flags) {
    if (is_watched(to)) { errno = ENOSYS; return -1; }
    return syscall(SYS_copy_file_range, from, from_at, to, to_at, bytes, flags);
}
ssize_t sendfile(int to, int from, off_t *at, size_t bytes) {
    if (is_watched(to)) { errno = ENOSYS; return -1; }
    return syscall(SYS_sendfile, to, from, at, bytes);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t bytes) { return sendfile(to, from, at, bytes); }
ssize_t splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t bytes, unsigned flags) {
    if (is_watched(to)) { errno = EINVAL; return -1; }
    return syscall(SYS_splice, from, from_at, to, to_at, bytes, flags);
}
