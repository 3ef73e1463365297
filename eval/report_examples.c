/* eval/report_examples.c: questions, pictures and completions with their rewards. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/html.h"
#include "eval/report_parts.h"
#include "runtime/file.h"

enum { MAX_PICTURE_BYTES = 64 << 20 };

typedef struct gallery {
    FILE *out;
    const char *path; /* of the .jsonl file */
    int most, shown, seen;
} gallery;

static const struct {
    const char *open, *close, *class;
} tags[] = {
    {"<seg>", "</seg>", "seg"},
    {"<think>", "</think>", "think"},
    {"<answer>", "</answer>", "answer"},
};

/* The completion with each tag and what it encloses in a colour. */
static void write_completion(FILE *out, const char *text)
{
    int inside = -1;
    fputs("<div class=\"completion\">", out);
    for (const char *p = text; *p != '\0';) {
        int t = 0;
        while (t < 3 && strncmp(p, inside < 0 ? tags[t].open : tags[t].close,
                                strlen(inside < 0 ? tags[t].open : tags[t].close)) != 0) {
            t++;
        }
        if (t < 3 && (inside < 0 || inside == t)) {
            const char *tag = inside < 0 ? tags[t].open : tags[t].close;
            if (inside < 0) {
                fprintf(out, "<span class=\"%s\">", tags[t].class);
            }
            fputs("<i>", out);
            judo_html_text(out, tag);
            fputs(inside < 0 ? "</i>" : "</i></span>", out);
            inside = inside < 0 ? t : -1;
            p += strlen(tag);
        } else {
            judo_html_bytes(out, p, 1);
            p++;
        }
    }
    fputs(inside >= 0 ? "</span></div>\n" : "</div>\n", out);
}

/* A picture named relative to the sample file, as a data URI. */
static judo_status write_picture(const gallery *g, const char *name, const char *alt)
{
    char path[4096];
    char *bytes = NULL;
    size_t length = 0;
    const char *slash = strrchr(g->path, '/');
    int folder = slash != NULL ? (int)(slash - g->path + 1) : 0;
    if (snprintf(path, sizeof path, "%.*s%s", folder, g->path, name) >= (int)sizeof path) {
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: a picture's path is too long", g->path);
    }
    JUDO_TRY(judo_file_read_all(path, MAX_PICTURE_BYTES, &bytes, &length));
    bool png = length >= 4 && memcmp(bytes, "\x89PNG", 4) == 0;
    bool jpeg = length >= 3 && memcmp(bytes, "\xFF\xD8\xFF", 3) == 0;
    if (!png && !jpeg) {
        free(bytes);
        return JUDO_FAIL(JUDO_ERROR_FORMAT, "%s: neither a PNG nor a JPEG picture", path);
    }
    fprintf(g->out, "<img alt=\"%s\" loading=\"lazy\" src=\"", alt);
    judo_html_data_uri(g->out, png ? "image/png" : "image/jpeg", (const uint8_t *)bytes,
                       length);
    fputs("\">", g->out);
    free(bytes);
    return JUDO_OK;
}

static judo_status write_options(const gallery *g, const judo_json *row, const char *answer,
                                 const char *predicted)
{
    fputs("<ul class=\"options\">", g->out);
    const judo_json *option = judo_json_first(judo_json_get(row, "options"));
    for (; option != NULL; option = judo_json_next(option)) {
        const char *letter = judo_json_key(option);
        const char *text = NULL;
        JUDO_TRY(judo_json_as_string(option, g->path, &text));
        bool right = strcmp(letter, answer) == 0;
        bool chosen = strcmp(letter, predicted) == 0;
        fprintf(g->out, "<li class=\"%s%s\"><b>",
                right    ? "right"
                : chosen ? "wrong"
                         : "",
                chosen ? " chosen" : "");
        judo_html_text(g->out, letter);
        fputs("</b> ", g->out);
        judo_html_text(g->out, text);
        fputs("</li>", g->out);
    }
    fputs("</ul>\n", g->out);
    return JUDO_OK;
}

