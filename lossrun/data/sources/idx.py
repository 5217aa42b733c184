"""Read the IDX format of the MNIST family: a magic number, big-endian sizes, then bytes.

Format: http://yann.lecun.com/exdb/mnist/ ("the IDX file format"). Only unsigned bytes (type 0x08) are read.
"""

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from lossrun.errors import DataError

UNSIGNED_BYTE: Final = 0x08
MAX_DIMENSIONS: Final = 4
# Five times the training images of MNIST; a damaged header must not allocate all memory of the machine.
MAX_ELEMENTS: Final = 1 << 28


class Reader(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_idx(path: Path) -> np.ndarray:
    """Return the uint8 array in an IDX file, gzipped (`.gz`) or plain; a plain file is memory-mapped, read-only.

    Raises:
        DataError: If the file is unreadable, too short, too long or not IDX.
    """
    try:
        return _read_gzipped(path) if path.suffix == ".gz" else _map_plain(path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read as IDX: {error}; delete it and fetch it again") from error


def _read_gzipped(path: Path) -> np.ndarray:
    with gzip.open(path, "rb") as stream:
        shape, _ = _read_header(stream, path)
        # Reading one byte more than promised finds trailing bytes (and checks the gzip checksum), and keeps
        # decompression bounded.
        content = stream.read(prod(shape) + 1)
    if len(content) != prod(shape):
        raise _wrong_size(path, shape, "more" if len(content) > prod(shape) else str(len(content)))
    return np.frombuffer(content, np.uint8).reshape(shape)


def _map_plain(path: Path) -> np.ndarray:
    with path.open("rb") as stream:
        shape, offset = _read_header(stream, path)
    found = path.stat().st_size - offset
    if found != prod(shape):
        raise _wrong_size(path, shape, str(found))
    return np.memmap(path, np.uint8, "r", offset, shape)


def _read_header(stream: Reader, path: Path) -> tuple[tuple[int, ...], int]:
    """Return the shape, and the length of the header in bytes."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != UNSIGNED_BYTE or not 1 <= magic[3] <= MAX_DIMENSIONS:
        raise DataError(
            f"{path}: starts with the bytes {magic.hex(' ') or '(none)'}; expected an IDX file of unsigned bytes "
            f"(00 00 08 and 1 to {MAX_DIMENSIONS} dimensions)"
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError(f"{path}: the file ends within its header; delete it and fetch it again")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    if not 1 <= prod(shape) <= MAX_ELEMENTS:
        raise DataError(f"{path}: the header says the shape is {shape}; expected 1 to {MAX_ELEMENTS:,} elements")
    return shape, 4 + len(sizes)


def _wrong_size(path: Path, shape: tuple[int, ...], found: str) -> DataError:
    return DataError(
        f"{path}: the header says {shape}, that is {prod(shape)} bytes, but {found} follow; "
        "delete it and fetch it again"
    )
