# tests/shell/damage_files.sh: sourced. Single damages to files.
flip() { # flip FILE OFFSET: one bit; an offset below 0 counts from the end
    local byte at=$2
    [ "$at" -ge 0 ] || at=$(($(stat -c %s "$1") + at))
    byte=$(od -An -tu1 -j "$at" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\x$(printf %x $((byte ^ 16)))" | dd of="$1" bs=1 seek="$at" conv=notrunc status=none
}

put_float() { # put_float FILE BYTES: its last fp32 value becomes these four bytes, '\x00\x00\xc0\x7f' for NaN
    # shellcheck disable=SC2059
    printf "$2" | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") - 4)) conv=notrunc status=none
}
put_nan() { put_float "$1" '\x00\x00\xc0\x7f'; }
put_largest() { put_float "$1" '\xff\xff\x7f\x7f'; } # 3.4e38
