/* tests/eval/test_mmad_score.c: the accuracy table and the segmentation metrics. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "eval/mmad_score.h"

static void add_many(judo_mmad_counts *counts, int dataset, judo_mmad_subtask subtask,
                     bool normal, int right, int wrong, int invalid)
{
    for (int i = 0; i < right + wrong + invalid; i++) {
        char predicted = (char)(i < right ? 'A' : i < right + wrong ? 'B' : 0);
        judo_mmad_add(counts, dataset, subtask, normal, 'A', predicted);
    }
}

static void assert_near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-9);
}

static void test_table__discrimination_is_the_mean_of_normal_and_anomalous(void **state)
{
    (void)state;
    static judo_mmad_counts counts;
    judo_mmad_table table;
    add_many(&counts, 0, JUDO_MMAD_DISCRIMINATION, true, 1, 1, 0);    /* 50% */
    add_many(&counts, 0, JUDO_MMAD_DISCRIMINATION, false, 9, 1, 0);   /* 90% */
    add_many(&counts, 0, JUDO_MMAD_CLASSIFICATION, false, 3, 1, 0);   /* 75% */
    add_many(&counts, 1, JUDO_MMAD_CLASSIFICATION, false, 25, 75, 0); /* 25% */
    judo_mmad_table_of(&counts, 2, false, &table);
    assert_near(table.percent[0][JUDO_MMAD_DISCRIMINATION], 70);
    assert_near(table.percent[0][JUDO_MMAD_AVERAGE], 72.5);
    assert_true(isnan(table.percent[1][JUDO_MMAD_DISCRIMINATION]));
    assert_near(table.percent[2][JUDO_MMAD_CLASSIFICATION], 50); /* data sets weigh the same */
    assert_near(table.percent[2][JUDO_MMAD_DISCRIMINATION], 70);
    assert_true(isnan(table.percent[2][JUDO_MMAD_ANALYSIS]));
}

static void test_table__unreadable_answers_are_wrong_unless_official(void **state)
{
    (void)state;
    static judo_mmad_counts counts;
    judo_mmad_table table;
    add_many(&counts, 0, JUDO_MMAD_ANALYSIS, false, 6, 2, 2);
    judo_mmad_table_of(&counts, 1, false, &table);
    assert_near(table.percent[0][JUDO_MMAD_ANALYSIS], 60);
    judo_mmad_table_of(&counts, 1, true, &table);
    assert_near(table.percent[0][JUDO_MMAD_ANALYSIS], 75);
}

static void test_counts__of_two_ranks_add_up(void **state)
{
    (void)state;
    static judo_mmad_counts ranks[2];
    static judo_mmad_counts whole;
    for (int i = 0; i < 200; i++) {
        int dataset = i % 3;
        judo_mmad_subtask subtask = (judo_mmad_subtask)(i % 7);
        char predicted = (char)(i % 11 == 0 ? 0 : 'A' + i % 4);
        judo_mmad_add(&ranks[i % 2], dataset, subtask, i % 5 == 0, 'A', predicted);
        judo_mmad_add(&whole, dataset, subtask, i % 5 == 0, 'A', predicted);
    }
    int64_t *a = (int64_t *)&ranks[0];
    const int64_t *b = (const int64_t *)&ranks[1];
    for (size_t i = 0; i < JUDO_MMAD_COUNTS_LENGTH; i++) {
        a[i] += b[i];
    }
    assert_memory_equal(&ranks[0], &whole, sizeof whole);
}

static void test_subtasks__object_questions_are_merged(void **state)
{
    (void)state;
    judo_mmad_subtask subtask;
    const char *merged[] = {"Object Analysis", "Object Structure", "Object Details"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(judo_mmad_subtask_of(merged[i], &subtask), JUDO_OK);
        assert_int_equal(subtask, JUDO_MMAD_OBJECT_ANALYSIS);
    }
    assert_int_equal(judo_mmad_subtask_of("Anomaly Detection", &subtask), JUDO_OK);
    assert_int_equal(subtask, JUDO_MMAD_DISCRIMINATION);
    assert_int_equal(judo_mmad_subtask_of("Weather", &subtask), JUDO_ERROR_FORMAT);
}

static void test_segmentation__micro_and_mean_scores(void **state)
{
    (void)state;
    static judo_mmad_counts counts;
    judo_cells empty = {{0}};
    judo_cells gold = {{0xF, 0, 0, 0}};       /* 4 cells */
    judo_cells predicted = {{0x3F, 0, 0, 0}}; /* these and 2 more */
    judo_mmad_add_cells(&counts, JUDO_CELLS_READ, &predicted, &gold);
    judo_mmad_add_cells(&counts, JUDO_CELLS_READ, &empty, &empty);
    judo_mmad_add_cells(&counts, JUDO_CELLS_MALFORMED, &empty, &gold);
    judo_mmad_add_cells(&counts, JUDO_CELLS_MISSING, &empty, &empty);
    judo_segmentation_metrics metrics = judo_mmad_segmentation(&counts);
    assert_near(metrics.well_formed, 0.5);
    assert_near(metrics.precision, 4.0 / 6.0);
    assert_near(metrics.recall, 0.5);
    assert_near(metrics.f1, 8.0 / 14.0);
    assert_near(metrics.mean_f1, (0.8 + 1.0) / 4.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table__discrimination_is_the_mean_of_normal_and_anomalous),
        cmocka_unit_test(test_table__unreadable_answers_are_wrong_unless_official),
        cmocka_unit_test(test_counts__of_two_ranks_add_up),
        cmocka_unit_test(test_subtasks__object_questions_are_merged),
        cmocka_unit_test(test_segmentation__micro_and_mean_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
