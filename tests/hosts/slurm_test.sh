#!/usr/bin/env bash
# slurm_test.sh: launch/slurm/judo.sbatch under a real Slurm of two nodes. A job that is signalled in the middle writes a
# checkpoint, requeues itself, goes on and ends with the losses of an undisturbed one. Likewise launch/scaling/run --slurm.
# 77: no Slurm here.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/../stages/jobs.sh"
# shellcheck source=tests/hosts/hosts.sh
source "$(dirname "$0")/hosts.sh"
# shellcheck source=tests/hosts/slurm.sh
source "$(dirname "$0")/slurm.sh"
root=$(cd "$(dirname "$0")/../.." && pwd)
template=$root/launch/slurm/judo.sbatch

trap 'slurm_down "$work/slurm"; hosts_down; rm -rf "$work"' EXIT
if ! command -v ip unshare slurmctld slurmd munged sbatch >/dev/null || ! hosts_up 2 2>"$work/reason"; then
    echo "skipped: this needs network namespaces and Slurm (slurm-wlm, munge): $(cat "$work/reason" 2>/dev/null)"
    exit 77
fi
slurm_up "$work/slurm" || { complain "Slurm did not start"; tail -n 20 "$work/slurm"/*.log; finish "slurm"; }

# submit RUN: the job's number; the programs are on PATH as after `source launch/environment.sh`.
submit() {
    PATH=$JUDO_PROGRAMS:$PATH sbatch --parsable --nodes=2 --ntasks-per-node=2 --output="$work/$1.log" "$template" \
        judo_stage2 stage2.yaml run.folder="$work/$1" run.save_every=0 train.max_steps=80 optimizer.schedule=constant
}

number=$(submit whole)
state=$(slurm_wait "$number" 120)
[ "$state" = COMPLETED ] || { complain "the undisturbed job: $state"; cat "$work/whole.log"; }

number=$(submit disturbed)
job=$$ # the batch job is no child: wait_for only looks whether this test lives
wait_for disturbed 20
scancel --signal=USR1 "$number"
# Slurm holds a requeued job back for two minutes; a test need not, but for the five seconds that the first start's credential
# lives (cred_expire): a start before that is refused.
wait_until 60 grep -qs requeueing "$work/disturbed.log"
sleep 8
scontrol update jobid="$number" StartTime=now
wait_until 120 grep -qs 'trained model' "$work/disturbed.log"
state=$(slurm_wait "$number" 30)
[ "$state" = COMPLETED ] || { complain "the disturbed job: $state"; cat "$work/disturbed.log"; }
grep -q 'checkpoint written, requeueing' "$work/disturbed.log" || { complain "it was not requeued"; cat "$work/disturbed.log"; }
grep -q 'resuming' "$work/disturbed.log" || { complain "it did not resume"; scontrol show job "$number"; tail -n 5 "$work/slurm/slurmctld.log"; }
compare whole disturbed 0 loss grad_norm

# A scaling experiment: one job on one node, one on two.
PATH=$JUDO_PROGRAMS:$PATH timeout 120 "$root/launch/scaling/run" --slurm --ranks 2,4 --ranks-per-node 2 --steps 6 --sbatch --time=5 \
    --out "$work/scaling" judo_stage2 stage2.yaml >"$work/scaling.log" 2>&1 || complain "scaling: exit code $?"
for point in '2 +1 .* -' '4 +2 .* agree'; do
    grep -qE "^ +$point\$" "$work/scaling.log" || complain "scaling: no point of ranks and nodes '$point'"
done
[ $failures = 0 ] || cat "$work/scaling.log" "$work"/scaling/ranks-*/run-1/log
finish "slurm"
