# tests/faults/network.sh: class 10: a cable is cut between two hosts: no reset, no end of file, only silence. tests/hosts makes the
# hosts; where network namespaces are not permitted it says so.
need_world
start=$(milliseconds)
JUDO_PROGRAMS=$bin JUDO_MPIEXEC=$mpirun JUDO_WORLD=$world JUDO_COMPARE=$bin/compare_metrics \
    "$root/tests/hosts/two_test.sh" >"$work/out" 2>"$work/err" </dev/null
code=$?
case $code in
0) happened=$(grep '^cut cable: ' "$work/out")", resumed" ;;
77) happened="SKIPPED: $(grep -o 'hosts need .*' "$work/out" | cut -c 1-40)" ;;
*) happened="see above" && complain "two hosts: $(grep FAILED "$work/out" | head -n 1)" ;;
esac
row 10 "the cable of one of two hosts is cut" "${happened#cut cable: }" $(($(milliseconds) - start)) "since the last save"
