#!/usr/bin/env bash
# memory.sh [FOLDER-OF-PROGRAMS]: planned and measured megabytes per rank of sharded training on 1, 2 and 4 ranks.
# "measured" is the growth of the peak resident set over three training steps, the largest over the ranks; it holds MPI's
# own buffers too.
set -u
cd "$(dirname "$0")/../.." || exit 2
programs=${1:-build/cpu/bin}
source launch/environment.sh
export OMP_NUM_THREADS=1
echo "16.8 million parameters in 14 units (largest 4.2 million), fp32; MB per rank"
echo "ranks  weights gradients  moments  gathered  gradbuf  scratch  planned  measured"
for ranks in 1 2 4; do
    mpirun -np $ranks "$programs/judo_bench_memory" || exit 1
done
