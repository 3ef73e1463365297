/* stages/memory_plan.c: sums of what the parts of a job say that they take. */
#include "stages/memory_plan.h"

#include "data/batch_builder.h"
#include "models/generate.h"

static double megabytes(int64_t bytes)
{
    return 1e-6 * (double)bytes;
}

void judo_memory_plan_job(const judo_job *job)
{
    judo_zero3_bytes bytes = judo_zero3_allocated(job->zero);
    int64_t activations = judo_model_activation_bytes(job->model);
    int64_t exchange = job->comm->scratch_bytes + judo_zero3_exchange_bytes(job->zero);
    JUDO_INFO("memory     %.1f MB per rank: weights %.1f, gradients %.1f, moments %.1f, unit "
              "buffers %.1f, activations %.1f, exchange %.1f",
              megabytes(bytes.total + activations + exchange),
              megabytes(bytes.weights + bytes.compute), megabytes(bytes.gradients),
              megabytes(bytes.moments), megabytes(bytes.gathered + bytes.gradient_buffer),
              megabytes(activations), megabytes(exchange));
}

void judo_memory_plan_batches(const judo_job *job, int64_t num_batches)
{
    int64_t each = judo_batch_builder_bytes(job->processor, job->config->train.max_tokens,
                                            job->config->train.max_patches);
    JUDO_INFO("memory     up to %.1f MB more per rank: %lld batches of up to %.1f",
              megabytes(num_batches * each), (long long)num_batches, megabytes(each));
}

void judo_memory_plan_rollout(const judo_job *job, const judo_zero3 *reference,
                              const judo_text_embedder *encoder, int32_t num_prompts)
{
    const judo_train_config *config = job->config;
    int64_t kept =
        reference ? judo_zero3_allocated(reference).total + judo_zero3_exchange_bytes(reference)
                  : 0;
    int64_t of_encoder = encoder ? judo_text_embedder_bytes(encoder) : 0;
    int64_t whole = judo_zero3_resident_bytes(job->zero);
    int32_t rows = num_prompts * (int32_t)config->grpo.group_size;
    int64_t drawing = judo_generate_bytes(job->model, num_prompts * config->train.max_tokens,
                                          rows, (int32_t)config->grpo.max_new_tokens);
    JUDO_INFO("memory     %.1f MB more per rank: reference model %.1f, reward's encoder %.1f",
              megabytes(kept + of_encoder), megabytes(kept), megabytes(of_encoder));
    JUDO_INFO("memory     up to %.1f MB more per rank while completions are drawn: whole "
              "weights %.1f, keys and values, packed weights and logits %.1f",
              megabytes(whole + drawing), megabytes(whole), megabytes(drawing));
}
