/* runtime/event_file.c: TFRecord frames around Event messages in protobuf wire format:
 * Event {1: double wall_time, 2: int64 step, 3: string file_version, 5: Summary, 7:
 * SessionLog}, Summary {1: repeated Value {1: string tag, 2: float simple_value}}. */
#include "runtime/event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/crc32c.h"
#include "runtime/file.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

typedef struct byte_buffer {
    unsigned char *bytes;
    size_t length, capacity;
    bool failed;
} byte_buffer;

struct judo_event_file {
    char *path;
    int descriptor;
    int64_t end;
    byte_buffer event, summary, value, record;
};

static void append(byte_buffer *b, const void *data, size_t bytes)
{
    if (b->failed || bytes == 0) {
        return;
    }
    if (b->length + bytes > b->capacity) {
        size_t capacity = 2 * (b->length + bytes) + 256;
        unsigned char *grown = realloc(b->bytes, capacity);
        if (grown == NULL) {
            b->failed = true;
            return;
        }
        b->bytes = grown;
        b->capacity = capacity;
    }
    memcpy(b->bytes + b->length, data, bytes);
    b->length += bytes;
}

static void append_varint(byte_buffer *b, uint64_t value)
{
    unsigned char text[10];
    size_t n = 0;
    do {
        text[n] = (unsigned char)((value & 0x7F) | (value > 0x7F ? 0x80 : 0));
        value >>= 7;
        n++;
    } while (value > 0);
    append(b, text, n);
}

static void append_tag(byte_buffer *b, int field, int wire)
{
    append_varint(b, (uint64_t)field << 3 | (uint64_t)wire);
}

static void append_bytes(byte_buffer *b, int field, const void *data, size_t bytes)
{
    append_tag(b, field, WIRE_BYTES);
    append_varint(b, bytes);
    append(b, data, bytes);
}

static void begin_event(byte_buffer *b, double wall_time, int64_t step)
{
    b->length = 0;
    append_tag(b, 1, WIRE_FIXED64);
    append(b, &wall_time, sizeof wall_time);
    append_tag(b, 2, WIRE_VARINT);
    append_varint(b, (uint64_t)step);
}

static uint32_t masked_crc(const void *data, size_t bytes)
{
    uint32_t crc = judo_crc32c(0, data, bytes);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

/* Frames file->event and writes it in one piece. */
static judo_status write_record(judo_event_file *file)
{
    byte_buffer *record = &file->record;
    uint64_t length = file->event.length;
    uint32_t length_crc = masked_crc(&length, sizeof length);
    uint32_t data_crc = masked_crc(file->event.bytes, file->event.length);
    record->length = 0;
    append(record, &length, sizeof length);
    append(record, &length_crc, sizeof length_crc);
    append(record, file->event.bytes, file->event.length);
    append(record, &data_crc, sizeof data_crc);
    if (file->event.failed || file->summary.failed || file->value.failed || record->failed) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for an event", file->path);
    }
    JUDO_TRY(judo_file_pwrite(file->descriptor, file->path, record->bytes, record->length,
                              file->end));
    file->end += (int64_t)record->length;
    return JUDO_OK;
}

static double wall_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static judo_status write_head(judo_event_file *file, int64_t resume_step)
{
    static const char version[] = "brain.Event:2";
    begin_event(&file->event, wall_seconds(), 0);
    append_bytes(&file->event, 3, version, sizeof version - 1);
    JUDO_TRY(write_record(file));
    if (resume_step < 0) {
        return JUDO_OK;
    }
    static const unsigned char session_start[] = {1 << 3 | WIRE_VARINT, 1};
    begin_event(&file->event, wall_seconds(), resume_step + 1);
    append_bytes(&file->event, 7, session_start, sizeof session_start);
    return write_record(file);
}

/* TensorBoard reads the files of a folder in the order of their names. */
static judo_status create(judo_event_file *file, const char *folder)
{
    char host[65] = "";
    (void)gethostname(host, sizeof host - 1);
    long long seconds = (long long)wall_seconds();
    for (int attempt = 0; file->descriptor < 0; attempt++) {
        free(file->path);
        file->path = NULL;
        if (asprintf(&file->path, "%s/events.out.tfevents.%010lld.%s.%ld.%d", folder, seconds,
                     host, (long)getpid(), attempt) < 0) {
            file->path = NULL;
            return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory for a file name", folder);
        }
        file->descriptor = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor < 0 && errno != EEXIST) {
            return JUDO_FAIL(JUDO_ERROR_IO, "%s: cannot create: %s", file->path,
                             strerror(errno));
        }
    }
    return JUDO_OK;
}

judo_status judo_event_file_open(const char *folder, int64_t resume_step, judo_event_file **out)
{
    JUDO_TRY(judo_file_make_folder(folder));
    judo_event_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return JUDO_FAIL(JUDO_ERROR_MEMORY, "%s: no memory", folder);
    }
    file->descriptor = -1;
    judo_status status = create(file, folder);
    if (status == JUDO_OK) {
        status = write_head(file, resume_step);
    }
    if (status != JUDO_OK) {
        judo_event_file_close(&file);
        return status;
    }
    *out = file;
    return JUDO_OK;
}

judo_status judo_event_file_write(judo_event_file *file, int64_t step, double wall_time,
                                  const judo_scalar *scalars, int count)
{
    begin_event(&file->event, wall_time, step);
    file->summary.length = 0;
    for (int i = 0; i < count; i++) {
        float value = (float)scalars[i].value;
        file->value.length = 0;
        append_bytes(&file->value, 1, scalars[i].name, strlen(scalars[i].name));
        append_tag(&file->value, 2, WIRE_FIXED32);
        append(&file->value, &value, sizeof value);
        append_bytes(&file->summary, 1, file->value.bytes, file->value.length);
    }
    append_bytes(&file->event, 5, file->summary.bytes, file->summary.length);
    return write_record(file);
}

void judo_event_file_close(judo_event_file **file)
{
    if (file == NULL || *file == NULL) {
        return;
    }
    judo_event_file *f = *file;
    if (f->descriptor >= 0) {
        (void)close(f->descriptor);
    }
    free(f->event.bytes);
    free(f->summary.bytes);
    free(f->value.bytes);
    free(f->record.bytes);
    free(f->path);
    free(f);
    *file = NULL;
}
