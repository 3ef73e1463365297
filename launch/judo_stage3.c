/* launch/judo_stage3.c: the program judo_stage3. */
#include "launch/program.h"

int main(int argc, char **argv)
{
    return judo_program_train(&judo_stage_grpo, argc, argv);
}
