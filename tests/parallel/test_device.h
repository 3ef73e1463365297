/* tests/parallel/test_device.h: the device that a test runs on, and host copies of its memory:
 * the CPU; the one of the module that JUDO_DEVICE_MODULE names (its first, or with
 * JUDO_TEST_GPU_PER_RANK another for each rank); or with JUDO_TEST_FAKE_DEVICE the one of
 * fake_device.h (collective the first time). */
#ifndef JUDO_TESTS_PARALLEL_TEST_DEVICE_H
#define JUDO_TESTS_PARALLEL_TEST_DEVICE_H

#include "runtime/device.h"

/* Ends the program if there is no such device. */
const judo_device *test_device(void);

/* Memory of the device with this content; release it with the device. */
void *test_device_put(const void *content, int64_t bytes);
/* The other way, into memory that is there already. */
void test_device_write(void *to, const void *content, int64_t bytes);
/* A copy of the device's memory; free() it. */
void *test_device_get(const void *memory, int64_t bytes);
/* The same where memory may be short; free() *out after a failure, too. */
judo_status test_device_read(const void *memory, int64_t bytes, void **out) JUDO_MUST_CHECK;

#endif
