/* runtime/ops/cuda/ops.cu: the table of the CUDA backend. */
#include "runtime/ops/cuda/cuda.h"

const judo_ops *judo_ops_cuda(void)
{
    static const judo_ops table = {
        .name = "cuda",
        .linear_forward = judo_cuda_linear_forward,
        .linear_packed_bytes = judo_cuda_linear_packed_bytes,
        .linear_pack = judo_cuda_linear_pack,
        .linear_backward = judo_cuda_linear_backward,
        .rmsnorm_forward = judo_cuda_rmsnorm_forward,
        .rmsnorm_backward = judo_cuda_rmsnorm_backward,
        .layernorm_forward = judo_cuda_layernorm_forward,
        .split_heads = judo_cuda_split_heads,
        .join_heads = judo_cuda_join_heads,
        .attention_forward = judo_cuda_attention_forward,
        .attention_backward = judo_cuda_attention_backward,
        .attention_decode = judo_cuda_attention_decode,
        .swiglu_forward = judo_cuda_swiglu_forward,
        .swiglu_backward = judo_cuda_swiglu_backward,
        .gelu_forward = judo_cuda_gelu_forward,
        .gelu_backward = judo_cuda_gelu_backward,
        .add = judo_cuda_add,
        .convert = judo_cuda_convert,
        .gather_rows = judo_cuda_gather_rows,
        .scatter_rows = judo_cuda_scatter_rows,
        .scatter_add_rows = judo_cuda_scatter_add_rows,
        .head_loss = judo_cuda_head_loss,
        .sample = judo_cuda_sample,
        .gather_drawn_rows = judo_cuda_gather_drawn_rows,
        .adamw = judo_cuda_adamw,
        .sum_of_squares = judo_cuda_sum_of_squares,
        .add_rounded = judo_cuda_add_rounded,
        .add_rmsnorm_forward = judo_cuda_add_rmsnorm_forward,
        .patchify = judo_cuda_patchify,
    };
    return &table;
}
