/* tests/fuzz/fuzz_safetensors.c: a file that opens can be read to its last element. */
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/safetensors.h"
#include "tests/fuzz/fuzz.h"

const fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\x02\0\0\0\0\0\0\0{}"),
    FUZZ_SEED("\x38\0\0\0\0\0\0\0"
              "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  "
              "\0\0\0\0\0\0\x80\x3f"),
    FUZZ_SEED("\x73\0\0\0\0\0\0\0"
              "{\"a\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[0,4]},"
              "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[4,12]}}     "
              "abcd12345678"),
    FUZZ_SEED("\x57\0\0\0\0\0\0\0"
              "{\"__metadata__\":{\"format\":\"pt\"},"
              "\"e\":{\"dtype\":\"F16\",\"shape\":[0,3],\"data_offsets\":[0,0]}}"),
    {NULL, 0},
};

static void read_all(const judo_safetensors *file)
{
    for (int i = 0; i < judo_safetensors_count(file); i++) {
        const judo_safetensors_entry *entry = judo_safetensors_entry_at(file, i);
        int64_t count = (entry->end - entry->begin) / judo_dtype_bytes(entry->dtype);
        FUZZ_CHECK(count <= 4096 && judo_safetensors_find(file, entry->name) == entry);
        float *values = malloc((size_t)count * sizeof *values + 1);
        FUZZ_CHECK(values != NULL);
        FUZZ_CHECK(judo_safetensors_read(file, entry, 0, count, values) == JUDO_OK);
        FUZZ_CHECK(judo_safetensors_read(file, entry, 0, count + 1, values) != JUDO_OK);
        free(values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(descriptor >= 0 && write(descriptor, data, size) == (ssize_t)size);
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    judo_safetensors *file = NULL;
    if (judo_safetensors_open(path, &file) == JUDO_OK) {
        read_all(file);
    } else {
        FUZZ_CHECK(file == NULL);
    }
    judo_safetensors_close(&file);
    (void)close(descriptor);
    return 0;
}
