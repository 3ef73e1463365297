# tests/launch/fixture.sh: sourced by test_*.sh BIN FOLDER [MPIEXEC RANKS PATIENCE]. Makes a tiny model and data set in FOLDER and gives
# the scripts their checks. All output of a command that is checked lies in $work/out and $work/err.
set -u
bin=$1 work=$2 mpiexec=${3:-mpiexec} ranks=${4:-4} patience=${5:-20}
root=$PWD
PATH=$bin:$PATH
export OMP_NUM_THREADS=1
unset JUDO_REALDATA
failures=0 checks=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*"
    head -n 20 "$work/out" "$work/err" 2>/dev/null
}

# it "does this" COMMAND..: the command must end with 0.
it() {
    local what=$1
    shift
    checks=$((checks + 1))
    "$@" >"$work/out" 2>"$work/err" || fail "$what: exit code $? of: $*"
}

# prints PATTERN [FILE]: the last command's output has a line like this.
prints() {
    checks=$((checks + 1))
    grep -qE -- "$1" "${2:-$work/out}" || fail "the output has no line like: $1"
}

# refuses "what" CODE PATTERN COMMAND..: ends within $patience seconds with CODE and one error line like PATTERN.
refuses() {
    local what=$1 code=$2 pattern=$3 got
    shift 3
    checks=$((checks + 1))
    timeout "$patience" "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    [ $got = "$code" ] || fail "$what: exit code $got, not $code, of: $*"
    [ "$(grep -c 'error: ' "$work/err")" = 1 ] || fail "$what: not exactly one error line of: $*"
    grep 'error: ' "$work/err" | grep -qE -- "$pattern" || fail "$what: the error line is not like '$pattern' of: $*"
    ! grep -qE 'Sanitizer|runtime error|Segmentation' "$work/err" || fail "$what: crashed: $*"
}

finish() {
    echo "$checks checks, $failures failed"
    [ $failures = 0 ] || exit 1
    cd / && rm -rf "$work"
    exit 0
}

# data/ and its picture, model/, packed.h5, config.yaml
make_fixture() {
    rm -rf "$work" && mkdir -p "$work" && cd "$work" || exit 1
    it "synth draws a data set" judo synth data --train 1 --heldout 1 --normals 2 --pretrain 4 --size 112
    it "init makes a model" judo init model data/stage1.jsonl data/pretrain.jsonl --vocab 300 --hidden 64 --layers 2 \
        --ffn 128 --vision-hidden 64 --vision-depth 2 --vision-ffn 128
    it "pack makes a dataset" judo pack packed.h5 --model model --stage1 data/stage1.jsonl --stage2 data/stage2.jsonl \
        --stage3 data/stage3.jsonl --mmad data/mmad.json --domain data/domain_knowledge.json --root data --limit 8
    picture=data/pretrain/00000.png
    cat >config.yaml <<'YAML'
run:
  folder: run
  save_every: 1
model:
  path: model
data:
  path: packed.h5
train:
  batch_size: 2
  max_steps: 1
  max_tokens: 1024
  max_patches: 1024
YAML
    [ $failures = 0 ] || finish
}
