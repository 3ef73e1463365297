/* runtime/ops/ops_cpu.c: the table of the CPU backend. */
#include "runtime/ops/cpu.h"

const judo_ops *judo_ops_cpu(void)
{
    static const judo_ops table = {
        .name = "cpu",
        .linear_forward = judo_cpu_linear_forward,
        .linear_packed_bytes = judo_cpu_linear_packed_bytes,
        .linear_pack = judo_cpu_linear_pack,
        .linear_backward = judo_cpu_linear_backward,
        .rmsnorm_forward = judo_cpu_rmsnorm_forward,
        .rmsnorm_backward = judo_cpu_rmsnorm_backward,
        .layernorm_forward = judo_cpu_layernorm_forward,
        .split_heads = judo_cpu_split_heads,
        .join_heads = judo_cpu_join_heads,
        .attention_forward = judo_cpu_attention_forward,
        .attention_backward = judo_cpu_attention_backward,
        .attention_decode = judo_cpu_attention_decode,
        .swiglu_forward = judo_cpu_swiglu_forward,
        .swiglu_backward = judo_cpu_swiglu_backward,
        .gelu_forward = judo_cpu_gelu_forward,
        .gelu_backward = judo_cpu_gelu_backward,
        .add = judo_cpu_add,
        .convert = judo_cpu_convert,
        .gather_rows = judo_cpu_gather_rows,
        .scatter_rows = judo_cpu_scatter_rows,
        .scatter_add_rows = judo_cpu_scatter_add_rows,
        .head_loss = judo_cpu_head_loss,
        .sample = judo_cpu_sample,
        .gather_drawn_rows = judo_cpu_gather_drawn_rows,
        .adamw = judo_cpu_adamw,
        .sum_of_squares = judo_cpu_sum_of_squares,
        .add_rounded = judo_cpu_add_rounded,
        .add_rmsnorm_forward = judo_cpu_add_rmsnorm_forward,
        .patchify = judo_cpu_patchify,
    };
    return &table;
}
