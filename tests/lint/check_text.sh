#!/usr/bin/env bash
# House rules that a grep can hold: no raw exits in library rooms, no work left standing, no paths of one machine.
set -u
cd "$(dirname "$0")/../.." || exit 2
failures=0
refuse() { # refuse "why" PATTERN PATHS...
    local why=$1 pattern=$2 hits
    shift 2
    hits=$(git grep --untracked -nE "$pattern" -- "$@" 2>/dev/null)
    [ -z "$hits" ] || { echo "$why:"; sed 's/^/  /' <<<"$hits"; failures=1; }
}
rooms=(runtime parallel models data rewards eval stages)
refuse 'library code never exits' '(^|[^_a-zA-Z])(exit|abort|assert) ?\(' "${rooms[@]/%//*.c}"
refuse 'work left standing' '\b(TODO|FIXME|XXX|HACK)\b' '*.c' '*.cpp' '*.h' '*.cu' '*.cuh' 'CMakeLists.txt' '*.cmake' 'launch/*'
refuse 'tabs' $'\t' '*.c' '*.cpp' '*.h' '*.cu' '*.cuh'
refuse 'paths of one machine' '(^|[^.[:alnum:]])/(work|home|root)/' '*.c' '*.cpp' '*.h' '*.cu' '*.cuh' '*.md' '*.txt' '*.yaml' '*.py' 'launch/*'
# What the documents say is tested, is.
for name in $(grep -ohE '\b(test_[a-z0-9_]+__[a-z0-9_]+|stages\.[a-z0-9_.]*[a-z0-9_])' docs/*.md | sort -u); do
    case $name in
        test_*) pattern="\\b$name\\(" ;;
        *) pattern="judo_job_test\\(${name#stages.} " ;;
    esac
    git grep --untracked -qE "$pattern" -- tests || { echo "docs name a test that is not there: $name"; failures=1; }
done
[ $failures = 0 ] && echo "text: ok"
exit $failures
