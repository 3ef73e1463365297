/* stages/memory_plan.c: sums of what the parts of a job say that they take. */
#include "stages/memory_plan.h"

#include "data/batch_builder.h"
#include "models/generate.h"

static double megabytes(int64_t bytes)
{
    return 1e-6 * (double)bytes;
}

/* What lies on the host beside a device with memory of its own, or would. */
static void print_host(const judo_job *job, int64_t offloaded, int64_t exchange)
{
    if (job->device->separate) {
        JUDO_INFO("memory     %.1f MB more per rank on the host: optimizer state %.1f, staging "
                  "and exchange %.1f",
                  megabytes(offloaded + exchange), megabytes(offloaded), megabytes(exchange));
    } else if (job->config->zero.offload_optimizer != 0) {
        JUDO_INFO(
            "memory     zero.offload_optimizer changes nothing on the CPU: the optimizer's "
            "state is in host memory anyway");
    }
}

void judo_memory_plan_job(const judo_job *job)
{
    judo_zero3_bytes bytes = judo_zero3_allocated(job->zero);
    const bool offloads = bytes.offloaded > 0;
    int64_t weights = bytes.compute + (offloads ? 0 : bytes.weights);
    int64_t moments = offloads ? 0 : bytes.moments;
    int64_t activations = judo_model_activation_bytes(job->model);
    int64_t exchange = job->comm->scratch_bytes + judo_zero3_exchange_bytes(job->zero);
    int64_t here = job->device->separate ? 0 : exchange;
    JUDO_INFO("memory     %.1f MB per rank%s: weights %.1f, gradients %.1f, moments %.1f, unit "
              "buffers %.1f, activations %.1f, exchange %.1f",
              megabytes(bytes.total + activations + here),
              job->device->separate ? " on the device" : "", megabytes(weights),
              megabytes(bytes.gradients), megabytes(moments),
              megabytes(bytes.gathered + bytes.gradient_buffer + bytes.tree),
              megabytes(activations), megabytes(here));
    print_host(job, bytes.offloaded, exchange);
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
    int64_t exchange = reference ? judo_zero3_exchange_bytes(reference) : 0;
    int64_t here = job->device->separate ? 0 : exchange;
    int64_t kept = reference ? judo_zero3_allocated(reference).total + here : 0;
    int64_t of_encoder = encoder ? judo_text_embedder_bytes(encoder) : 0;
    int64_t whole = judo_zero3_resident_bytes(job->zero);
    int32_t rows = num_prompts * (int32_t)config->grpo.group_size;
    int64_t drawing = judo_generate_bytes(job->model, num_prompts * config->train.max_tokens,
                                          rows, (int32_t)config->grpo.max_new_tokens,
                                          config->grpo.repetition_penalty != 1.0);
    JUDO_INFO("memory     %.1f MB more per rank: reference model %.1f, reward's encoder %.1f",
              megabytes(kept + of_encoder), megabytes(kept), megabytes(of_encoder));
    if (exchange > here) {
        print_host(job, 0, exchange);
    }
    JUDO_INFO("memory     up to %.1f MB more per rank while completions are drawn: whole "
              "weights %.1f, keys and values, packed weights and logits %.1f",
              megabytes(whole + drawing), megabytes(whole), megabytes(drawing));
}
