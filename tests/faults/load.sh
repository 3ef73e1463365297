# tests/faults/load.sh: classes 4 and 5: damaged, missing and foreign files. What loads is a state that was saved, or nothing.
# shellcheck source=tests/shell/damage_files.sh
source "$root/tests/shell/damage_files.sh"
whole load 2 steps=5 keep=2
cp -r "$work/run/checkpoints" "$home/good"

# damaged "what" PATTERN: the newer checkpoint is refused with PATTERN and the older one taken.
damaged() {
    check "$work/bad" || complain "$1: nothing loads"
    grep -q '^state 2 ' "$work/out" && [ -z "$(unlike load)" ] || complain "$1: loads $(cat "$work/out")"
    says "warning: .*$2" || complain "$1: does not name what is wrong"
}
again() { rm -rf "$work/bad" && cp -r "$home/good" "$work/bad"; }

# spoil FILE "name" COMMAND BYTE
spoil() {
    again
    $3 "$work/bad/$1" "$4"
    check "$work/bad" || complain "$2 at $4: nothing loads"
    # Padding means nothing: then the newer state is there, whole.
    [ -z "$(unlike load)" ] && ! grep -q '^state 0' "$work/out" || complain "$2 at byte $4: loads $(cat "$work/out")"
    grep -q '^state 4 ' "$work/out" || says "warning: .*$(basename "$1")" || complain "$2 at byte $4: not named"
}

# sweep FILE STEP "name" COMMAND: the command, with a byte's offset behind it, at every STEPth byte.
sweep() {
    local bytes at
    bytes=$(stat -c %s "$home/good/$1")
    for ((at = 0; at < bytes; at += $2)); do trial spoil "$1" "$3" "$4" $at; done
    trials_done
    row 4 "$3, $tried places" "named, older one taken" "$ms" nothing
}
cut_off() { truncate -s "$2" "$1"; }
few=1
[ $quick = 0 ] || few=12
shard=step-000004/shard-00001-of-00002.judo
size=$(stat -c %s "$home/good/$shard")
sweep $shard $((size * few / 120 + 1)) "a bit flips in a shard" flip
sweep $shard $((size * few / 30 + 1)) "a shard is cut off" cut_off
sweep step-000004/manifest.json $((16 * few + 1)) "a bit flips in the manifest" flip
sweep step-000004/manifest.json $((150 * few + 1)) "the manifest is cut off" cut_off

again
start=$(milliseconds)
rm "$work/bad/$shard"
damaged "a missing shard" 'shard-00001-of-00002.judo: cannot open'
row 5 "a shard is missing" "named, older one taken" $(($(milliseconds) - start)) nothing
again
start=$(milliseconds)
cp "$home/good/step-000002/shard-00001-of-00002.judo" "$work/bad/$shard"
damaged "a shard of another step" 'step-000004/shard-00001-of-00002.judo: '
row 5 "a shard of another step" "named, older one taken" $(($(milliseconds) - start)) nothing
again
start=$(milliseconds)
cp "$home/good/step-000004/shard-00000-of-00002.judo" "$work/bad/$shard"
damaged "another rank's shard" 'step-000004/shard-00001-of-00002.judo: '
row 5 "another rank's shard" "named, older one taken" $(($(milliseconds) - start)) nothing
again
fresh
train 2 steps=5 do=nan phase=reduction step=2 rank=0 # another run of the same shape
start=$(milliseconds)
cp "$work/run/checkpoints/$shard" "$work/bad/$shard"
damaged "a shard of another run" 'step-000004/shard-00001-of-00002.judo: '
row 5 "a shard of another run" "named, older one taken" $(($(milliseconds) - start)) nothing
