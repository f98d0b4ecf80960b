/* A library for LD_PRELOAD that counts the file operations of a process below one folder, and lets one of them go wrong.
 *
 *   FAULT_ROOT   the folder; operations elsewhere are left alone
 *   FAULT_LOG    file that gets one line for each operation: `name path`, and `!name path` for each that went wrong
 *   FAULT_AT     number (from 1) of the operation that goes wrong; without it none does
 *   FAULT_ONLY   names of the operations that are counted, between commas; without it all of `names` below
 *   FAULT_PATH   part of the path of those that are counted; without it all
 *   FAULT_HOW    number of the error; `short`: half of the bytes; `kill`: SIGKILL instead of it; `cut`: SIGKILL after half of the bytes;
 *                `wait`: it writes into the file FAULT_WAIT and goes on as usual once that is gone; the file is made at the start, since
 *                a process may give up the right to make any
 *   FAULT_STAYS  set: all counted operations after it go wrong, too
 *
 * Only what goes through the C library is seen. Reads of mapped files are not: a failing one of those is a signal. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define HALF -1

static const char *root, *only, *part, *how, *held;
static long at, error;
static int stays, log_fd = -1, held_fd = -1;
static long count;

/* The system call itself, whatever stands in between below. */
static long raw(long number, ...) {
    static long (*real)(long, ...);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    return real(number, a, b, c, d, e, f);
}

