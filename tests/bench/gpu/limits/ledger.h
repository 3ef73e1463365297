/* tests/bench/gpu/limits/ledger.h: a device that computes nothing and writes down what each op
 * would cost on one H200 if its kernels reached the limits: floating-point operations, bytes
 * moved, kernels started. Its clock moves by that. Nothing here is a measurement. */
#ifndef JUDO_TESTS_BENCH_GPU_LIMITS_LEDGER_H
#define JUDO_TESTS_BENCH_GPU_LIMITS_LEDGER_H

#include "runtime/device.h"

/* Where the time goes. */
typedef enum ledger_kind {
    LEDGER_PRODUCT,
    LEDGER_ATTENTION,
    LEDGER_ELEMENTWISE, /* norms, activations, rotations, rows, sums */
    LEDGER_HEAD,        /* the head with its loss or its draws */
    LEDGER_OPTIMIZER,
    LEDGER_COPY,
    LEDGER_LAUNCH, /* kernels that start one behind the other */
    LEDGER_KINDS,
} ledger_kind;

/* A kernel at its limit: whichever takes longer, its operations at `rate` (per second) or its
 * bytes at the memory's rate; and `kernels` starts. */
void ledger_add(ledger_kind kind, double operations, double rate, double bytes, int kernels);

/* Seconds by kind since the last ledger_clear. */
const double *ledger_seconds(void);
void ledger_clear(void);
const char *ledger_kind_name(ledger_kind kind);

/* Rates of one H200: what products, cuDNN's attention and copies are known to reach. */
#define LEDGER_PRODUCT_RATE            790e12
#define LEDGER_ATTENTION_FORWARD_RATE  484e12
#define LEDGER_ATTENTION_BACKWARD_RATE 370e12
#define LEDGER_MEMORY_RATE             4.3e12
#define LEDGER_HOST_RATE               50e9
/* From the end of a kernel to the work of the next in one queue. */
#define LEDGER_START_SECONDS 1.5e-6
#define LEDGER_MEMORY_BYTES  150700000000

const judo_ops *ledger_ops(void);
const judo_device *ledger_device(void);
/* Whether an address is of the device's memory. */
bool ledger_owns(const void *address);

#endif
