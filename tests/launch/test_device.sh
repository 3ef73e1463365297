#!/usr/bin/env bash
# tests/launch/test_device.sh: --device and the key `device`: what is chosen, and that programs answer the same from
# memory that the host cannot reach (argument 6: the module of tests/guard).
module=$(realpath "$6")
. tests/launch/fixture.sh
unset JUDO_DEVICE_MODULE
make_fixture

on_guard() { JUDO_DEVICE_MODULE=$module "$@"; }

# same "what" COMMAND..: prints the same on the CPU and on the guarded device; the device is an argument behind.
same() {
    local what=$1
    shift
    it "$what on the CPU" "$@" --device cpu
    prints '^device +CPU$' "$work/err"
    cp out expected
    it "$what on the device" on_guard "$@" --device cuda
    prints '^device +guarded memory' "$work/err"
    checks=$((checks + 1))
    cmp -s out expected || fail "$what: the device answers otherwise"
}

messages='"messages": [{"role": "user", "content": [{"type": "image", "image": "pretrain/00000.png"}, {"type": "text", "text": "Is there any defect?"}]}]'
echo "{$messages, \"completion\": \"No.<|im_end|>\"}" >score.jsonl
echo "{$messages, \"max_new_tokens\": 9, \"n\": 3, \"temperature\": 1, \"repetition_penalty\": 1.1}" >request.jsonl
small=(--max-tokens 512 --max-patches 1024)
for dtype in f32 bf16; do
    same "score in $dtype" judo score model --root data --input score.jsonl --dtype $dtype "${small[@]}"
    same "generate in $dtype" judo generate model --root data --input request.jsonl --dtype $dtype "${small[@]}"
done
if [ -n "${JUDO_MINILM:-}" ]; then
    echo '{"text": "A scratch on the bottle."}' >text.jsonl
    same "embed" judo embed "$JUDO_MINILM" --input text.jsonl
fi

# evaluate DEVICE: judo_eval on two ranks into eval-DEVICE.
evaluate() {
    "$mpiexec" -np 2 judo_eval "device=$1" model.path=model data.path=packed.h5 "eval.folder=eval-$1" eval.title=x eval.max_new_tokens=4 \
        data.limit=4 eval.max_tokens=2048 eval.max_patches=2048
}
it "judo_eval evaluates on the CPU" evaluate cpu
it "judo_eval evaluates on the device" on_guard evaluate cuda
prints '^device +guarded memory' "$work/err"
sed -i 's/"seconds":[0-9.e-]*//' eval-cpu/metrics.json eval-cuda/metrics.json
for file in metrics.json samples.jsonl; do
    checks=$((checks + 1))
    cmp -s "eval-cpu/$file" "eval-cuda/$file" || fail "$file differs between the devices"
done

it "auto takes a module that works" on_guard judo score model --root data --input score.jsonl "${small[@]}"
prints '^device +guarded memory' "$work/err"
it "auto takes the CPU where the module does not open" env JUDO_DEVICE_MODULE="$work/absent.so" judo score model --root data --input score.jsonl "${small[@]}"
prints '^device +CPU$' "$work/err"
refuses "a module that is not there" 16 'absent.so: the CUDA module cannot be opened' \
    env JUDO_DEVICE_MODULE="$work/absent.so" judo score model --root data --device cuda
refuses "an unknown device" 10 "--device 'tpu': must be one of auto\|cpu\|cuda" judo score model --device tpu
refuses "an unknown device" 10 "--device 'tpu': must be one of" judo embed absent --device tpu
refuses "an unknown device" 10 "--device 'tpu': must be one of" judo reward --device tpu
refuses "an unknown device in a configuration" 11 "'device' must be one of" judo_eval device=tpu model.path=model data.path=packed.h5 eval.folder=x
refuses "a device with too little memory" 15 'no memory for [0-9]+ bytes of activations' \
    env JUDO_DEVICE_MODULE="$module" JUDO_GUARD_BYTES=65536 judo score model --root data --device cuda
finish
