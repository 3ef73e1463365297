#!/usr/bin/env bash
# tests/launch/test_doctor.sh: judo doctor starts two ranks, says what is wrong with remedies, and ends with 16 if jobs will fail.
. tests/launch/fixture.sh
guard=$6
rm -rf "$work" && mkdir -p "$work/folder" "$work/bin" "$work/empty" && cd "$work" || exit 1
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
ln -s "$mpiexec" bin/mpirun
PATH=$work/bin:$PATH

it "finds a machine fit for jobs on the CPU" judo doctor --device cpu folder
prints 'mpirun -np 2: two ranks start and meet'
prints 'linked with .*MPI'
prints 'matrix products: oneDNN [0-9]'
prints '^  ok    judo [0-9.]+, compiled for'
prints ', 0 bad$'
[ -z "$(ls -A folder)" ] || fail "it leaves something in the folder"
prints '^  ok    folder: locks and renames work'

# Never a file left, never a hang: what is wrong is said, and is the exit code.
refuses "a folder that is none" 16 '1 of the lines above is BAD' judo doctor --device cpu folder nowhere
prints 'BAD   nowhere: is no folder'
refuses "a GPU that is not there" 16 'is BAD' env JUDO_DEVICE_MODULE="$work/none.so" judo doctor --device cuda folder
prints 'BAD   device: cuda cannot be had: .*none.so'
it "takes a machine without a GPU for what it is" env JUDO_DEVICE_MODULE="$work/none.so" judo doctor folder
prints 'none: jobs compute on the CPU'
it "opens what the module offers" env JUDO_DEVICE_MODULE="$guard" judo doctor --device cuda folder
prints '^GPU$'
prints 'of its [0-9.]+ GB are free'

# Launchers that are not what they should be.
rm bin/mpirun
fake() { # fake NAME LINE ..: a command of that name
    printf '%s\n' '#!/bin/sh' "${@:2}" >"bin/$1"
    chmod +x "bin/$1"
}
fake mpirun 'echo "mpirun has detected an attempt to run as root." >&2' 'exit 1'
refuses "mpirun as root" 16 'is BAD' judo doctor --device cpu folder
prints 'mpirun refuses to run as root'
prints '-> source launch/environment.sh'
fake mpirun "$bin/judo doctor --rank"
refuses "another MPI's mpirun" 16 'is BAD' judo doctor --device cpu folder
prints 'two programs that do not see each other'
fake mpirun 'echo strange things; exit 9'
refuses "an mpirun that fails" 16 'is BAD' judo doctor --device cpu folder
prints 'exit code 9: strange things'

ln -sf "$mpiexec" bin/mpirun
fake srun 'echo "MPI plugin types are..."; echo "	pmix_v4"'
it "finds srun's plugin" judo doctor --device cpu folder
prints 'srun has the pmix plugin'
fake srun 'echo "MPI plugin types are..."; echo "	cray_shasta"; echo "	pmi2"'
it "warns where there is none" judo doctor --device cpu folder
prints 'warn  srun lists no pmix plugin'
refuses "a Slurm job without the plugin" 16 'is BAD' env SLURM_JOB_ID=7 judo doctor --device cpu folder
prints 'this is job 7'
prints 'BAD   srun lists no pmix plugin'

it "warns of more ranks than CPUs" judo doctor --device cpu --ranks 4096 folder
prints 'warn  4096 ranks on [0-9]+ CPUs'
refuses "a rank count that is none" 10 'ranks' judo doctor --ranks -1
refuses "an unknown device" 10 'device' judo doctor --device tpu
finish
