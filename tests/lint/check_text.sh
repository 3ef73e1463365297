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
refuse 'work left standing' '\b(TODO|FIXME|XXX|HACK)\b' '*.c' '*.h' '*.cu' 'CMakeLists.txt' '*.cmake' 'launch/*'
refuse 'tabs' $'\t' '*.c' '*.h' '*.cu'
refuse 'paths of one machine' '(^|[^.[:alnum:]])/(work|home|root)/' '*.c' '*.h' '*.cu' '*.md' '*.txt' '*.yaml' '*.py' 'launch/*'
[ $failures = 0 ] && echo "text: ok"
exit $failures
