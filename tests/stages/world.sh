#!/usr/bin/env bash
# world.sh FOLDER PROGRAMS: what the tests of whole jobs train on, made from nothing in two seconds: pictures and questions,
# packed, and a base model of two blocks that has half learnt to answer with tags, so that its rewards differ.
set -eu
world=$1
programs=$2
rm -rf "$world"
mkdir -p "$world"
"$programs/judo" synth "$world" --train 1 --heldout 1 --normals 2 --pretrain 4 --size 112
cd "$world"

# Lessons: stage 3's questions, answered in the form that earns rewards.
tagged='<seg> None </seg>\\n<think> \1 </think>\\n<answer> \1 </answer>'
sed "s|\"solution\":\"\([A-D]\)\"|\"solution\":\"$tagged\"|" stage3.jsonl >lessons.jsonl
"$programs/judo" init random lessons.jsonl pretrain.jsonl stage1.jsonl stage2.jsonl --vocab 400 --hidden 64 --layers 2 \
    --heads 2 --kv-heads 1 --ffn 96 --vision-hidden 32 --vision-depth 2 --vision-heads 2 --vision-ffn 48
"$programs/judo" pack lessons.h5 --model random --stage2 lessons.jsonl
"$programs/judo" pack all.h5 --model random --stage1 stage1.jsonl --stage2 stage2.jsonl --stage3 stage3.jsonl

# Paths are relative to this folder.
cat >stage2.yaml <<END
data:
  path: all.h5
  prompts: compact
model:
  path: base/model
run:
  tensorboard: false
  save_every: 0
  log_every: 0
  deadline_seconds: 60
train:
  max_steps: 21
  max_tokens: 2048
  max_patches: 1024
  batch_size: 6
optimizer:
  learning_rate: 1e-3
END
cp stage2.yaml stage1.yaml
sed '/batch_size/d; s/1e-3/1e-4/' stage2.yaml >stage3.yaml
cat >>stage3.yaml <<END
grpo:
  prompts_per_step: 6
  group_size: 4
  max_new_tokens: 32
  temperature: 1
END
"$programs/judo_stage2" stage2.yaml run.folder=base model.path=random data.path=lessons.h5 train.max_steps=60 \
    train.batch_size=8 train.micro_batch=8 optimizer.learning_rate=1e-2 optimizer.schedule=constant run.log_every=20
