/* eval/summary_table.c: evaluations side by side. */
#include "eval/summary_table.h"

#include <math.h>

/* Questions answered right among all that were asked, in percent. */
static double choice_accuracy(const judo_eval_result *result)
{
    int64_t correct = 0, total = 0;
    for (int d = 0; d < result->num_datasets; d++) {
        for (int s = 0; s < JUDO_MMAD_NUM_SUBTASKS; s++) {
            for (int normal = 0; normal < 2; normal++) {
                const judo_mmad_cell *cell = &result->counts.questions[d][s][normal];
                correct += cell->correct;
                total += cell->total - (result->official ? cell->invalid : 0);
            }
        }
    }
    return total > 0 ? 100.0 * (double)correct / (double)total : NAN;
}

static void put(FILE *out, double value, int decimals)
{
    if (isnan(value)) {
        (void)fprintf(out, "  %11s", "-");
    } else {
        (void)fprintf(out, "  %11.*f", decimals, value);
    }
}

void judo_summary_table_print(FILE *out, const judo_eval_result *const *results, int count)
{
    (void)fprintf(out, "%-24s  %11s  %11s  %11s  %11s  %11s\n", "", "seg. F1", "domain loss",
                  "reward", "choice %", "MMAD avg %");
    for (int i = 0; i < count; i++) {
        judo_mmad_table table;
        judo_mmad_table_of(&results[i]->counts, results[i]->num_datasets, results[i]->official,
                           &table);
        (void)fprintf(out, "%-24.24s", results[i]->title);
        put(out, judo_mmad_segmentation(&results[i]->counts).mean_f1, 3);
        put(out, results[i]->qa_loss, 3);
        put(out, results[i]->total_reward, 3);
        put(out, choice_accuracy(results[i]), 1);
        put(out, table.percent[results[i]->num_datasets][JUDO_MMAD_AVERAGE], 1);
        (void)fputc('\n', out);
    }
}
