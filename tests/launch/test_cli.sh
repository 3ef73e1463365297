#!/usr/bin/env bash
# tests/launch/test_cli.sh: every subcommand's everyday use.
. tests/launch/fixture.sh
make_fixture

# numbers KEY FILE: the numbers of the first array KEY, one a line.
numbers() { grep -o "\"$1\":\[[^]]*\]" "$2" | head -n 1 | sed 's/.*\[//; s/\]//' | tr ',' '\n'; }

it "judo --help lists the commands" judo --help
for command in synth init pack inspect tokenize score generate embed cells reward report plan; do
    prints "^  $command "
done
for command in synth init pack inspect tokenize score generate embed cells reward report plan; do
    it "judo $command --help teaches" judo $command --help
    prints "^usage: judo $command"
done
for program in judo_stage1 judo_stage2 judo_stage3 judo_eval; do
    it "$program --help teaches" $program --help
    prints "^  data.path"
    it "$program --version names itself" $program --version
    prints "^$program [0-9]"
done
it "judo --version names itself" judo --version
prints '^judo [0-9]'

echo '{"text": "Is there any defect?<|im_end|>"}' >text.jsonl
it "tokenize gives ids" judo tokenize model --input text.jsonl
prints '^\{"tokens":\[[0-9,]+\]\}$'
cp out tokens.jsonl
it "tokenize gives the text back" judo tokenize model --input tokens.jsonl
prints '^\{"text":"Is there any defect\?<\|im_end\|>"\}$'
it "tokenize --plain splits special tokens" judo tokenize model --plain --input text.jsonl
[ "$(numbers tokens out | wc -l)" -gt "$(numbers tokens tokens.jsonl | wc -l)" ] || fail "a special token stayed whole"

sed 's/^{/{"skip_special": true, /' tokens.jsonl >skip.jsonl
it "tokenize leaves special tokens out" judo tokenize model --input skip.jsonl
prints '^\{"text":"Is there any defect\?"\}$'
mkdir bert
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' is there any defect '?' >bert/vocab.txt
it "tokenize reads a BERT folder" judo tokenize bert --input text.jsonl --max-tokens 6
prints '^\{"tokens":\[2,5,6,7,8,3\]\}$'

mask=$(find data/Synth-A -name '*_mask.png' | sort | head -n 1)
it "cells reads a mask" judo cells "$mask"
prints '"cells":\[\[[0-9]+,[0-9]+\].*"text":"<seg>\([0-9]+,[0-9]+\)'

echo '{"id": 3, "completion": "<think>The gear is worn, so A.</think><answer>A</answer>", "answer": "A"}' >reward.jsonl
it "reward judges a completion" judo reward --input reward.jsonl
prints '^\{"id":3,"rewards":\{"choice":1,.*"domain":null\},"total":.*"predicted_answer":"A"'
it "reward knows presets" judo reward --input reward.jsonl --preset grpo --definition reference
prints '"total":'

messages='"messages": [{"role": "user", "content": [{"type": "image", "image": "pretrain/00000.png"}, {"type": "text", "text": "Is there any defect?"}]}]'
echo "{\"id\": \"a\", $messages, \"max_new_tokens\": 9}" >request.jsonl
it "tokenize shows the ids of messages" judo tokenize model --root data --input request.jsonl
cp out plain_ids
echo "{$messages, \"add_vision_id\": true, \"add_generation_prompt\": false}" >named.jsonl
it "tokenize names pictures when asked" judo tokenize model --root data --input named.jsonl
cp out named_ids
it "tokenize gives the conversation back" judo tokenize model --input named_ids
prints '^\{"text":"<\|im_start\|>system.*Picture 1: <\|vision_start\|>(<\|image_pad\|>)+<\|vision_end\|>Is there any defect\?<\|im_end\|>\\n"\}$'
it "tokenize gives the plain conversation back" judo tokenize model --input plain_ids
prints '<\|im_start\|>user\\n<\|vision_start\|>.*<\|im_start\|>assistant\\n"\}$'
it "generate completes" judo generate model --root data --input request.jsonl
prints '^\{"id":"a","text":".*","tokens":\[[0-9,]+\],"logprobs":\[-[-0-9.,e]+\],"stopped":(true|false)\}$'
cp out first
it "generate again" judo generate model --root data --input request.jsonl
cmp -s out first || fail "greedy completions differ between two runs"
echo "{$messages, \"completion_tokens\": [$(numbers tokens first | paste -sd,)]}" >score.jsonl
it "score takes generated ids" judo score model --root data --input score.jsonl
numbers logprobs out >a
numbers logprobs first >b
checks=$((checks + 1))
paste a b | awk '{d = $1 - $2; if (d < 0) d = -d; if (!(d <= 1e-6)) bad = 1} END {exit bad || NR == 0}' ||
    fail "score and generate disagree about log-probabilities"
