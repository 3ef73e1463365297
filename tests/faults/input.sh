# tests/faults/input.sh: class 14: files that are wrong. The scripts of tests/launch, on their own fixtures.
scripts=(bad_input bad_input_mpi)
[ $quick = 0 ] || scripts=() # they are tests by themselves
for name in "${scripts[@]}"; do
    start=$(milliseconds)
    (cd "$root" && bash "tests/launch/test_$name.sh" "$bin" "$work/$name" "$mpirun" 2 60) >"$work/out" 2>&1 </dev/null ||
        complain "$name: $(grep FAILED "$work/out" | head -n 1)"
    row 14 "wrong files, tests/launch/test_$name.sh" "$(tail -n 1 "$work/out")" $(($(milliseconds) - start)) nothing
done

# A weight that is not a number is found in the first step, with its tensor's name.
need_world
rm -rf poisoned && cp -r base/model poisoned
file=poisoned/model.safetensors
bytes=$(stat -c %s "$file")
printf '\x00\x00\xc0\x7f' | dd of="$file" bs=1 seek=$((bytes - 4)) conv=notrunc status=none
fresh
stage 2 1 model.path=poisoned train.max_steps=3
[ $code = 17 ] && [ "$(errors)" = 1 ] && says 'error: (rank 1: )?[a-z0-9_.]+: element [0-9]+ is not finite' ||
    complain "a weight that is not finite: exit code $code"
[ -z "$(ls "$work/run/checkpoints" 2>/dev/null)" ] || complain "a weight that is not finite: was saved"
row 7 "NaN in the model file" "tensor named in step 0, not saved" "$ms" nothing
