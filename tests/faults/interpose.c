/* tests/faults/interpose.c: a library to preload that counts a process's calls to the system
 * and does something bad at one of them. tests/faults/README.md lists its variables. */
#include "tests/faults/interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct {
    bool ready, wanted;
    long at;           /* the call that fails; 0: only count */
    const char *calls; /* names, with commas around each */
    const char *path;  /* only calls on paths that contain this */
    const char *action;
    int log; /* descriptor; -1: none */
} plan;

static atomic_long count;

static const char *variable(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : fallback;
}

/* JUDO_FAULT_RANK says which rank is meant; a process without a launcher is rank 0. */
static void read_plan(void)
{
    const char *log = variable("JUDO_FAULT_LOG", NULL);
    const char *rank = variable("OMPI_COMM_WORLD_RANK", "0");
    plan.wanted = strcmp(variable("JUDO_FAULT_RANK", "0"), rank) == 0;
    plan.at = atol(variable("JUDO_FAULT_AT", "0"));
    plan.calls = variable("JUDO_FAULT_CALLS", ",open,write,sync,rename,truncate,unlink,mkdir,");
    plan.path = variable("JUDO_FAULT_PATH", "");
    plan.action = variable("JUDO_FAULT_DO", "kill");
    plan.log =
        log && plan.wanted ? open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    plan.ready = true;
}

__attribute__((constructor)) static void begin(void)
{
    read_plan();
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;) {
        (void)pause();
    }
}

/* True if this is the call that must fail by itself; kills, stops or delays here. */
static bool strike(const char *call, const char *path)
{
    char name[32];
    if (!plan.ready || !plan.wanted || strstr(path, plan.path) == NULL) {
        return false;
    }
    (void)snprintf(name, sizeof name, ",%s,", call);
    if (strstr(plan.calls, name) == NULL) {
        return false;
    }
    long number = ++count;
    if (plan.log >= 0) {
        char line[600];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
        (void)!judo_fault_real_write(plan.log, line, (size_t)length);
    }
    if (strcmp(plan.action, "slow") == 0) {
        (void)usleep((useconds_t)plan.at * 1000); /* every call */
        return false;
    }
    if (number != plan.at) {
        return false;
    }
    if (strcmp(plan.action, "powerloss") == 0) {
        judo_fault_lose_unsynced();
        die();
    } else if (strcmp(plan.action, "kill") == 0) {
        die();
    } else if (strcmp(plan.action, "stop") == 0) {
        (void)raise(SIGSTOP);
        return false;
    }
    return true;
}

/* The errno of an action that fails a call; 0: the call is made in part ("short"). */
static int failure(void)
{
    static const struct {
        const char *name;
        int error;
    } errors[] = {{"enospc", ENOSPC},
                  {"eio", EIO},
                  {"eintr", EINTR},
                  {"erofs", EROFS},
                  {"enomem", ENOMEM}};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (strcmp(plan.action, errors[i].name) == 0) {
            return errors[i].error;
        }
    }
    return 0;
}

/* Strikes before a call: true if it fails with errno set. */
static bool fails(const char *call, const char *path)
{
    if (!strike(call, path) || failure() == 0) {
        return false;
    }
    errno = failure();
    return true;
}

static void path_of(int descriptor, char *out, size_t bytes)
{
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, out, bytes - 1);
    out[length > 0 ? length : 0] = '\0';
}

void *judo_fault_next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        (void)fprintf(stderr, "interpose: no %s\n", name);
        _exit(99);
    }
    return found;
}

/* Calls NAME of the library behind this one. */
#define REAL(name) ((__typeof__(&name))judo_fault_next(#name))

ssize_t judo_fault_real_write(int descriptor, const void *data, size_t bytes)
{
    return REAL(write)(descriptor, data, bytes);
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if ((flags & O_ACCMODE) != O_RDONLY && fails("open", path)) {
        return -1;
    }
    struct stat info;
    bool is_new = (flags & O_CREAT) != 0 && stat(path, &info) != 0;
    int descriptor = REAL(open)(path, flags, mode);
    if (descriptor >= 0 && is_new) {
        judo_fault_note_created(path);
    }
    return descriptor;
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return open(path, flags, mode);
}

ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    char path[512];
    path_of(descriptor, path, sizeof path);
    if (strike("write", path)) {
        if (failure() != 0) {
            errno = failure();
            return -1;
        }
        bytes = bytes > 1 ? bytes / 2 : bytes;
    }
    judo_fault_note_written(path);
    return REAL(pwrite)(descriptor, data, bytes, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off64_t offset)
{
    return pwrite(descriptor, data, bytes, offset);
}

