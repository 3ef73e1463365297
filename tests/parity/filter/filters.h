/* tests/parity/filter/filters.h: the commands of judo_parity. */
#ifndef JUDO_TESTS_PARITY_FILTER_FILTERS_H
#define JUDO_TESTS_PARITY_FILTER_FILTERS_H

#include "launch/tool.h"

extern const judo_tool judo_parity_resize;
extern const judo_tool judo_parity_labels;
extern const judo_tool judo_parity_patch_positions;
extern const judo_tool judo_parity_patches;
extern const judo_tool judo_parity_token_positions;

#endif
