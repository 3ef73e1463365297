#!/usr/bin/env bash
# memory.sh [FOLDER-OF-PROGRAMS]: planned and measured megabytes per rank of sharded training on 1, 2 and 4 ranks.
# "measured" is the growth of the peak resident set over three training steps, the largest over the ranks; it holds MPI's
# own buffers too. First a toy of flat units, then a Qwen2.5-VL of 512 x 8 with one picture of 448 x 448 and 768 tokens a rank.
set -u
cd "$(dirname "$0")/../.." || exit 2
programs=${1:-build/cpu/bin}
source launch/environment.sh
export OMP_NUM_THREADS=1
for mode in "0 f32" "1 f32" "2 f32" "3 f32" "3 bf16"; do
    read -r stage dtype <<<"$mode"
    echo "16.8 million parameters in 14 units (largest 4.2 million), ZeRO stage $stage, $dtype; MB per rank"
    echo "ranks  weights gradients  moments  gathered  gradbuf  scratch  planned  measured"
    for ranks in 1 2 4; do
        mpirun -np $ranks "$programs/judo_bench_memory" "$stage" "$dtype" || exit 1
    done
done
echo
echo "Qwen2.5-VL 512 x 8 with a tower of 256 x 4, fp32, recomputed activations; MB per rank"
echo "ranks  weights gradients  moments  gathered  gradbuf  scratch  activations  planned  measured"
for ranks in 1 2 4; do
    mpirun -np $ranks "$programs/judo_bench_model_memory" || exit 1
done
