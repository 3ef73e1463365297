#!/usr/bin/env bash
# Prints planned and measured memory of a rank in training, for every sharding on 1, 2 and 4 ranks.
#   tests/bench/memory.sh [FOLDER-OF-PROGRAMS]        default: build/cpu/bin
# A Qwen2.5-VL of 21 million parameters trains two steps on one picture and a text that fill its plan. "planned" is what the
# memory plan says; "allocated" what the process has taken from malloc since before the model was made; "measured" the growth of
# its peak resident set (the largest over the ranks of each). All in MB. A smaller model trains first in the same process, so that
# what libraries and messages keep is there before. "saved" is against sharding nothing. Takes 1.5 GB. The exit code is 1 if
# a measured figure is more than 5 % away from its plan.
set -u
case "${1:-}" in -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
cd "$(dirname "$0")/../.." || exit 2
programs=${1:-build/cpu/bin}
source launch/environment.sh
unset OPENBLAS_CORETYPE
export OMP_NUM_THREADS=1
failures=0

# row NAME RANKS DTYPE: sets planned; compares it with `whole`, what sharding nothing takes.
row() {
    local facts
    facts=$("${JUDO_MPIEXEC:-mpirun}" -np "$2" "$programs/judo_bench_memory" "$1" "$3") || exit 1
    [ "$1" != none ] || whole=$(cut -d' ' -f9 <<<"$facts")
    awk -v name="$1" -v dtype="$3" -v whole="$whole" '{
        for (i = 2; i <= 9; i++) { mb[i] = $i * 1e-6 }
        off = ($9 / $7 - 1) * 100
        saved = name == "none" ? "" : sprintf("%.0f %%", (1 - $9 / whole) * 100)
        printf "%5d  %-8s %-5s %8.1f %9.1f %8.1f %8.1f %11.1f %8.1f %9.1f %8.1f %+7.1f %%  %6s\n", $1, name, dtype, mb[2], mb[3], \
            mb[4], mb[5], mb[6], mb[7], mb[8], mb[9], off, saved
        exit off > 5 || off < -5 }' <<<"$facts" || failures=$((failures + 1))
}

echo "ranks  sharding dtype  weights gradients  moments  buffers activations  planned allocated measured  differs   saved"
for dtype in f32 bf16; do
    for ranks in 1 2 4; do
        for sharding in none zero1 zero2 zero3 resident hybrid; do
            [ $sharding != hybrid ] || [ $ranks = 4 ] || continue
            row $sharding $ranks $dtype
        done
    done
done
echo "$failures rows are more than 5 % away from their plan"
[ $failures = 0 ]
