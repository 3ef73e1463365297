/* eval/mmad_score.c: counting, and the table's three kinds of mean. */
#include "eval/mmad_score.h"

#include <math.h>
#include <string.h>

_Static_assert(sizeof(judo_mmad_counts) % sizeof(int64_t) == 0, "only int64_t inside");

const char *const judo_mmad_column_keys[JUDO_MMAD_NUM_COLUMNS] = {
    "discrimination", "classification",        "localization",    "description",
    "analysis",       "object_classification", "object_analysis", "average"};

const char *const judo_mmad_column_titles[JUDO_MMAD_NUM_COLUMNS] = {
    "Discrimination", "Classification", "Localization",    "Description",
    "Analysis",       "Object class",   "Object analysis", "Average"};

judo_status judo_mmad_subtask_of(const char *type, judo_mmad_subtask *out)
{
    static const struct {
        const char *type;
        judo_mmad_subtask subtask;
    } names[] = {
        {"Anomaly Detection", JUDO_MMAD_DISCRIMINATION},
        {"Anomaly Discrimination", JUDO_MMAD_DISCRIMINATION},
        {"Defect Classification", JUDO_MMAD_CLASSIFICATION},
        {"Defect Localization", JUDO_MMAD_LOCALIZATION},
        {"Defect Description", JUDO_MMAD_DESCRIPTION},
        {"Defect Analysis", JUDO_MMAD_ANALYSIS},
        {"Object Classification", JUDO_MMAD_OBJECT_CLASSIFICATION},
        {"Object Analysis", JUDO_MMAD_OBJECT_ANALYSIS},
        {"Object Structure", JUDO_MMAD_OBJECT_ANALYSIS},
        {"Object Details", JUDO_MMAD_OBJECT_ANALYSIS},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(type, names[i].type) == 0) {
            *out = names[i].subtask;
            return JUDO_OK;
        }
    }
    return JUDO_FAIL(
        JUDO_ERROR_FORMAT,
        "question type \"%.60s\" is none of MMAD's (\"Anomaly Detection\", \"Defect "
        "Classification\" ..)",
        type);
}

void judo_mmad_add(judo_mmad_counts *counts, int dataset, judo_mmad_subtask subtask,
                   bool is_normal, char gold, char predicted)
{
    judo_mmad_cell *cell = &counts->questions[dataset][subtask][is_normal ? 1 : 0];
    cell->total++;
    if (predicted == 0) {
        cell->invalid++;
    } else if (predicted == gold) {
        cell->correct++;
    }
}

void judo_mmad_add_cells(judo_mmad_counts *counts, judo_cells_state state,
                         const judo_cells *predicted, const judo_cells *gold)
{
    judo_cells_overlap overlap = judo_cells_overlap_of(predicted, gold);
    bool both_empty = state == JUDO_CELLS_READ && overlap.predicted == 0 && overlap.gold == 0;
    counts->segmented++;
    counts->well_formed += state == JUDO_CELLS_READ ? 1 : 0;
    counts->cells_common += overlap.common;
    counts->cells_predicted += overlap.predicted;
    counts->cells_gold += overlap.gold;
    counts->f1_billionths +=
        both_empty ? 1000000000 : (int64_t)llround(judo_cells_f1(overlap) * 1e9);
}

static double percent_of(judo_mmad_cell cell, bool official)
{
    int64_t total = cell.total - (official ? cell.invalid : 0);
    return total > 0 ? 100.0 * (double)cell.correct / (double)total : NAN;
}

/* Mean of the values that are there; NaN when none is. */
static double mean_of(const double *values, int count, int stride)
{
    double sum = 0;
    int present = 0;
    for (int i = 0; i < count; i++) {
        if (!isnan(values[i * stride])) {
            sum += values[i * stride];
            present++;
        }
    }
    return present > 0 ? sum / present : NAN;
}

static void dataset_row(const judo_mmad_cell questions[][2], bool official, double *row)
{
    for (int s = 0; s < JUDO_MMAD_NUM_SUBTASKS; s++) {
        judo_mmad_cell anomalous = questions[s][0];
        judo_mmad_cell normal = questions[s][1];
        if (s == JUDO_MMAD_DISCRIMINATION) {
            row[s] = 0.5 * (percent_of(normal, official) + percent_of(anomalous, official));
        } else {
            judo_mmad_cell both = {anomalous.correct + normal.correct,
                                   anomalous.total + normal.total,
                                   anomalous.invalid + normal.invalid};
            row[s] = percent_of(both, official);
        }
    }
    row[JUDO_MMAD_AVERAGE] = mean_of(row, JUDO_MMAD_NUM_SUBTASKS, 1);
}

void judo_mmad_table_of(const judo_mmad_counts *counts, int num_datasets, bool official,
                        judo_mmad_table *out)
{
    out->num_datasets = num_datasets;
    for (int d = 0; d < num_datasets; d++) {
        dataset_row(counts->questions[d], official, out->percent[d]);
    }
    for (int c = 0; c < JUDO_MMAD_NUM_COLUMNS; c++) {
        out->percent[num_datasets][c] =
            mean_of(&out->percent[0][c], num_datasets, JUDO_MMAD_NUM_COLUMNS);
    }
}

static double ratio(int64_t part, int64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : NAN;
}

judo_segmentation_metrics judo_mmad_segmentation(const judo_mmad_counts *counts)
{
    judo_segmentation_metrics metrics = {
        .completions = counts->segmented,
        .well_formed = ratio(counts->well_formed, counts->segmented),
        .precision = ratio(counts->cells_common, counts->cells_predicted),
        .recall = ratio(counts->cells_common, counts->cells_gold),
        .f1 = ratio(2 * counts->cells_common, counts->cells_predicted + counts->cells_gold),
        .mean_f1 = counts->segmented > 0
                       ? (double)counts->f1_billionths / (1e9 * (double)counts->segmented)
                       : NAN,
    };
    return metrics;
}
