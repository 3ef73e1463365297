#!/usr/bin/env bash
# two_test.sh: jobs over two hosts with a network between them: the same bits as on one host, over a slow cable too; a cut
# cable ends the job within the deadline, and the same command goes on when it is mended. 77: hosts cannot be made here.
# shellcheck source=tests/stages/jobs.sh
source "$(dirname "$0")/../stages/jobs.sh"
# shellcheck source=tests/hosts/hosts.sh
source "$(dirname "$0")/hosts.sh"

trap 'hosts_down; rm -rf "$work"' EXIT
if ! command -v ip tc unshare >/dev/null || ! hosts_up 2 2>"$work/reason"; then
    echo "skipped: hosts need network namespaces, ip and tc: $(cat "$work/reason" 2>/dev/null)"
    exit 77
fi

# across RUN [key=value ...]: stage 2 on two ranks on each of the hosts.
across() {
    hosts_mpirun 2 "$JUDO_PROGRAMS/judo_stage2" stage2.yaml run.folder="$work/$1" "${@:2}" >"$work/$1.log" 2>&1
}
keys=(loss grad_norm entropy)

train 4 2 here
across there || { complain "two hosts: exit code $?"; cat "$work/there.log"; }
compare here there 0 "${keys[@]}"

host_limit 1 200mbit
across slowly || { complain "a slow cable: exit code $?"; cat "$work/slowly.log"; }
compare here slowly 0 "${keys[@]}"

# Unplugged in the middle. Enough steps that the cut comes before the end.
cut=(run.save_every=5 run.deadline_seconds=8 optimizer.schedule=constant)
across cut "${cut[@]}" train.max_steps=2000 &
job=$!
wait_for cut 12
host_cut 2
begin=$SECONDS
ranks() { pgrep -f "^$JUDO_PROGRAMS/judo_stage2.*$work/cut" >/dev/null; }
while ranks && [ $((SECONDS - begin)) -lt 60 ]; do sleep 0.2; done
took=$((SECONDS - begin))
[ $took -le 15 ] || complain "a cut cable: the ranks took $took s to end"
grep -q 'did not complete within 8 s' "$work/cut.log" || { complain "a cut cable: no word of the deadline"; cat "$work/cut.log"; }
# mpirun itself waits for the daemon behind the cut as long as TCP does (net.ipv4.tcp_retries2): that is not judo's.
pkill -9 -f "$hosts_tag"
wait $job && complain "a cut cable: the job ended well"
echo "cut cable: all ranks ended after $took s"
host_join 2
across cut "${cut[@]}" train.max_steps=30 || { complain "mended: exit code $?"; cat "$work/cut.log"; }
grep -q 'resuming' "$work/cut.log" || complain "mended: it did not resume"
finish "two hosts"
