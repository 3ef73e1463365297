#!/usr/bin/env bash
# Checks that every quoted include follows the rooms' order and that each third-party header stays in the file that wraps it.
set -u
cd "$(dirname "$0")/../.." || exit 2
failures=0
complain() { echo "$1"; failures=$((failures + 1)); }

allowed() { # allowed FROM TO
    case "$1" in
    runtime) [ "$2" = runtime ] ;;
    parallel | models | data) [ "$2" = "$1" ] || [ "$2" = runtime ] ;;
    rewards) [[ " rewards models parallel data runtime " == *" $2 "* ]] ;;
    eval) [[ " eval rewards models parallel data runtime " == *" $2 "* ]] ;;
    stages) [[ " stages eval rewards models parallel data runtime " == *" $2 "* ]] ;;
    *) true ;;
    esac
}

while IFS=: read -r file _ text; do
    target=$(sed -n 's/.*#include "\([^"]*\)".*/\1/p' <<<"$text")
    from=${file%%/*}
    to=${target%%/*}
    [ -f "$target" ] || complain "$file: include \"$target\" is not a path from the root"
    allowed "$from" "$to" || complain "$file: $from may not include $to ($target)"
done < <(grep -nE '^\s*#include "' -r runtime parallel models data rewards eval stages launch tests --include='*.[ch]' --include='*.cpp' --include='*.cu' --include='*.cuh')

fence() { # fence HEADER-REGEX ALLOWED-FILES-REGEX
    grep -lE "^\s*#include <$1>" -r runtime parallel models data rewards eval stages launch --include='*.[ch]' --include='*.cu' --include='*.cuh' 2>/dev/null |
        grep -vE "^($2)$" | while read -r file; do echo "$file: <$1> belongs in $2"; done
}
fenced=$(
    fence 'mpi\.h' 'parallel/[a-z_]*mpi\.[ch]|parallel/process\.c'
    fence 'nccl\.h' 'runtime/ops/cuda/nccl\.cu'
    fence 'hdf5\.h' 'runtime/hdf5_file\.c'
    fence 'yaml\.h' 'runtime/config_yaml\.c'
    fence 'cjson/cJSON\.h|cJSON\.h' 'runtime/json\.c'
    fence 'dnnl[a-z_]*\.h' 'runtime/ops/matmul_cpu\.c'
    fence 'cublasLt\.h' 'runtime/ops/cuda/matmul\.cu'
    fence 'cuda_[a-z0-9_]*\.h' 'runtime/ops/cuda/cuda\.h'
    fence 'dlfcn\.h' 'runtime/device\.c|runtime/ops/cuda/cudnn_library\.c'
    fence 'cudnn[a-z_0-9]*\.h' 'runtime/ops/cuda/cudnn_library\.h'
    fence 'png\.h' 'data/image_png\.c'
    fence 'jpeglib\.h|jerror\.h' 'data/image_jpeg\.c'
    fence 'utf8proc\.h' 'data/[a-z_0-9]*\.c'
)
[ -n "$fenced" ] && { echo "$fenced"; failures=$((failures + 1)); }
[ $failures = 0 ] && echo "layers: ok"
exit $((failures > 0))
