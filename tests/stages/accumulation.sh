#!/usr/bin/env bash
# accumulation.sh: a step of eight samples is the same step however it is cut: one by one, four at a time (packed into one
# pass), with activations kept or recomputed.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
options=(train.batch_size=8 train.max_steps=12)
train 1 1 single train.micro_batch=1 "${options[@]}"
train 1 1 packed train.micro_batch=4 "${options[@]}"
train 1 1 kept train.micro_batch=4 model.activation_checkpointing=none "${options[@]}"
compare single packed 1e-6 loss num_tokens
compare single packed 1e-5 grad_norm
compare packed kept 0 loss grad_norm entropy

# An image and a sample never meet another's: token-wise normalisation is a different loss, and cut alike.
options+=(train.normalization=token)
train 1 2 single-token train.micro_batch=1 "${options[@]}"
train 1 2 packed-token train.micro_batch=8 "${options[@]}"
compare single-token packed-token 1e-6 loss num_tokens
finish accumulation
