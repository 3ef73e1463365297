#!/usr/bin/env python3
"""Reads the machine code of the CUDA module without NVIDIA's disassembler and without a GPU: hot kernels must not keep registers
in memory, and kernels on tensor cores must have tensor-core instructions.

    tests/cuda/machine_code.py libjudo_cuda.so [REQUIRED_ARCHITECTURES]

Every instruction of compute capability 7.0 and later has 128 bits, of which the lowest 12 say what it does. The codes below were
found by compiling kernels that have, and that lack, each kind. Python's standard library is enough.
"""
import collections
import re
import struct
import sys

HMMA, STORE_LOCAL, LOAD_LOCAL = 0x23C, 0x387, 0x983
TENSOR = re.compile(r"attention_forward_tile|attention_decode_tile|attention_decode_split|attention_query_gradientI|attention_key_gradientI")
# Kernels of rare sizes may spill (rows of other types, heads of more than 128 dimensions); these run in every step.
HOT = re.compile(TENSOR.pattern + r"|attention_decode_join|rmsnorm_|layernorm_row|finish_rows|column_runs|add_runs|each|update|move_heads|gather|scatter|patchify")
LEAST_KERNELS = 20  # of one architecture; fewer means that the names above are no longer those of the source


def programs(data):
    """The programs for GPUs inside the file, ELF files of machine EM_CUDA (190), and where each begins."""
    at = data.find(b"\x7fELF")
    while at >= 0:
        if struct.unpack_from("<H", data, at + 18)[0] == 190:
            yield at
        at = data.find(b"\x7fELF", at + 4)


def sections(data, start):
    """Names and contents of an ELF file's sections."""
    table, size = struct.unpack_from("<Q", data, start + 0x28)[0], struct.unpack_from("<H", data, start + 0x3A)[0]
    count, names = struct.unpack_from("<HH", data, start + 0x3C)
    heads = [struct.unpack_from("<IIQQQQIIQQ", data, start + table + i * size) for i in range(count)]
    for head in heads:
        begin = start + heads[names][4] + head[0]
        yield data[begin:data.index(b"\0", begin)].decode(), data[start + head[4]:start + head[4] + head[5]]


def kernels(data, start):
    """Of each kernel of a program: how often each code stands in it."""
    for name, content in sections(data, start):
        if name.startswith(".text."):
            yield name[len(".text."):], collections.Counter(word & 0xFFF for word, _ in struct.iter_unpack("<QQ", content))


def architecture(data, start):
    """Compute capability x 10; newer toolkits keep it one byte higher."""
    flags = struct.unpack_from("<I", data, start + 0x30)[0]
    return flags >> 8 & 0xFF if flags >> 8 & 0xFF in range(70, 130) else flags & 0xFF


def main():
    data = open(sys.argv[1], "rb").read()
    complaints, hot = [], collections.Counter()
    for start in programs(data):
        where = architecture(data, start)
        for name, codes in kernels(data, start):
            if HOT.search(name):
                hot[where] += 1
                if codes[STORE_LOCAL] or codes[LOAD_LOCAL]:
                    complaints.append(f"sm_{where} {name}: {codes[STORE_LOCAL]} stores and {codes[LOAD_LOCAL]} loads of spilled registers")
            if TENSOR.search(name) and not codes[HMMA]:
                complaints.append(f"sm_{where} {name}: no tensor-core instruction")
    wanted = [int(word) for word in sys.argv[2:]]
    complaints += [f"no program for sm_{number} in {sys.argv[1]}" for number in wanted if number not in hot]
    complaints += [f"only {count} hot kernels for sm_{number}: their names have changed" for number, count in hot.items() if count < LEAST_KERNELS]
    if not hot:
        complaints.append(f"{sys.argv[1]} has no program that can be read; build it with -no-compress")
    if complaints:
        print(*complaints, sep="\n")
        return 1
    print("machine code: ok, hot kernels of " + ", ".join(f"sm_{number}: {count}" for number, count in sorted(hot.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
