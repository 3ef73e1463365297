#!/usr/bin/env bash
# slurm.sh: functions that run Slurm on the hosts of hosts.sh; sourced after it. Real daemons, one node a host, no accounting.

slurm_up() { # slurm_up FOLDER: a controller here, a node daemon on each host; 2 CPUs a node
    local folder=$1 i
    mkdir -p "$folder/state" "$folder/spool" "$folder/tmp"
    dd if=/dev/urandom of="$folder/munge.key" bs=1 count=128 2>/dev/null && chmod 400 "$folder/munge.key"
    munged --force --key-file="$folder/munge.key" --socket="$folder/munge.sock" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munged.seed" 2>/dev/null || return 1
    slurm_configuration "$folder" >"$folder/slurm.conf"
    printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nIgnoreSystemd=yes\nConstrainCores=no\n' >"$folder/cgroup.conf"
    export SLURM_CONF=$folder/slurm.conf
    slurmctld -f "$SLURM_CONF" -i 2>/dev/null || return 1
    for ((i = 1; i <= hosts_count; i++)); do
        mkdir -p "$folder/spool/$(host_name "$i")" "$folder/tmp/$(host_name "$i")"
        ip netns exec "$(host_name "$i")" unshare --uts \
            sh -c "hostname $(host_name "$i"); exec slurmd -f $SLURM_CONF -N $(host_name "$i")" 2>/dev/null || return 1
    done
    for ((i = 0; i < 100; i++)); do
        [ "$(sinfo -h -t idle -o %D 2>/dev/null)" = "$hosts_count" ] && return 0
        sleep 0.1
    done
    return 1
}

slurm_configuration() {
    cat <<END
ClusterName=judo
SlurmctldHost=$(hostname -s)($hosts_net.254)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$1/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation=$1/state
SlurmdSpoolDir=$1/spool/%n
SlurmctldPidFile=$1/slurmctld.pid
SlurmdPidFile=$1/slurmd-%n.pid
SlurmctldLogFile=$1/slurmctld.log
SlurmdLogFile=$1/slurmd-%n.log
SlurmctldPort=$((20000 + BASHPID % 10000))
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
MpiDefault=pmix
TmpFS=$1/tmp/%n
ReturnToService=2
KillWait=5
MinJobAge=300
JobRequeue=1
$(for ((i = 1; i <= hosts_count; i++)); do
        echo "NodeName=$(host_name "$i") NodeAddr=$hosts_net.$i Port=17001 CPUs=2 RealMemory=4000 State=UNKNOWN"
    done)
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
}

slurm_down() { # slurm_down FOLDER
    local file
    for file in "$1"/slurmd-*.pid "$1"/slurmctld.pid "$1"/munged.pid; do
        [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null
    done
    sleep 0.5
}

# slurm_wait JOB SECONDS: until the job has left the queue's live states; its last state is printed.
slurm_wait() {
    local state="" i
    for ((i = 0; i < 5 * $2; i++)); do
        state=$(scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z]*\).*/\1/p')
        case "$state" in COMPLETED | FAILED | CANCELLED | TIMEOUT | NODE_FAIL) break ;; esac
        sleep 0.2
    done
    echo "$state"
}
