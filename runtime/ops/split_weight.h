/* runtime/ops/split_weight.h: an fp32 number as its nearest bf16 and the 16 bits between the
 * two. Ties go away from zero: to nearest even, two numbers would share their halves. */
#ifndef JUDO_RUNTIME_OPS_SPLIT_WEIGHT_H
#define JUDO_RUNTIME_OPS_SPLIT_WEIGHT_H

#include <stdint.h>
#include <string.h>

#include "runtime/host_device.h"

/* `high` as a bf16 number; `low` is what its 32 bits lack, as a signed number. */
typedef struct judo_split_weight {
    uint16_t high, low;
} judo_split_weight;

static inline JUDO_HD judo_split_weight judo_weight_split(float weight)
{
    uint32_t bits;
    judo_split_weight halves;
    memcpy(&bits, &weight, sizeof bits);
    halves.high = (uint16_t)((bits + 0x8000u) >> 16);
    halves.low = (uint16_t)bits;
    return halves;
}

/* Every fp32 number comes back with its bits. */
static inline JUDO_HD float judo_weight_join(uint16_t high, uint16_t low)
{
    uint32_t bits = ((uint32_t)high << 16) + low - ((uint32_t)(low >> 15) << 16);
    float weight;
    memcpy(&weight, &bits, sizeof weight);
    return weight;
}

#endif
