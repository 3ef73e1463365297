/* tests/data/test_sample_text.c: samples as token ids: prompt, pictures, and the text to learn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "data/dataset_write.h"
#include "data/sample_text.h"
#include "tests/data/folder.h"
#include "tests/data/noise.h"
#include "tests/data/tokens.h"

enum { SEGMENTATION, DOMAIN, CHOICE }; /* places in the data set */

typedef struct fixture {
    test_folder folder;
    judo_image_processor processor;
    judo_tokenizer *tokenizer;
    judo_special_ids specials;
    judo_dataset *dataset;
} fixture;

static void write_set(const fixture *f, const char *path)
{
    judo_dataset_writer *writer = NULL;
    judo_image wide = noise(112, 56, 3), tall = noise(56, 84, 3);
    int64_t query, normal;
    assert_int_equal(judo_dataset_writer_create(path, &f->processor, "by a test", &writer),
                     JUDO_OK);
    assert_int_equal(judo_dataset_writer_add_image(writer, &wide, "query.png", &query),
                     JUDO_OK);
    assert_int_equal(judo_dataset_writer_add_image(writer, &tall, "normal.png", &normal),
                     JUDO_OK);
    judo_sample segmentation = {.kind = JUDO_SAMPLE_SEGMENTATION,
                                .query_image = query,
                                .template_image = normal,
                                .target = "It is bent.",
                                .has_mask = true};
    segmentation.cells.bits[0] = 6; /* row 1, columns 2 and 3 */
    judo_sample domain = {.kind = JUDO_SAMPLE_DOMAIN_QA,
                          .query_image = -1,
                          .template_image = normal,
                          .question = "What colour is it?",
                          .target = "It is grey."};
    judo_sample choice = {.kind = JUDO_SAMPLE_CHOICE,
                          .query_image = query,
                          .template_image = normal,
                          .question = "Is there a defect?",
                          .num_options = 2,
                          .options = {"Yes.", "No."},
                          .letters = {'A', 'B'},
                          .answer = 'A',
                          .domain = "A tile is flat."};
    assert_int_equal(judo_dataset_writer_add_sample(writer, &segmentation), JUDO_OK);
    assert_int_equal(judo_dataset_writer_add_sample(writer, &domain), JUDO_OK);
    assert_int_equal(judo_dataset_writer_add_sample(writer, &choice), JUDO_OK);
    assert_int_equal(judo_dataset_writer_commit(&writer), JUDO_OK);
    judo_image_free(&wide);
    judo_image_free(&tall);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->folder = folder_make();
    judo_image_processor_defaults(&f->processor);
    assert_int_equal(judo_image_processor_prepare(&f->processor), JUDO_OK);
    f->tokenizer = open_tokenizer(SMALL_TOKENIZER);
    assert_int_equal(judo_tokenizer_specials(f->tokenizer, &f->specials), JUDO_OK);
    const char *path = folder_path(&f->folder, "set.h5");
    write_set(f, path);
    assert_int_equal(judo_dataset_open(path, f->processor.fingerprint, &f->dataset), JUDO_OK);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    judo_dataset_close(&f->dataset);
    judo_tokenizer_close(&f->tokenizer);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

static judo_sample_text style_of(const fixture *f, judo_prompt_style style)
{
    return (judo_sample_text){
        .tokenizer = f->tokenizer, .processor = &f->processor, .style = style};
}

static void build(const fixture *f, const judo_sample_text *text, int64_t index,
                  bool with_target, judo_sample_sequence *out)
{
    judo_sample sample;
    assert_int_equal(judo_dataset_sample(f->dataset, index, &sample), JUDO_OK);
    assert_int_equal(judo_sample_sequence_build(text, f->dataset, &sample, with_target, out),
                     JUDO_OK);
}

static void assert_decodes(const fixture *f, const int32_t *ids, int64_t count,
                           const char *expected)
{
    judo_text text = {0};
    assert_int_equal(judo_tokenizer_decode(f->tokenizer, ids, count, false, &text), JUDO_OK);
    assert_int_equal(text.length, strlen(expected));
    assert_memory_equal(text.bytes, expected, text.length);
    judo_text_free(&text);
}

/* The sequence begins with the prompt's ids, and what is learnt is `expected`. */
static void assert_target(const fixture *f, const judo_sample_text *text, int64_t index,
                          const char *expected)
{
    judo_sample_sequence prompt = {0}, whole = {0};
    build(f, text, index, false, &prompt);
    build(f, text, index, true, &whole);
    assert_int_equal(prompt.view.first_target, prompt.view.num_tokens);
    assert_true(prompt.view.num_tokens < whole.view.num_tokens);
    assert_memory_equal(whole.view.tokens, prompt.view.tokens,
                        (size_t)prompt.view.num_tokens * sizeof(int32_t));
    assert_true(whole.view.first_target <= prompt.view.num_tokens);
    assert_decodes(f, whole.view.tokens + whole.view.first_target,
                   whole.view.num_tokens - whole.view.first_target, expected);
    assert_int_equal(whole.view.num_images, prompt.view.num_images);
    judo_sample_sequence_free(&prompt);
    judo_sample_sequence_free(&whole);
}

static void test_targets__follow_the_prompt(void **state)
{
    fixture *f = *state;
    judo_sample_text compact = style_of(f, JUDO_PROMPTS_COMPACT);
    assert_target(f, &compact, SEGMENTATION,
                  "<seg> (1,2)-(1,3) </seg>\n<think> It is bent. </think><|im_end|>");
    assert_target(f, &compact, DOMAIN, "It is grey.<|im_end|>");
    compact.targets = JUDO_TARGETS_PAPER;
    assert_target(f, &compact, SEGMENTATION,
                  "<seg>(1,2)-(1,3)</seg><think>It is bent.</think><|im_end|>");
}

/* The reference code's stage 1 also learns the newline behind the assistant's header and not
 * the last one; its stage 2 learns the last one. */
static void test_judo_style__learns_what_the_reference_code_learns(void **state)
{
    fixture *f = *state;
    judo_sample_text text = style_of(f, JUDO_PROMPTS_JUDO);
    assert_target(f, &text, SEGMENTATION,
                  "\n<seg> (1,2)-(1,3) </seg>\n<think> It is bent. </think><|im_end|>");
    assert_target(f, &text, DOMAIN, "It is grey.<|im_end|>\n");
}

/* Image `place` is a run of placeholders between its brackets, one for each merged patch. */
static void assert_image(const fixture *f, const judo_sample_sequence *sequence, int place,
                         int32_t width, int32_t height)
{
    const judo_image *image = &sequence->view.images[place];
    int32_t start = sequence->view.image_starts[place];
    int32_t count = width / 28 * (height / 28);
    const int32_t *ids = sequence->view.tokens;
    assert_int_equal(image->width, width);
    assert_int_equal(image->height, height);
    assert_int_equal(ids[start - 1], f->specials.vision_start);
    for (int32_t i = 0; i < count; i++) {
        assert_int_equal(ids[start + i], f->specials.image_pad);
    }
    assert_int_equal(ids[start + count], f->specials.vision_end);
}

static void test_pictures__are_the_query_and_then_the_normal_one(void **state)
{
    fixture *f = *state;
    for (int style = JUDO_PROMPTS_JUDO; style <= JUDO_PROMPTS_COMPACT; style++) {
        judo_sample_text text = style_of(f, (judo_prompt_style)style);
        for (int64_t index = SEGMENTATION; index <= CHOICE; index++) {
            judo_sample_sequence sequence = {0};
            build(f, &text, index, false, &sequence);
            bool is_pair = index != DOMAIN;
            assert_int_equal(sequence.view.num_images, is_pair ? 2 : 1);
            if (is_pair) {
                assert_image(f, &sequence, 0, 112, 56);
                assert_true(sequence.view.image_starts[0] < sequence.view.image_starts[1]);
            }
            assert_image(f, &sequence, is_pair ? 1 : 0, 56, 84);
            judo_sample_sequence_free(&sequence);
        }
    }
}

/* Finds a text in what the prompt says. */
static bool says(const fixture *f, const judo_sample_text *text, int64_t index,
                 const char *words)
{
    judo_sample_sequence sequence = {0};
    judo_text decoded = {0};
    build(f, text, index, false, &sequence);
    assert_int_equal(judo_tokenizer_decode(f->tokenizer, sequence.view.tokens,
                                           sequence.view.num_tokens, false, &decoded),
                     JUDO_OK);
    assert_int_equal(judo_text_append(&decoded, "", 1), JUDO_OK);
    bool found = strstr(decoded.bytes, words) != NULL;
    judo_text_free(&decoded);
    judo_sample_sequence_free(&sequence);
    return found;
}

static void test_choice__shows_options_and_domain_as_asked(void **state)
{
    fixture *f = *state;
    judo_sample_text text = style_of(f, JUDO_PROMPTS_JUDO);
    assert_true(
        says(f, &text, CHOICE, "Is there a defect? \n Choice: \n {'A': 'Yes.', 'B': 'No.'}"));
    assert_false(says(f, &text, CHOICE, "A tile is flat."));
    text.options = JUDO_OPTIONS_LINES;
    text.use_domain_text = true;
    assert_true(says(f, &text, CHOICE, "Is there a defect?\nA. Yes.\nB. No."));
    assert_true(says(f, &text, CHOICE, "A tile is flat."));
    text.style = JUDO_PROMPTS_COMPACT;
    assert_true(says(f, &text, CHOICE, "A tile is flat."));
}

static void test_choice__has_no_text_to_learn(void **state)
{
    fixture *f = *state;
    judo_sample sample;
    judo_sample_sequence sequence = {0};
    judo_sample_text text = style_of(f, JUDO_PROMPTS_COMPACT);
    assert_int_equal(judo_dataset_sample(f->dataset, CHOICE, &sample), JUDO_OK);
    assert_int_equal(judo_sample_sequence_build(&text, f->dataset, &sample, true, &sequence),
                     JUDO_ERROR_INTERNAL);
    assert_null(sequence.view.tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets__follow_the_prompt),
        cmocka_unit_test(test_judo_style__learns_what_the_reference_code_learns),
        cmocka_unit_test(test_pictures__are_the_query_and_then_the_normal_one),
        cmocka_unit_test(test_choice__shows_options_and_domain_as_asked),
        cmocka_unit_test(test_choice__has_no_text_to_learn),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
