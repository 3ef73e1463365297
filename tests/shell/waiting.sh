# tests/shell/waiting.sh: sourced. Waiting for what other processes do, never without an end.
wait_until() { # wait_until SECONDS COMMAND ..: until it succeeds; fails if it has not in that time
    local tries=$(($1 * 50)) i
    shift
    for ((i = 0; i < tries; i++)); do
        "$@" && return
        sleep 0.02
    done
    return 1
}

# rank_process JOB N: the process of rank N of a launcher's process that runs on this machine.
rank_process() { pgrep -P "$1" | sed -n "$(($2 + 1))p"; }
