#!/usr/bin/env bash
# tests/launch/test_bad_input.sh: what is wrong ends in one line that names file and cause, and a code that names the kind.
. tests/launch/fixture.sh
. tests/launch/damage.sh
make_fixture
make_damage
argument=10 config=11 io=12 format=13 mismatch=14

# Command lines.
refuses "an unknown command" $argument "no command 'trane'" judo trane
refuses "an unknown option" $argument "unknown option '--sede'" judo synth x --sede 1
refuses "a number that is none" $argument "--seed: '1x' is not a number" judo synth x --seed 1x
refuses "an option without value" $argument '--seed needs a value' judo synth x --seed
refuses "too few arguments" $argument 'needs 1 argument; see judo score --help' judo score
refuses "too many arguments" $argument "unexpected argument 'other'" judo tokenize model other
refuses "a choice that is none" $argument "'x' is none of judo, grpo, anomalyr1" judo reward --preset x
refuses "no sources" $argument 'nothing to pack' judo pack x.h5 --model model
refuses "no model to pack for" $argument '--model' judo pack x.h5 --stage1 data/stage1.jsonl
refuses "nothing to report" $argument 'nothing to show' judo report x.html
refuses "a size without meaning" $argument '--hidden 63' judo init x data/stage1.jsonl --hidden 63
refuses "no blocks" $argument '--layers 0 must be 1 to' judo init x data/stage1.jsonl --layers 0
refuses "a billion blocks" $argument '--vision-depth 1000000000 must be' judo init x data/stage1.jsonl --vision-depth 1000000000
refuses "key heads that do not fit" "$format" 'sizes of the new model' judo init x data/stage1.jsonl --heads 3 --hidden 48 --kv-heads 2
[ ! -e x ] || fail "sizes without meaning left a folder"
refuses "a temperature below 0" $argument 'temperature is -1' judo generate model --temperature -1

# Files of the tools.
refuses "no JSON lines" $io 'absent.jsonl: cannot open' judo tokenize model --input absent.jsonl
refuses "no model" $io 'absent' judo score absent
refuses "no mask" $io 'absent.png: cannot open' judo cells absent.png
refuses "a truncated PNG" $format 'cut.png: damaged PNG.*truncated.*replace' judo cells cut.png
refuses "no run" $io "'absent' is not a folder" judo report x.html --run absent
refuses "no sentence encoder" $io 'absent: cannot open' judo embed absent
refuses "an embedding in fp16" $argument "--dtype 'f16': must be one of" judo embed absent --dtype f16
refuses "malformed JSON lines" $format 'malformed.jsonl:1: .*expected' judo pack x.h5 --model model --stage1 malformed.jsonl
refuses "a wrong type in JSON lines" $format "type.jsonl:1: key 'image_path': expected a string" judo pack x.h5 --model model --stage1 type.jsonl
refuses "a truncated picture of a sample" $format 'cut.png: damaged PNG' judo pack x.h5 --model model --stage1 cut_picture.jsonl
refuses "a picture that is not there" $io 'absent.png: cannot open' judo pack x.h5 --model model --stage1 no_picture.jsonl
[ ! -e x.h5 ] || fail "a dataset was left by a failed pack"
refuses "texts that are no JSON" $format 'malformed.jsonl:1' judo init x malformed.jsonl
refuses "a cut dataset" $format 'cut.h5: ' judo inspect cut.h5
refuses "neither model nor dataset" $format 'config.yaml: not an HDF5 file' judo inspect config.yaml
refuses "nothing to inspect" $io 'absent: no such file' judo inspect absent
refuses "a folder that is no model" $format 'data: neither a model directory' judo inspect data

