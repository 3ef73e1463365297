"""Writes tests/golden/runtime/h5py.h5: what h5py makes of arrays, text and layouts.

Usage: python hdf5_h5py.py OUT_FILE
"""
import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1], "w") as file:
    file.attrs["text"] = "grüße"
    file.attrs["fixed"] = np.bytes_("fixed")
    file.attrs["number"] = 42
    file.attrs["pair"] = [1, 2]
    file["grid"] = np.arange(6, dtype="<i4").reshape(2, 3)
    file["big_endian"] = np.arange(3, dtype=">i4")
    file["double"] = np.arange(3, dtype="<f8")
    file["scalar"] = np.int64(3)
    file.create_dataset("chunked", data=np.arange(4, dtype="<u8"), chunks=(2,))
    file["good/bytes"] = np.frombuffer(b"abc", dtype="u1")
    file["good/offsets"] = np.array([0, 1, 1, 3], dtype="<u8")
    file["falling/bytes"] = np.frombuffer(b"abc", dtype="u1")
    file["falling/offsets"] = np.array([0, 3, 1, 3], dtype="<u8")
    file["short/bytes"] = np.frombuffer(b"abc", dtype="u1")
    file["short/offsets"] = np.array([0, 2], dtype="<u8")
    file["late/bytes"] = np.frombuffer(b"abc", dtype="u1")
    file["late/offsets"] = np.array([1, 3], dtype="<u8")
    file["none/bytes"] = np.frombuffer(b"", dtype="u1")
    file["none/offsets"] = np.array([], dtype="<u8")
    # Without storage: a few bytes on disk that claim to be 4 exabytes.
    file.create_dataset("huge", shape=(2**59,), dtype="<u8", chunks=(1024,))
