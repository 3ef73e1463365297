/* tests/bench/peers/program/commands.h: the commands of judo_bench_peer and what they share. */
#ifndef JUDO_TESTS_BENCH_PEERS_PROGRAM_COMMANDS_H
#define JUDO_TESTS_BENCH_PEERS_PROGRAM_COMMANDS_H

#include "data/sample_text.h"
#include "launch/tool.h"

extern const judo_tool judo_peer_samples, judo_peer_train, judo_peer_generate, judo_peer_embed,
    judo_peer_images, judo_peer_tokenize;

/* Sequences of a JSON-lines file: {"tokens": [..], "first_target": n, "images": [FILE ..],
 * "image_starts": [..]}; pictures are read and brought to size. */
typedef struct judo_peer_sequences {
    judo_sample_sequence *items;
    int32_t count;
} judo_peer_sequences;

judo_status judo_peer_sequences_read(const char *path, const judo_image_processor *processor,
                                     judo_peer_sequences *out) JUDO_MUST_CHECK;
void judo_peer_sequences_free(judo_peer_sequences *sequences);

/* The member "text" of every line of a JSON-lines file. */
typedef struct judo_peer_texts {
    judo_text all;      /* one after another */
    const char **texts; /* [count], into `all` */
    size_t *lengths;    /* [count] */
    int32_t count;
} judo_peer_texts;

judo_status judo_peer_texts_read(const char *path, judo_peer_texts *out) JUDO_MUST_CHECK;
void judo_peer_texts_free(judo_peer_texts *texts);

/* The image processor of a model folder. */
judo_status judo_peer_processor_load(const char *folder,
                                     judo_image_processor *out) JUDO_MUST_CHECK;

#endif
