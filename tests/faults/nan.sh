# tests/faults/nan.sh: class 7: numbers that are not finite in one rank's gradient, in the model's file, and in every gradient from one
# step on. All ranks skip the step or stop together; what is saved is finite. judo inspect is the judge of that.
# shellcheck source=tests/shell/damage_files.sh
source "$root/tests/shell/damage_files.sh"

state() { grep "^state $1 " "$work/out" | head -n 1 | cut -d' ' -f3; }
one_gradient() {
    fresh
    train 2 steps=4 every=1 do=nan phase=reduction step=3 rank=1
    [ $code = 0 ] && grep -q '^3 .* skipped$' "$work/out" && [ "$(grep -c skipped "$work/out")" = 1 ] || complain "nan: not skipped just once"
    [ -n "$(state 2)" ] && [ "$(state 2)" = "$(state 3)" ] && [ "$(state 3)" != "$(state 4)" ] || complain "nan: the skipped step changed something"
    row 7 "NaN in rank 1's gradient, step 3" "skipped by all, no bit changed" "$ms" "that step"
}

# A weight that is not a number is found in the first step, with its tensor's name.
poisoned_model() {
    cp -r base/model "$work/model"
    put_nan "$work/model/model.safetensors"
    fresh
    stage 2 1 model.path="$work/model" train.max_steps=3 run.save_every=1
    [ $code = 17 ] && [ "$(errors)" = 1 ] && says 'error: (rank 1: )?[a-z0-9_.]+: element [0-9]+ is not finite' ||
        complain "a weight that is not finite: exit code $code"
    [ -z "$(ls "$work/run/checkpoints" 2>/dev/null)" ] || complain "a weight that is not finite: was saved"
    [ ! -e "$work/run/model" ] || complain "a weight that is not finite: was written as the trained model"
    row 7 "NaN in the model file" "tensor named in step 0, not saved" "$ms" nothing
}

# A weight so large that all activations overflow: weights are finite, gradients are not. The job gives up behind
# train.max_skipped_steps of them; every checkpoint of the meantime is the state that it began with.
overflow() {
    local folder skipped
    cp -r base/model "$work/model"
    put_largest "$work/model/model.safetensors"
    fresh
    stage 2 2 model.path="$work/model" train.max_steps=9 train.max_skipped_steps=3 run.save_every=1 run.keep_last=9 run.async_checkpoint=false
    [ $code = 17 ] && [ "$(errors)" = 1 ] && says 'error: step 2: no finite gradient in 3 steps in a row' ||
        complain "stage 2 without finite gradients: exit code $code"
    skipped=$(grep -o '"skipped":[0-9]*' "$work/run/metrics.jsonl" | tr '\n' ' ')
    [ "$skipped" = '"skipped":1 "skipped":2 ' ] || complain "stage 2 without finite gradients: the metrics say $skipped"
    for folder in "$work"/run/checkpoints/step-*; do
        "$bin/judo" inspect "$folder" >"$work/inspected" 2>&1 || complain "stage 2: $(tail -n 1 "$work/inspected")"
    done
    [ "$(cd "$work/run/checkpoints" && echo step-*)" = "step-000001 step-000002" ] ||
        complain "stage 2 saved $(ls "$work/run/checkpoints" | tr '\n' ' ')"
    row 7 "finite weights whose gradients overflow" "ends behind max_skipped_steps=3" "$ms" "the skipped steps"
}

# In stage 3 the same weight already leaves no logit to draw from.
overflow_in_rollout() {
    cp -r base/model "$work/model"
    put_largest "$work/model/model.safetensors"
    fresh
    stage 2 3 model.path="$work/model" train.max_steps=3 run.save_every=1
    [ $code = 17 ] && [ "$(errors)" = 1 ] && says 'error: .*no finite logit, or one that is not a number' ||
        complain "a rollout without finite logits: exit code $code"
    [ -z "$(ls "$work/run/checkpoints" 2>/dev/null)" ] || complain "a rollout without finite logits: was saved"
    row 7 "the same weight in stage 3" "stops in the rollout, not saved" "$ms" nothing
}

trial one_gradient
need_world
trial poisoned_model
trial overflow
[ $quick = 1 ] || trial overflow_in_rollout
