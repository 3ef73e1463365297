# tests/faults/input.sh: class 14: files that are wrong: the scripts of tests/launch on their own fixtures, and the decoders' and
# parsers' own tests.
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
    (cd "$root" && "$bin/$1") >"$work/out" 2>"$work/err" || complain "$1: $(grep FAILED "$work/out" "$work/err" | head -n 1)"
    row 14 "$2, $1" "$(grep -c ' OK ' "$work/err" "$work/out" | awk -F: '{n += $2} END {print n}') tests" \
        $(($(milliseconds) - start)) "the row or the run, by name"
}

trial try_test test_data_image_file "PNG and JPEG"
# The others are tests by themselves, too.
if [ $quick = 0 ]; then
    trial try_script bad_input
    trial try_script bad_input_mpi
    trial try_test test_data_tokenizer_files "tokenizer.json with holes"
    trial try_test test_data_pack "rows of JSON lines"
    trial try_test test_runtime_json "JSON"
    trial try_test test_runtime_config "YAML"
fi
