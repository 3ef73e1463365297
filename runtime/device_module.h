/* runtime/device_module.h: what a device module, a shared object opened at run time, exports,
 * and what it gets from the program. The program never links the module: it starts without. */
#ifndef JUDO_RUNTIME_DEVICE_MODULE_H
#define JUDO_RUNTIME_DEVICE_MODULE_H

#include "runtime/device.h"

/* Raised whenever a type that crosses the border changes its meaning. */
enum { JUDO_DEVICE_MODULE_ABI = 4 };

/* The name of the one symbol, a judo_device_module. */
#define JUDO_DEVICE_MODULE_SYMBOL "judo_device_module_table"

/* What the program lends to the module. */
typedef struct judo_device_host {
    /* Records a failure as judo_fail_at does; the message is complete. */
    void (*fail)(const char *source_file, int source_line, const char *message);
} judo_device_host;

typedef struct judo_device_module {
    int32_t abi;                     /* JUDO_DEVICE_MODULE_ABI when the module was built */
    int32_t device_bytes, ops_bytes; /* sizes of judo_device and judo_ops then */
    const char *version;             /* judo's version then */
    /* The device with this number, or a failure that says what is missing. Called once. */
    judo_status (*open)(const judo_device_host *host, int index, const judo_device **device);
} judo_device_module;

#endif
