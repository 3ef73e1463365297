#!/usr/bin/env bash
# hosts.sh: functions that make several hosts out of one machine; sourced. A host is a network namespace with its own address
# and host name, its cable a veth pair to a bridge. Needs root, ip and tc; hosts_up fails where the kernel does not permit it.
hosts_tag=jh$(printf "%05d" $((BASHPID % 100000)) | tr 0-9 a-j) # letters: mpirun mistakes digits inside of host names
hosts_net=10.$((64 + BASHPID % 60)).$((BASHPID / 60 % 250)) # of this process alone, as far as a /24 can be
hosts_count=0

host_name() { echo "$hosts_tag$1"; } # host_name N

# hosts_up N: hosts 1 .. N, this shell's own network reachable as .254.
hosts_up() {
    local i bridge=br$hosts_tag
    hosts_count=$1
    ip link add "$bridge" type bridge && ip addr add "$hosts_net.254/24" dev "$bridge" && ip link set "$bridge" up || return 1
    for ((i = 1; i <= hosts_count; i++)); do
        ip netns add "$(host_name "$i")" &&
            ip link add "ve$hosts_tag$i" type veth peer name eth0 netns "$(host_name "$i")" &&
            ip link set "ve$hosts_tag$i" master "$bridge" up &&
            ip -n "$(host_name "$i")" addr add "$hosts_net.$i/24" dev eth0 &&
            ip -n "$(host_name "$i")" link set lo up && ip -n "$(host_name "$i")" link set eth0 up || return 1
        write_names "$i"
    done
}

# Names of all hosts as host N sees them: namespaces have their own /etc/hosts by this folder.
write_names() {
    local j
    mkdir -p "/etc/netns/$(host_name "$1")"
    {
        echo 127.0.0.1 localhost
        echo "$hosts_net.254 $(hostname -s)"
        for ((j = 1; j <= hosts_count; j++)); do echo "$hosts_net.$j $(host_name "$j")"; done
    } >"/etc/netns/$(host_name "$1")/hosts"
}

hosts_down() {
    local i
    for ((i = 1; i <= hosts_count; i++)); do
        ip link del "ve$hosts_tag$i" 2>/dev/null
        ip netns del "$(host_name "$i")" 2>/dev/null
        rm -rf "/etc/netns/$(host_name "$i")"
    done
    ip link del "br$hosts_tag" 2>/dev/null
}

host_cut() { ip link set "ve$hosts_tag$1" down; }  # host_cut N: unplugs its cable

# host_join N: plugs it in again, and waits until this side is reachable: a refused connection has arrived.
host_join() {
    local i
    ip link set "ve$hosts_tag$1" up
    for ((i = 0; i < 100; i++)); do
        ip netns exec "$(host_name "$1")" timeout 1 bash -c "exec 3<>/dev/tcp/$hosts_net.254/9" 2>&1 | grep -q refused && return
        sleep 0.1
    done
}

host_limit() { ip netns exec "$(host_name "$1")" tc qdisc replace dev eth0 root tbf rate "$2" burst 256kb latency 200ms; } # N RATE

# hosts_mpirun RANKS-A-HOST COMMAND ..: mpirun over all hosts, started by the agent beside this file instead of ssh.
hosts_mpirun() {
    local each=$1 list="" i
    shift
    for ((i = 1; i <= hosts_count; i++)); do list+=${list:+,}$(host_name "$i"):$each; done
    "$JUDO_MPIEXEC" --mca plm_rsh_agent "$hosts_agent" --host "$list" -np $((each * hosts_count)) --bind-to none \
        --mca oob_tcp_if_include "$hosts_net.0/24" --mca btl_tcp_if_include "$hosts_net.0/24" "$@"
}
hosts_agent=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/agent
