/* launch/judo_cells.c: a mask image to the cells of the 16 x 16 grid. */
#include <stdio.h>
#include <string.h>

#include "data/cells.h"
#include "data/image_file.h"
#include "launch/tool.h"

static const char help[] =
    "judo cells: a mask to the anomalous cells of the 16 x 16 grid and their text\n\n"
    "usage: judo cells MASK.png [MASK.png ...] [--rule paper|reference|reward] [--separator "
    "TEXT]\n\n"
    "Prints one JSON line per mask: {\"mask\", \"cells\": [[row, column], ..], \"text\": "
    "\"<seg>..</seg>\"}; rows and columns count from 1.\n\n"
    "  --rule paper      any non-zero pixel makes a cell anomalous (default)\n"
    "  --rule reference  2% of the cell, else any pixel (the reference code's stage 1)\n"
    "  --rule reward     2% after a nearest resize to 512 x 512 (the reference code's stage "
    "3)\n"
    "  --separator TEXT  between cells, default \", \"\n";

static judo_status rule_named(const char *name, judo_cells_rule *out)
{
    if (strcmp(name, "paper") == 0) {
        *out = (judo_cells_rule){0};
    } else if (strcmp(name, "reference") == 0) {
        *out = (judo_cells_rule){.coverage = 0.02, .any_if_none = true};
    } else if (strcmp(name, "reward") == 0) {
        *out = (judo_cells_rule){.coverage = 0.02, .resize_nearest = 512};
    } else {
        return JUDO_FAIL(JUDO_ERROR_ARGUMENT, "--rule '%s' is none of paper, reference, reward",
                         name);
    }
    return JUDO_OK;
}

static judo_status print_cells(const char *path, const judo_cells *cells, const char *separator)
{
    char list[8192];
    char text[8300];
    (void)judo_cells_format(cells, separator, "", list, sizeof list);
    (void)snprintf(text, sizeof text, "<seg>%s</seg>", list);
    judo_json_writer w = {0};
    judo_json_begin_object(&w, NULL);
    judo_json_put_string(&w, "mask", path);
    judo_json_begin_array(&w, "cells");
    for (int i = 0; i < JUDO_GRID * JUDO_GRID; i++) {
        if (judo_cells_has(cells, i / JUDO_GRID, i % JUDO_GRID)) {
            judo_json_begin_array(&w, NULL);
            judo_json_put_int(&w, NULL, i / JUDO_GRID + 1);
            judo_json_put_int(&w, NULL, i % JUDO_GRID + 1);
            judo_json_end_array(&w);
        }
    }
    judo_json_end_array(&w);
    judo_json_put_string(&w, "text", text);
    judo_json_end_object(&w);
    judo_status status = judo_json_writer_check(&w);
    if (status == JUDO_OK) {
        printf("%.*s\n", (int)w.length, w.text);
    }
    judo_json_writer_free(&w);
    return status;
}

static judo_status run(int argc, char **argv)
{
    enum { MOST_MASKS = 4096 };

    static const char *masks[MOST_MASKS];
    const char *rule_name = "paper", *separator = ", ";
    int count;
    judo_cells_rule rule;
    const judo_option options[] = {{"rule", JUDO_OPTION_STRING, &rule_name},
                                   {"separator", JUDO_OPTION_STRING, &separator}};
    JUDO_TRY(judo_options_parse(argc, argv, options, 2, 1, MOST_MASKS, masks, &count));
    JUDO_TRY(rule_named(rule_name, &rule));
    for (int i = 0; i < count; i++) {
        judo_image mask;
        judo_cells cells;
        JUDO_TRY(judo_image_read(masks[i], 1, &mask));
        judo_status status =
            judo_cells_from_mask(mask.pixels, mask.width, mask.height, &rule, &cells);
        judo_image_free(&mask);
        JUDO_TRY(status);
        JUDO_TRY(print_cells(masks[i], &cells, separator));
    }
    return JUDO_OK;
}

const judo_tool judo_tool_cells = {
    .name = "cells",
    .summary = "a mask to the anomalous cells of the 16 x 16 grid",
    .help = help,
    .run = run,
};
