/* runtime/ops/ops.c: what holds for the table of every backend. */
#include "runtime/ops/ops.h"

#define SLOT(name)                                                                             \
    {                                                                                          \
#name, ops->name != NULL                                                               \
    }

judo_status judo_ops_check(const judo_ops *ops)
{
    const struct {
        const char *name;
        bool filled;
    } slots[] = {
        SLOT(linear_forward),
        SLOT(linear_packed_bytes),
        SLOT(linear_pack),
        SLOT(linear_backward),
        SLOT(rmsnorm_forward),
        SLOT(rmsnorm_backward),
        SLOT(layernorm_forward),
        SLOT(split_heads),
        SLOT(join_heads),
        SLOT(attention_forward),
        SLOT(attention_backward),
        SLOT(attention_decode),
        SLOT(swiglu_forward),
        SLOT(swiglu_backward),
        SLOT(gelu_forward),
        SLOT(gelu_backward),
        SLOT(add),
        SLOT(convert),
        SLOT(gather_rows),
        SLOT(scatter_rows),
        SLOT(scatter_add_rows),
        SLOT(head_loss),
        SLOT(sample),
        SLOT(gather_drawn_rows),
        SLOT(adamw),
        SLOT(sum_of_squares),
        SLOT(add_rounded),
        SLOT(add_rmsnorm_forward),
        SLOT(patchify),
    };

    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        if (!slots[i].filled) {
            return JUDO_FAIL(JUDO_ERROR_UNSUPPORTED, "ops: the backend %s has no %s",
                             ops->name ? ops->name : "(unnamed)", slots[i].name);
        }
    }
    return JUDO_OK;
}
