"""Read the arrays of an npz archive that is not trusted: neither the sizes that it claims, nor its text."""

import math
import sys
import zlib
from collections.abc import Iterable
from lzma import LZMAError
from typing import Final
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.lib.npyio import NpzFile

# Errors of numpy and zipfile for objects, damage, encryption and unknown compression.
UNREADABLE: Final = (OSError, ValueError, TypeError, EOFError, RuntimeError, BadZipFile, zlib.error, LZMAError)


def check_sizes(archive: ZipFile, names: Iterable[str]) -> None:
    """Check the headers of the members `names`, and that there is room for all of them together.

    Raises:
        ValueError: If a member is not an array, or says that it has more numbers than follow.
        MemoryError: If the arrays are larger than what can be allocated.
    """
    total = 0
    for name in names:
        with archive.open(name) as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
            left = archive.getinfo(name).file_size - file.tell()
        # Of a type without bytes, any number of values would follow.
        size = math.prod(shape) * max(1, dtype.itemsize)
        if size > left and not dtype.hasobject:
            raise ValueError(f"{name} says that it has the shape {shape}, but it is shorter")
        total += size
    np.empty(total, np.uint8)


def array_of(archive: NpzFile, name: str) -> np.ndarray:
    """Read one array. Check its size first.

    Raises:
        ValueError: If the member is not an array, or has text that is not Unicode, for which numpy makes no string.
    """
    array = archive[name]
    if not isinstance(array, np.ndarray):  # the bytes of a member that is not in numpy's format
        raise ValueError(f"{name} is not an array")
    if array.dtype.kind == "U" and array.nbytes:
        codes = np.ascontiguousarray(array).reshape(-1).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if codes.max() > sys.maxunicode:
            raise ValueError(f"{name} has characters that are not Unicode")
    return array
