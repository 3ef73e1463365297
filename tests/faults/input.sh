# tests/faults/input.sh: class 14: files that are wrong: the scripts of tests/launch on their own fixtures, and the decoders' and
# parsers' own tests. And class 7: numbers that are not finite, in the model's file and in the training that follows.
# shellcheck source=tests/shell/damage_files.sh
source "$root/tests/shell/damage_files.sh"
try_script() { # try_script NAME
    local start
    start=$(milliseconds)
    (cd "$root" && bash "tests/launch/test_$1.sh" "$bin" "$work/fixture" "$mpirun" 2 60) >"$work/out" 2>&1 </dev/null ||
        complain "$1: $(grep FAILED "$work/out" | head -n 1)"
    row 14 "wrong files, tests/launch/test_$1.sh" "$(tail -n 1 "$work/out")" $(($(milliseconds) - start)) nothing
}

try_test() { # try_test PROGRAM "what"
    local start
    start=$(milliseconds)
    "$bin/$1" >"$work/out" 2>"$work/err" || complain "$1: $(grep FAILED "$work/out" "$work/err" | head -n 1)"
    row 14 "$2, $1" "$(grep -c ' OK ' "$work/err" "$work/out" | awk -F: '{n += $2} END {print n}') tests" \
        $(($(milliseconds) - start)) "the row or the run, by name"
}

# These are tests by themselves.
if [ $quick = 0 ]; then
    trial try_script bad_input
    trial try_script bad_input_mpi
    trial try_test test_data_image_file "PNG and JPEG"
    trial try_test test_data_tokenizer_files "tokenizer.json with holes"
    trial try_test test_data_pack "rows of JSON lines"
    trial try_test test_runtime_json "JSON"
    trial try_test test_runtime_config "YAML"
fi
need_world

# A weight that is not a number is found in the first step, with its tensor's name.
poisoned_model() {
    cp -r base/model "$work/model"
    put_nan "$work/model/model.safetensors"
    fresh
    stage 2 1 model.path="$work/model" train.max_steps=3
    [ $code = 17 ] && [ "$(errors)" = 1 ] && says 'error: (rank 1: )?[a-z0-9_.]+: element [0-9]+ is not finite' ||
        complain "a weight that is not finite: exit code $code"
    [ -z "$(ls "$work/run/checkpoints" 2>/dev/null)" ] || complain "a weight that is not finite: was saved"
    row 7 "NaN in the model file" "tensor named in step 0, not saved" "$ms" nothing
}

trial poisoned_model
