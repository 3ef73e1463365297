/* parallel/run_lock.c: a lock file with its holder's name. */
#include "parallel/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "parallel/agree.h"
#include "runtime/file.h"

enum { HOLDER_BYTES = 320 };

struct judo_run_lock {
    int descriptor; /* -1 on ranks other than 0 */
};

static judo_status refuse(int descriptor, const char *folder)
{
    char holder[HOLDER_BYTES] = "";
    ssize_t length = pread(descriptor, holder, sizeof holder - 1, 0);
    holder[length > 0 ? length : 0] = '\0';
    holder[strcspn(holder, "\n")] = '\0';
    return JUDO_FAIL(
        JUDO_ERROR_ARGUMENT,
        "%s: another run is using this folder (%s); wait for it, end it, or choose "
        "another folder",
        folder, holder[0] ? holder : "just starting");
}

static judo_status sign(int descriptor, const char *path)
{
    char host[256] = "?";
    char holder[HOLDER_BYTES];
    (void)gethostname(host, sizeof host - 1);
    int length =
        snprintf(holder, sizeof holder, "host %s, process %ld\n", host, (long)getpid());
    if (ftruncate(descriptor, 0) != 0) {
        return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot write: %s", path, strerror(errno));
    }
    return judo_file_pwrite(descriptor, path, holder, (size_t)length, 0);
}

static judo_status take(const char *folder, int *descriptor)
{
    char *path = NULL;
    JUDO_TRY(judo_file_make_folder(folder));
    if (asprintf(&path, "%s/run.lock", folder) < 0) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", folder);
    }
    judo_status status = JUDO_OK;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0) {
        status = JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
    } else if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK
                     ? refuse(file, folder)
                     : JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot lock: %s", path, strerror(errno));
    } else {
        status = sign(file, path);
    }
    if (status == JUDO_OK) {
        *descriptor = file;
    } else if (file >= 0) {
        (void)close(file);
    }
    free(path);
    return status;
}

judo_status judo_run_lock_take(judo_comm *comm, const char *folder, judo_run_lock **out)
{
    judo_run_lock *lock = malloc(sizeof *lock);
    int descriptor = -1;
    judo_status status = JUDO_OK;
    if (lock == NULL) {
        status = JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a lock", folder);
    } else if (comm->rank == 0) {
        status = take(folder, &descriptor);
    }
    status = judo_agree(comm, status);
    if (lock == NULL || status != JUDO_OK) {
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
        free(lock);
        return status;
    }
    lock->descriptor = descriptor;
    *out = lock;
    return JUDO_OK;
}

void judo_run_lock_release(judo_run_lock **lock)
{
    judo_run_lock *held = *lock;
    if (held == NULL) {
        return;
    }
    if (held->descriptor >= 0) {
        (void)close(held->descriptor);
    }
    free(held);
    *lock = NULL;
}