static judo_status write_rewards(const gallery *g, const judo_json *row)
{
    double total = NAN;
    const judo_json *reward = judo_json_first(judo_json_get(row, "rewards"));
    if (reward == NULL) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_json_get_double_or(row, "total", g->path, NAN, &total));
    fputs("<dl class=\"rewards\">", g->out);
    for (; reward != NULL; reward = judo_json_next(reward)) {
        double value = NAN;
        if (!judo_json_is_null(reward)) {
            JUDO_TRY(judo_json_as_double(reward, g->path, &value));
        }
        fputs("<div><dt>", g->out);
        judo_html_text(g->out, judo_json_key(reward));
        fprintf(g->out, "</dt><dd class=\"bar\" style=\"--v:%.1f%%\">",
                isnan(value) ? 0 : 100 * fmax(0, fmin(1, value)));
        judo_html_number(g->out, value, 2);
        fputs("</dd></div>", g->out);
    }
    fputs("<div><dt><b>total</b></dt><dd><b>", g->out);
    judo_html_number(g->out, total, 2);
    fputs("</b></dd></div></dl>\n", g->out);
    return JUDO_OK;
}

static judo_status write_pictures(const gallery *g, const judo_json *row)
{
    const char *overlay = NULL;
    const char *normal = NULL;
    JUDO_TRY(judo_json_get_string_or(row, "overlay", g->path, NULL, &overlay));
    JUDO_TRY(judo_json_get_string_or(row, "template_image", g->path, NULL, &normal));
    if (overlay == NULL && normal == NULL) {
        return JUDO_OK;
    }
    fputs("<div class=\"pictures\">", g->out);
    if (overlay != NULL) {
        fputs("<figure>", g->out);
        JUDO_TRY(write_picture(g, overlay, "query with true outline and predicted cells"));
        fputs("<figcaption>query</figcaption></figure>", g->out);
    }
    if (normal != NULL) {
        fputs("<figure>", g->out);
        JUDO_TRY(write_picture(g, normal, "normal template"));
        fputs("<figcaption>normal</figcaption></figure>", g->out);
    }
    fputs("</div>\n", g->out);
    return JUDO_OK;
}

static judo_status write_chips(const gallery *g, const judo_json *row, bool right)
{
    static const char *const keys[] = {"dataset", "category", "subtask", "id"};
    fprintf(g->out, "<p class=\"chips\"><span class=\"%s\">%s</span>", right ? "good" : "bad",
            right ? "right" : "wrong");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = NULL;
        JUDO_TRY(judo_json_get_string_or(row, keys[i], g->path, NULL, &text));
        if (text != NULL) {
            fputs("<span>", g->out);
            judo_html_text(g->out, text);
            fputs("</span>", g->out);
        }
    }
    fputs("</p>\n", g->out);
    return JUDO_OK;
}

static judo_status write_example(void *context, const judo_json *row, int64_t line)
{
    gallery *g = context;
    const char *completion = NULL;
    const char *question = NULL;
    const char *answer = NULL;
    const char *predicted = NULL;
    (void)line;
    g->seen++;
    if (g->shown == g->most) {
        return JUDO_OK;
    }
    JUDO_TRY(judo_json_get_string(row, "completion", g->path, &completion));
    JUDO_TRY(judo_json_get_string_or(row, "question", g->path, "", &question));
    JUDO_TRY(judo_json_get_string_or(row, "answer", g->path, "", &answer));
    JUDO_TRY(judo_json_get_string_or(row, "predicted", g->path, "", &predicted));
    fputs("<article>", g->out);
    JUDO_TRY(write_pictures(g, row));
    fputs("<div class=\"said\">", g->out);
    JUDO_TRY(write_chips(g, row, answer[0] != '\0' && strcmp(answer, predicted) == 0));
    fputs("<p class=\"question\">", g->out);
    judo_html_text(g->out, question);
    fputs("</p>", g->out);
    JUDO_TRY(write_options(g, row, answer, predicted));
    write_completion(g->out, completion);
    JUDO_TRY(write_rewards(g, row));
    fputs("</div></article>\n", g->out);
    g->shown++;
    return JUDO_OK;
}

judo_status judo_report_examples(FILE *out, const judo_report_item *samples, int most)
{
    gallery g = {.out = out, .path = samples->path, .most = most};
    fputs("<h3>", out);
    judo_html_text(out, samples->title);
    fputs("</h3>\n", out);
    JUDO_TRY(judo_json_each_line(samples->path, write_example, &g));
    fprintf(out,
            "<p class=\"note\">%d of %d lines. Green outline: the true defect. Red cells: what "
            "the model marked.</p>\n",
            g.shown, g.seen);
    return JUDO_OK;
}
