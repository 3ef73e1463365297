/* launch/judo_stage1.c: the program judo_stage1. */
#include "launch/program.h"

int main(int argc, char **argv)
{
    return judo_program_train(&judo_stage_juxtaposed_segmentation, argc, argv);
}