__attribute__((constructor)) static void begin(void) {
    root = getenv("FAULT_ROOT");
    only = getenv("FAULT_ONLY");
    part = getenv("FAULT_PATH");
    how = getenv("FAULT_HOW");
    held = getenv("FAULT_WAIT");
    at = getenv("FAULT_AT") ? atol(getenv("FAULT_AT")) : 0;
    stays = getenv("FAULT_STAYS") != NULL;
    error = how ? atol(how) : 0;
    const char *log = getenv("FAULT_LOG");
    if (held && how && strcmp(how, "wait") == 0) held_fd = raw(SYS_openat, AT_FDCWD, held, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (log) log_fd = raw(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

/* The path below the root, `.` for itself, or NULL. */
static const char *below(const char *path) {
    size_t length = strlen(root);
    if (strncmp(path, root, length) != 0) return NULL;
    if (path[length] == 0) return ".";
    return path[length] == '/' ? path + length + 1 : NULL;
}

/* Makes `path` (as seen from `folder`) absolute, without `./`. */
static const char *absolute(int folder, const char *path, char *out) {
    char base[PATH_MAX];
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else {
        if (folder == AT_FDCWD) {
            if (raw(SYS_getcwd, base, sizeof base) < 0) return NULL;
        } else {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
            long length = raw(SYS_readlinkat, AT_FDCWD, link, base, sizeof base - 1);
            if (length < 0) return NULL;
            base[length] = 0;
        }
        if (path[0] == 0) snprintf(out, PATH_MAX, "%s", base);
        else if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
    }
    for (char *dot; (dot = strstr(out, "/./"));) memmove(dot, dot + 2, strlen(dot + 2) + 1);
    size_t length = strlen(out);
    if (length > 2 && strcmp(out + length - 2, "/.") == 0) out[length - 2] = 0;
    return out;
}

static void note(const char *mark, const char *name, const char *path) {
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s%s %s\n", mark, name, path);
    if (log_fd >= 0 && length > 0) raw(SYS_write, log_fd, line, (size_t)length);
}

static int is_counted(const char *name, const char *path) {
    if (part && !strstr(path, part)) return 0;
    if (!only) return 1;
    size_t length = strlen(name);
    for (const char *found = only; (found = strstr(found, name)); found += length) {
        if ((found == only || found[-1] == ',') && (found[length] == 0 || found[length] == ',')) return 1;
    }
    return 0;
}

static void end(void) {
    raw(SYS_kill, raw(SYS_getpid), SIGKILL);
    for (;;) pause();
}

/* What is to become of an operation: 0 as usual, HALF of the bytes, or the number of an error. */
static int fate(const char *name, int folder, const char *given) {
    char whole[PATH_MAX];
    int before = errno;
    if (!root || !given || !absolute(folder, given, whole)) return errno = before, 0;
    errno = before;
    const char *path = below(whole);
    if (!path || !is_counted(name, path)) return 0;
    long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    int wrong = at > 0 && (number == at || (stays && number > at));
    note(wrong ? "!" : "", name, path);
    errno = before;
    if (!wrong || !how) return 0;
    if (strcmp(how, "kill") == 0) end();
    if (strcmp(how, "wait") == 0) {
        if (held_fd < 0) return 0;
        raw(SYS_write, held_fd, "!", 1);
        struct stat seen;
        while (raw(SYS_fstat, held_fd, &seen) == 0 && seen.st_nlink > 0) usleep(500);
        errno = before;
        return 0;
    }
    return error ? (int)error : HALF;
}

static int fate_of(const char *name, int fd) {
    return fate(name, fd, "");
}

#define REAL(type, name, ...)                                              \
    static type (*real)(__VA_ARGS__);                                      \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

/* Fails with the error; HALF means nothing to operations without bytes. */
#define FAIL(fate, value)                    \
    do {                                     \
        int f = (fate);                      \
        if (f > 0) return errno = f, value;  \
    } while (0)

#define MODE(flags)                                                   \
    mode_t mode = 0;                                                  \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                            \
        va_list list;                                                 \
        va_start(list, flags);                                        \
        mode = va_arg(list, mode_t);                                  \
        va_end(list);                                                 \
    }

#define OPENED(flags) ((flags) & O_CREAT ? "create" : "open")

#define OPEN(name)                                        \
    int name(const char *path, int flags, ...) {          \
        REAL(int, name, const char *, int, ...);          \
        MODE(flags)                                       \
        FAIL(fate(OPENED(flags), AT_FDCWD, path), -1);    \
        return real(path, flags, mode);                   \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                      \
    int name(int folder, const char *path, int flags, ...) { \
        REAL(int, name, int, const char *, int, ...);     \
        MODE(flags)                                       \
        FAIL(fate(OPENED(flags), folder, path), -1);      \
        return real(folder, path, flags, mode);           \
    }
OPENAT(openat)
OPENAT(openat64)

/* A newer call that the C library has no function for. Its flags stand in front of what it is given. */
long syscall(long number, ...) {
    va_list list;
    va_start(list, number);
    long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long);
    long d = va_arg(list, long), e = va_arg(list, long), f = va_arg(list, long);
    va_end(list);
    if (number == SYS_openat2) {
        unsigned long flags = *(const unsigned long *)c;
        /* A handle that only shows a place reads nothing. */
        if (!(flags & O_PATH)) FAIL(fate(OPENED(flags), (int)a, (const char *)b), -1);
    }
    return raw(number, a, b, c, d, e, f);
}

DIR *opendir(const char *path) {
    REAL(DIR *, opendir, const char *);
    FAIL(fate("list", AT_FDCWD, path), NULL);
    return real(path);
}

/* Half of the bytes, but one at least: no bytes at all would be the end of the file. */
static size_t half(size_t size) {
    return size > 1 ? size / 2 : size;
}

static int is_cut(void) {
    return how && strcmp(how, "cut") == 0;
}

ssize_t read(int fd, void *out, size_t size) {
    REAL(ssize_t, read, int, void *, size_t);
    int f = fate_of("read", fd);
    FAIL(f, -1);
    return real(fd, out, f == HALF ? half(size) : size);
}

#define PREAD(name, offset_type)                                             \
    ssize_t name(int fd, void *out, size_t size, offset_type offset) {       \
        REAL(ssize_t, name, int, void *, size_t, offset_type);               \
        int f = fate_of("read", fd);                                         \
        FAIL(f, -1);                                                         \
        return real(fd, out, f == HALF ? half(size) : size, offset);         \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

ssize_t readv(int fd, const struct iovec *parts, int number) {
    REAL(ssize_t, readv, int, const struct iovec *, int);
    int f = fate_of("read", fd);
    FAIL(f, -1);
    return real(fd, parts, f == HALF ? 1 : number);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    int f = fate_of("write", fd);
    FAIL(f, -1);
    ssize_t done = real(fd, bytes, f == HALF ? half(size) : size);
    if (f == HALF && is_cut()) end();
    return done;
}

#define PWRITE(name, offset_type)                                               \
    ssize_t name(int fd, const void *bytes, size_t size, offset_type offset) {  \
        REAL(ssize_t, name, int, const void *, size_t, offset_type);            \
        int f = fate_of("write", fd);                                           \
        FAIL(f, -1);                                                            \
        ssize_t done = real(fd, bytes, f == HALF ? half(size) : size, offset);  \
        if (f == HALF && is_cut()) end();                                       \
        return done;                                                            \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const struct iovec *parts, int number) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    int f = fate_of("write", fd);
    FAIL(f, -1);
    ssize_t done = real(fd, parts, f == HALF ? 1 : number);
    if (f == HALF && is_cut()) end();
    return done;
}

#define MMAP(name, offset_type)                                                              \
    void *name(void *address, size_t size, int protection, int flags, int fd, offset_type offset) { \
        REAL(void *, name, void *, size_t, int, int, int, offset_type);                      \
        if (fd >= 0) FAIL(fate_of("map", fd), MAP_FAILED);                                   \
        return real(address, size, protection, flags, fd, offset);                           \
    }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)

/* Operations on a descriptor, and on one path. */
#define ON_FD(name, called)               \
    int name(int fd) {                    \
        REAL(int, name, int);             \
        FAIL(fate_of(called, fd), -1);    \
        return real(fd);                  \
    }
ON_FD(fsync, "sync")
ON_FD(fdatasync, "sync")

int flock(int fd, int operation) {
    REAL(int, flock, int, int);
    FAIL(fate_of("lock", fd), -1);
    return real(fd, operation);
}

int fchmod(int fd, mode_t mode) {
    REAL(int, fchmod, int, mode_t);
    FAIL(fate_of("chmod", fd), -1);
    return real(fd, mode);
}

int futimens(int fd, const struct timespec times[2]) {
    REAL(int, futimens, int, const struct timespec *);
    FAIL(fate_of("touch", fd), -1);
    return real(fd, times);
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, ftruncate64, int, off64_t);
    FAIL(fate_of("truncate", fd), -1);
    return real(fd, size);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    FAIL(fate("mkdir", AT_FDCWD, path), -1);
    return real(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(int, mkdirat, int, const char *, mode_t);
    FAIL(fate("mkdir", folder, path), -1);
    return real(folder, path, mode);
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    FAIL(fate("unlink", folder, path), -1);
    return real(folder, path, flags);
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    FAIL(fate("unlink", AT_FDCWD, path), -1);
    return real(path);
}

/* The path of a rename is the one that it makes. */
int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    FAIL(fate("rename", AT_FDCWD, to), -1);
    return real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    FAIL(fate("rename", to_folder, to), -1);
    return real(from_folder, from, to_folder, to);
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned);
    FAIL(fate("rename", to_folder, to), -1);
    return real(from_folder, from, to_folder, to, flags);
}

int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict out) {
    REAL(int, statx, int, const char *, int, unsigned, struct statx *);
    FAIL(fate("stat", folder, path), -1);
    return real(folder, path, flags, mask, out);
}