int fsync(int descriptor)
{
    char path[512];
    path_of(descriptor, path, sizeof path);
    if (fails("sync", path)) {
        return -1;
    }
    int result = REAL(fsync)(descriptor);
    if (result == 0) {
        judo_fault_note_synced(path);
    }
    return result;
}

int ftruncate(int descriptor, off_t length)
{
    char path[512];
    path_of(descriptor, path, sizeof path);
    if (fails("truncate", path)) {
        return -1;
    }
    judo_fault_note_written(path);
    return REAL(ftruncate)(descriptor, length);
}

int ftruncate64(int descriptor, off64_t length)
{
    return ftruncate(descriptor, length);
}

int rename(const char *from, const char *to)
{
    if (fails("rename", to)) {
        return -1;
    }
    judo_fault_note_renaming(from, to);
    return REAL(rename)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    if (fails("mkdir", path)) {
        return -1;
    }
    int result = REAL(mkdir)(path, mode);
    if (result == 0) {
        judo_fault_note_created(path);
    }
    return result;
}

int unlinkat(int folder, const char *name, int flags)
{
    char path[512];
    path_of(folder, path, sizeof path);
    return fails("unlink", path) ? -1 : REAL(unlinkat)(folder, name, flags);
}

int rmdir(const char *path)
{
    return fails("unlink", path) ? -1 : REAL(rmdir)(path);
}

/* JUDO_FAULT_FREE: what the file system pretends to have. */
int statvfs(const char *path, struct statvfs *out)
{
    int result = REAL(statvfs)(path, out);
    const char *bytes = getenv("JUDO_FAULT_FREE");
    if (result == 0 && plan.wanted && bytes != NULL) {
        out->f_frsize = 1;
        out->f_bavail = (fsblkcnt_t)atoll(bytes);
    }
    return result;
}

int statvfs64(const char *path, struct statvfs64 *out)
{
    return statvfs(path, (struct statvfs *)out);
}

/* Messages: each is one point of a step's schedule. */
int MPI_Isend(const void *data, int number, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    (void)strike("message", "");
    return REAL(MPI_Isend)(data, number, type, to, tag, comm, request);
}

/* True if the caller's code is the program's own, not a library's. */
static int find_program(struct dl_phdr_info *info, size_t size, void *context)
{
    uintptr_t *range = context;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            range[0] = info->dlpi_addr + part->p_vaddr;
            range[1] = range[0] + part->p_memsz;
        }
    }
    return 1; /* the first entry is the program */
}

static bool is_program(const void *caller)
{
    static uintptr_t range[2];
    if (range[1] == 0) {
        (void)dl_iterate_phdr(find_program, range);
    }
    return (uintptr_t)caller >= range[0] && (uintptr_t)caller < range[1];
}

static bool has_no_memory(const void *caller)
{
    return plan.ready && plan.wanted && strstr(plan.calls, ",memory,") != NULL &&
           is_program(caller) && fails("memory", "");
}

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);

void *malloc(size_t bytes)
{
    return has_no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes)
{
    return has_no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(number, bytes);
}

void *realloc(void *block, size_t bytes)
{
    return has_no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(block, bytes);
}

char *strdup(const char *text)
{
    return has_no_memory(__builtin_return_address(0)) ? NULL : REAL(strdup)(text);
}

char *strndup(const char *text, size_t most)
{
    return has_no_memory(__builtin_return_address(0)) ? NULL : REAL(strndup)(text, most);
}

int asprintf(char **out, const char *format, ...)
{
    if (has_no_memory(__builtin_return_address(0))) {
        return -1;
    }
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(out, format, arguments);
    va_end(arguments);
    return length;
}
