#!/usr/bin/env bash
# No file over 600 lines, no function over 60 (needs universal-ctags for the second).
set -u
cd "$(dirname "$0")/../.." || exit 2
sources() { git ls-files -co --exclude-standard -- '*.c' '*.cpp' '*.h' '*.cu' '*.cuh'; }
long_files=$(sources | xargs wc -l | awk '$1 > 600 && $2 != "total" {print $2 ": " $1 " lines (at most 600)"}')
long_functions=$(sources | ctags --fields=+ne --kinds-C=f --kinds-C++=f -L - -f - 2>/dev/null | awk -F'\t' '
    !/^!/ {b = e = 0; for (i = 4; i <= NF; i++) {if ($i ~ /^line:/) b = substr($i, 6); if ($i ~ /^end:/) e = substr($i, 5)}
    if (e - b + 1 > 60) print $2 ": " $1 " has " e - b + 1 " lines (at most 60)"}')
[ -z "$long_files$long_functions" ] && { echo "lengths: ok"; exit 0; }
printf '%s\n%s\n' "$long_files" "$long_functions" | grep .
exit 1
