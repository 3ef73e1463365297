/* launch/judo_stage2.c: the program judo_stage2. */
#include "launch/program.h"

int main(int argc, char **argv)
{
    return judo_program_train(&judo_stage_domain_injection, argc, argv);
}
