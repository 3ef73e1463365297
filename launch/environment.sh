# Source this before typing mpirun: `source launch/environment.sh`. Bash or any POSIX shell.
#
# Open MPI refuses two things by default that are normal on a workstation or in a container; each has a
# switch, and this file sets it for the current shell only:
#   - starting as root (the usual user of a container). There is no configuration file for this, only the environment.
#   - starting more ranks than there are cores ("not enough slots"), as in `mpirun -np 4` on two cores.
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_rmaps_base_oversubscribe=1
# With as many ranks as cores or more, ranks wander freely: judo sets its thread count from the CPUs it may use.
export OMPI_MCA_hwloc_base_binding_policy=none

judo_root=$(cd "$(dirname "${BASH_SOURCE:-$0}")/.." && pwd)
case ":$PATH:" in
*":$judo_root/build/cpu/bin:"*) ;;
*) export PATH="$judo_root/build/cpu/bin:$PATH" ;;
esac
unset judo_root