echo "{$messages, \"completion\": \"No.<|im_end|>\"}" >score.jsonl
it "score takes a text" judo score model --root data --input score.jsonl
prints '^\{"tokens":\[[0-9,]+\],"logprobs":\[-[-0-9.,e]+\]\}$'
numbers tokens out | tail -n 1 >a
judo tokenize model --input <(echo '{"text": "<|im_end|>"}') >end
[ "$(cat a)" = "$(numbers tokens end)" ] || fail "the completion does not end with <|im_end|>"
it "score takes an empty completion" judo score model --input <(echo '{"messages": [{"role": "user", "content": "a"}], "completion": ""}')
prints '^\{"tokens":\[\],"logprobs":\[\]\}$'

it "generate draws n completions" judo generate model --root data --input request.jsonl --n 3 --temperature 1 --seed 5 --top-k 50 --top-p 0.9
prints '^\{"id":"a","completions":\[\{"text":.*\},\{"text":.*\},\{"text":.*\}\]\}$'
cp out first
it "generate draws the same again" judo generate model --root data --input request.jsonl --n 3 --temperature 1 --seed 5 --top-k 50 --top-p 0.9
cmp -s out first || fail "the same seed gave another text"
it "generate with another seed" judo generate model --root data --input request.jsonl --n 3 --temperature 1 --seed 6 --top-k 50 --top-p 0.9
! cmp -s out first || fail "another seed gave the same texts"
it "generate without control tokens" judo generate model --root data --input request.jsonl --ban-controls --temperature 1 --repetition-penalty 1.2 --min-p 0.01
prints '"stopped":'

it "inspect describes a model" judo inspect model --tensors
prints '^parameters +[0-9]+ in [0-9]+ tensors$'
prints '^  decoder +[0-9]+ +[0-9.]+ %$'
prints '^  model.embed_tokens.weight \[[0-9]+, 64\]$'
prints '^check +all weights are finite'
it "inspect describes a dataset" judo inspect packed.h5
prints '^  segmentation \(stage 1\) +8 \('
prints '^check +all pictures and [1-9][0-9]* masks can be read$'
it "stage 1 trains" judo_stage1 config.yaml
it "--print-config resolves" judo_stage1 --print-config config.yaml train.batch_size=4
prints 'batch_size: 4'
it "inspect reads a checkpoint" judo inspect run/checkpoints/step-000001 --model model
prints '^step +1$'
prints '^parameters +[0-9]+ in [0-9]+ tensors, [1-9][0-9]* of them with moments$'
prints "^check +every tensor is whole and has its checksums; the tensors are the model's$"
it "judo_eval evaluates" judo_eval model.path=run/model data.path=packed.h5 eval.folder=eval eval.max_new_tokens=4 data.limit=4 \
    eval.max_tokens=2048 eval.max_patches=2048
it "report makes a page" judo report report.html --run "Stage one=run" --eval "Base <1>=eval" --eval eval --title "A title"
prints '<h1>A title</h1>' report.html
prints 'Stage one' report.html
prints 'Base &lt;1&gt;' report.html
finish
