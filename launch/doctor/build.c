/* launch/doctor/build.c: what this program is, and whether it fits this processor. */
#include <string.h>

#include "launch/doctor/finding.h"
#include "launch/doctor/probes.h"
#include "runtime/hdf5_file.h"

static const char area[] = "build";

/* Instruction sets that the compiler was free to use, and that are missing here. */
static const char *missing_instructions(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
#ifdef __AVX2__
    if (!__builtin_cpu_supports("avx2")) {
        return "AVX2";
    }
#endif
#ifdef __FMA__
    if (!__builtin_cpu_supports("fma")) {
        return "FMA";
    }
#endif
#ifdef __AVX512F__
    if (!__builtin_cpu_supports("avx512f")) {
        return "AVX-512";
    }
#endif
#ifdef __AVX512VL__
    if (!__builtin_cpu_supports("avx512vl")) {
        return "AVX-512 VL";
    }
#endif
#ifdef __AVX512BF16__
    if (!__builtin_cpu_supports("avx512bf16")) {
        return "AVX-512 BF16";
    }
#endif
#endif
    return NULL;
}

static const char *instructions(void)
{
#if defined(__AVX512BF16__)
    return "AVX-512 with bf16";
#elif defined(__AVX512F__)
    return "AVX-512";
#elif defined(__AVX2__)
    return "AVX2";
#else
    return "the baseline's instructions";
#endif
}

void judo_doctor_build(FILE *out, const judo_doctor_request *request)
{
    (void)request;
    const char *missing = missing_instructions();
    char hdf5[32];
    judo_hdf5_version(hdf5, sizeof hdf5);
    judo_doctor_say(out, JUDO_FINDING_OK, area, NULL, "judo %s, compiled for %s by %s; HDF5 %s",
                    JUDO_VERSION, instructions(), "compiler " __VERSION__, hdf5);
    if (missing != NULL) {
        judo_doctor_say(out, JUDO_FINDING_BAD, area,
                        "build on a machine like those that run it, or with "
                        "-DJUDO_ARCH=x86-64-v3",
                        "was compiled for a processor with %s, which this one lacks", missing);
    }
#ifndef __OPTIMIZE__
    judo_doctor_say(out, JUDO_FINDING_WARN, area, "use the preset cpu or cuda for real work",
                    "is compiled without optimisation");
#endif
#ifdef __SANITIZE_ADDRESS__
    judo_doctor_say(out, JUDO_FINDING_WARN, area, "use the preset cpu or cuda for real work",
                    "is compiled with sanitizers, which are slow");
#endif
}
