/* eval/mmad_score.h: MMAD's accuracy table and the segmentation metrics, from counts that ranks
 * can add up. */
#ifndef JUDO_EVAL_MMAD_SCORE_H
#define JUDO_EVAL_MMAD_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "rewards/segmentation_math.h"
#include "runtime/status.h"

typedef enum judo_mmad_subtask {
    JUDO_MMAD_DISCRIMINATION, /* "Anomaly Detection" in the data */
    JUDO_MMAD_CLASSIFICATION,
    JUDO_MMAD_LOCALIZATION,
    JUDO_MMAD_DESCRIPTION,
    JUDO_MMAD_ANALYSIS,
    JUDO_MMAD_OBJECT_CLASSIFICATION,
    JUDO_MMAD_OBJECT_ANALYSIS, /* with Object Structure and Object Details */
    JUDO_MMAD_NUM_SUBTASKS,
    JUDO_MMAD_AVERAGE = JUDO_MMAD_NUM_SUBTASKS, /* of the columns above */
    JUDO_MMAD_NUM_COLUMNS
} judo_mmad_subtask;

enum { JUDO_MMAD_MAX_DATASETS = 64 };

/* Short names for JSON ("discrimination"), by judo_mmad_subtask, then "average". */
extern const char *const judo_mmad_column_keys[JUDO_MMAD_NUM_COLUMNS];
/* Names for people ("Discrimination"). */
extern const char *const judo_mmad_column_titles[JUDO_MMAD_NUM_COLUMNS];

/* MMAD's question type to subtask; JUDO_ERROR_FORMAT for an unknown one. */
judo_status judo_mmad_subtask_of(const char *type, judo_mmad_subtask *out) JUDO_MUST_CHECK;

typedef struct judo_mmad_cell {
    int64_t correct, total, invalid; /* total counts the invalid ones */
} judo_mmad_cell;

/* Nothing but int64_t, so that ranks add it up as one array; all zero is the start. Data sets
 * are counted by an index that all ranks agree on. */
typedef struct judo_mmad_counts {
    judo_mmad_cell questions[JUDO_MMAD_MAX_DATASETS][JUDO_MMAD_NUM_SUBTASKS][2]; /* [normal] */
    /* Per completion whose sample has cells: */
    int64_t segmented, well_formed; /* completions; those with a readable tag */
    int64_t cells_common, cells_predicted, cells_gold;
    int64_t f1_billionths; /* sum of the F1 of each; both empty counts 1 */
} judo_mmad_counts;

enum { JUDO_MMAD_COUNTS_LENGTH = sizeof(judo_mmad_counts) / sizeof(int64_t) };

/* predicted: a letter, or 0 when the answer could not be read. */
void judo_mmad_add(judo_mmad_counts *counts, int dataset, judo_mmad_subtask subtask,
                   bool is_normal, char gold, char predicted);
void judo_mmad_add_cells(judo_mmad_counts *counts, judo_cells_state state,
                         const judo_cells *predicted, const judo_cells *gold);

/* Accuracies in percent; NaN where there were no questions. Row num_datasets is the unweighted
 * mean of the rows above that have the column. */
typedef struct judo_mmad_table {
    int num_datasets;
    double percent[JUDO_MMAD_MAX_DATASETS + 1][JUDO_MMAD_NUM_COLUMNS];
} judo_mmad_table;

/* official: unreadable answers are left out, as MMAD's own script does (without its skipping of
 * the row behind each); otherwise they are wrong. */
void judo_mmad_table_of(const judo_mmad_counts *counts, int num_datasets, bool official,
                        judo_mmad_table *out);

typedef struct judo_segmentation_metrics {
    int64_t completions;
    double well_formed;           /* shares and scores, 0 to 1; NaN without completions */
    double precision, recall, f1; /* over all cells of all images */
    double mean_f1;               /* mean over images */
} judo_segmentation_metrics;

judo_segmentation_metrics judo_mmad_segmentation(const judo_mmad_counts *counts);

#endif