# Requests.
ask() { # ask "what" CODE PATTERN JSON [OPTIONS..]
    local what=$1 code=$2 pattern=$3 json=$4
    shift 4
    echo "$json" >ask.jsonl
    refuses "$what" "$code" "ask.jsonl:1: $pattern" judo score model --input ask.jsonl "$@"
    refuses "$what (generate)" "$code" "ask.jsonl:1: $pattern" judo generate model --input ask.jsonl "$@"
}
user() { echo "{\"messages\": [{\"role\": \"user\", \"content\": $1}], \"completion\": \"x\"}"; }
ask "a request that is no object" $format 'a request is a JSON object' '[1]'
ask "a request that is cut off" $format '.*expected' '{"messages": ['
ask "messages that are none" $format "needs 'messages'" '{"messages": "hello", "completion": "x"}'
ask "no content" $format "message 1: 'content' must be" '{"messages": [{"role": "user"}], "completion": "x"}'
ask "no role" $format "message 1: key 'role' is missing" '{"messages": [{"content": "a"}], "completion": "x"}'
ask "a video" $format "message 1: content of type 'video'" "$(user '[{"type": "video", "video": "a.mp4"}]')"
ask "no picture" $io '.*absent.png: cannot open' "$(user '[{"type": "image", "image": "absent.png"}]')"
ask "a truncated picture" $format '.*cut.png: damaged PNG' "$(user '[{"type": "image", "image": "cut.png"}]')"
ask "a special token in a message" $format '.*<\|im_end\|>' "$(user '"a<|im_end|>"')"
ask "too many tokens" $argument '.*planned for 16 and' "$(user '"a"')" --max-tokens 16
ask "too many patches" $argument '.*raise --max-tokens or --max-patches' "$(user "[{\"type\": \"image\", \"image\": \"$picture\"}]")" --max-patches 4
echo '{"messages": [{"role": "user", "content": "a"}], "completion_tokens": [1, 99999]}' >ask.jsonl
refuses "an id beyond the vocabulary" $format 'ask.jsonl:1: token id 99999' judo score model --input ask.jsonl
echo '{"messages": [{"role": "user", "content": "a"}], "n": 0}' >ask.jsonl
refuses "no completions" $argument 'ask.jsonl:1: n is 0' judo generate model --input ask.jsonl
echo '{"messages": [{"role": "user", "content": "a"}], "n": 4096, "max_new_tokens": 1000000}' >ask.jsonl
refuses "more tokens than fit" $argument 'ask.jsonl:1: n 4096 times max_new_tokens 1000000' judo generate model --input ask.jsonl
echo '{"tokens": [-1]}' >ask.jsonl
refuses "a negative id" $format 'ask.jsonl:1: token id -1' judo tokenize model --input ask.jsonl
echo '{"completion": "x", "answer": "Z"}' >ask.jsonl
refuses "an answer that is no letter" $format 'ask.jsonl:1: "answer"' judo reward --input ask.jsonl

# Models.
for tool in "score without_specials" "inspect without_specials"; do
    refuses "a tokenizer without specials: $tool" $mismatch 'tokenizer.json: <\|im_end\|>' judo $tool
done
for tool in "generate cut" "inspect cut"; do
    refuses "truncated weights: $tool" $format 'cut/model.safetensors: .*cut off' judo $tool
done
for tool in "generate without_tensor" "inspect without_tensor"; do
    refuses "a missing tensor: $tool" $mismatch 'without_tensor: .*missing model.norm.weight' judo $tool
done

# The programs, alone.
refuses "an unknown option of a program" $argument "unknown option .--bogus" judo_stage1 --bogus
refuses "no configuration" $argument 'needs a configuration file' judo_stage1
refuses "a configuration that is not there" $io 'absent.yaml: cannot open' judo_stage1 absent.yaml
refuses "an unknown key" $config "unknown.yaml:3:3: unknown key 'run.save_evry'; did you mean 'run.save_every'" judo_stage2 unknown.yaml
refuses "an unknown key on the command line" $config "run.save_evry.*run.save_every" judo_stage1 config.yaml run.save_evry=1
refuses "a folder for the evaluation that cannot be" $io 'config.yaml/eval' judo_eval model.path=model data.path=packed.h5 eval.folder=config.yaml/eval
finish
