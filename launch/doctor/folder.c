/* launch/doctor/folder.c: whether a folder can hold runs: space, and what checkpoints and the
 * lock of a run ask of its file system. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "runtime/file.h"
#include "runtime/log.h"

enum { PATH_BYTES = 4096, PROBE_BYTES = 1 << 20 };

static const char area[] = "folders";

static const char *type_name(long magic)
{
    static const struct {
        long magic;
        const char *name;
    } types[] = {
        {0xEF53, "ext"},
        {0x58465342, "xfs"},
        {0x9123683E, "btrfs"},
        {0x01021994, "tmpfs"},
        {0x794c7630, "overlay"},
        {0x6969, "NFS"},
        {0x0BD00BD0, "Lustre"},
        {0x47504653, "GPFS"},
        {0x19830326, "BeeGFS"},
        {0x00c36400, "Ceph"},
        {0x65735546, "FUSE"},
        {0x2FC12FC1, "ZFS"},
        {(long)0xFF534D42, "CIFS"},
    };

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].magic == magic) {
            return types[i].name;
        }
    }
    return "unknown";
}

static void look_at_space(FILE *out, const char *folder)
{
    struct statfs facts;
    int64_t free_bytes = 0;
    if (statfs(folder, &facts) != 0 || judo_file_free_bytes(folder, &free_bytes) != JUDO_OK) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area, NULL, "%.200s: its file system: %s",
                        folder, strerror(errno));
        return;
    }
    bool in_memory = facts.f_type == 0x01021994;
    bool is_small = free_bytes < 1000000000;
    judo_doctor_say(out, in_memory || is_small ? JUDO_FINDING_WARN : JUDO_FINDING_OK, area,
                    in_memory  ? "put runs on a disk: this folder lies in memory and is gone "
                                 "with the machine"
                    : is_small ? "checkpoints take 12 bytes for each trained weight, and as "
                                 "many are there at once as run.keep_last says, and one more"
                               : NULL,
                    "%.200s: %s file system, %.1f GB free", folder,
                    type_name((long)facts.f_type), 1e-9 * (double)free_bytes);
}

/* The system's word on the step that failed; the file is gone on return. */
static void say_step(FILE *out, const char *folder, const char *step, const char *remedy)
{
    judo_doctor_say(out, JUDO_FINDING_BAD, area, remedy, "%.200s: %s: %s", folder, step,
                    strerror(errno));
}

static bool write_and_sync(FILE *out, const char *folder, int file)
{
    char *bytes = calloc(1, PROBE_BYTES);
    bool written = bytes != NULL && pwrite(file, bytes, PROBE_BYTES, 0) == PROBE_BYTES;
    free(bytes);
    if (!written) {
        say_step(out, folder, "a file of 1 MB cannot be written", "free space, or a quota?");
        return false;
    }
    double begin = judo_clock();
    if (fsync(file) != 0) {
        say_step(out, folder, "fsync fails, so no checkpoint can be trusted",
                 "choose another file system for runs");
        return false;
    }
    judo_doctor_say(out, JUDO_FINDING_OK, area, NULL,
                    "%.200s: files are written and synced (1 MB in %.3f s)", folder,
                    judo_clock() - begin);
    return true;
}

static void lock_and_rename(FILE *out, const char *folder, int file, const char *path)
{
    char renamed[PATH_BYTES + 8];
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        say_step(out, folder, "files cannot be locked, which every run does",
                 "mount it with locks (Lustre: -o flock), or choose another folder");
        return;
    }
    (void)snprintf(renamed, sizeof renamed, "%s.new", path);
    if (rename(path, renamed) != 0) {
        say_step(out, folder, "files cannot be renamed, which ends every checkpoint",
                 "choose another file system for runs");
        return;
    }
    (void)unlink(renamed);
    judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "%.200s: locks and renames work", folder);
}

void judo_doctor_folder(FILE *out, const judo_doctor_request *request)
{
    const char *folder = request->folders[request->index];
    char path[PATH_BYTES];
    struct stat facts;
    if (stat(folder, &facts) != 0 || !S_ISDIR(facts.st_mode)) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area, "create it, or name another",
                        "%.200s: is no folder", folder);
        return;
    }
    look_at_space(out, folder);
    if (snprintf(path, sizeof path, "%s/.judo-doctor-XXXXXX", folder) >= PATH_BYTES) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area, NULL, "%.200s: too long a path", folder);
        return;
    }
    int file = mkostemp(path, O_CLOEXEC);
    if (file < 0) {
        say_step(out, folder, "no file can be made",
                 "data may be read from here, but runs need a folder that can be written");
        return;
    }
    if (write_and_sync(out, folder, file)) {
        lock_and_rename(out, folder, file, path);
    }
    (void)close(file);
    (void)unlink(path);
}
