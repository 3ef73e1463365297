/* tests/parity/filter/filters.h: the commands of judo_parity. */
#ifndef JUDO_TESTS_PARITY_FILTER_FILTERS_H
#define JUDO_TESTS_PARITY_FILTER_FILTERS_H

#include "launch/tool.h"

extern const judo_tool judo_parity_generate;
extern const judo_tool judo_parity_gradients;
extern const judo_tool judo_parity_layout;
extern const judo_tool judo_parity_resize;
extern const judo_tool judo_parity_sample;
extern const judo_tool judo_parity_save;
extern const judo_tool judo_parity_train;

#endif
