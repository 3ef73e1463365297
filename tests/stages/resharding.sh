#!/usr/bin/env bash
# resharding.sh: a run that goes on on another number of ranks (4, then 2, then 1) stays on its way to rounding.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/jobs.sh"
options=(optimizer.schedule=constant)
train 4 1 whole train.max_steps=24 "${options[@]}"
train 4 1 moved train.max_steps=8 "${options[@]}"
train 2 1 moved train.max_steps=16 "${options[@]}"
train 1 1 moved train.max_steps=24 "${options[@]}"
compare whole moved 1e-6 loss num_tokens
compare whole moved 1e-5 grad_norm entropy
finish resharding
