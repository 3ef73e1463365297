#!/usr/bin/env bash
# Reads the machine code of the CUDA module, which needs no GPU: hot kernels must not spill registers to memory, and the
# tensor-core kernels must have tensor-core instructions.
#   tests/cuda/check_kernels.sh CUOBJDUMP libjudo_cuda.so
set -uo pipefail
cuobjdump=$1 module=$2
hot='attention_forward_tile|attention_decode_tile|attention_decode_split|attention_query_gradientI|attention_key_gradientI|attention_decode_join|rmsnorm_|layernorm_row|finish_rows|column_runs|each|update|move_heads|gather|scatter|patchify'
tensor='attention_forward_tile|attention_decode_tile|attention_decode_split|attention_query_gradientI|attention_key_gradientI'
failures=0

# Lines "Function NAME:" and then "REG:n STACK:n SHARED:n LOCAL:n ..", once per architecture.
usage=$("$cuobjdump" --dump-resource-usage "$module" 2>&1) || { echo "$usage"; exit 1; }
table=$(awk '/ Function /{name = $2; sub(":$", "", name)} /REG:/{
    reg = stack = loc = 0
    for (i = 1; i <= NF; i++) {
        split($i, part, ":")
        if (part[1] == "REG") reg = part[2]
        if (part[1] == "STACK") stack = part[2]
        if (part[1] == "LOCAL") loc = part[2]
    }
    print name, reg, stack, loc}' <<<"$usage")
count=$(grep -cE "$hot" <<<"$table")
[ "$count" -ge 20 ] || { echo "only $count hot kernels in $module: their names have changed"; failures=1; }
spilled=$(awk -v hot="$hot" '$1 ~ hot && ($3 > 0 || $4 > 0)' <<<"$table")
[ -z "$spilled" ] || { echo "kernels that keep registers in memory (name, registers, stack, local):"; echo "$spilled"; failures=1; }

# One architecture is enough: the source asks for the instruction by name.
code=$("$cuobjdump" --dump-sass "$module" 2>/dev/null | awk -v tensor="$tensor" '
    /Function :/{name = $3; if (name ~ tensor) seen[name] += 0} /HMMA/{if (name ~ tensor) seen[name]++}
    END {for (name in seen) print seen[name], name}')
[ -n "$code" ] || { echo "no tensor-core kernel in $module"; failures=1; }
idle=$(awk '$1 == 0' <<<"$code")
[ -z "$idle" ] || { echo "kernels without tensor-core instructions:"; echo "$idle"; failures=1; }

[ $failures = 0 ] && echo "kernels: ok, $count hot kernels, most registers $(awk -v hot="$hot" '$1 ~ hot && $2 > m {m = $2} END {print m}' <<<"$table")"
exit $failures
