"""Decoded arrays kept as .npy, so that a second start maps them instead of decompressing.

One file per array, named <key>-<SHA-256 of the array>.npy: the name says what the content must be, so a damaged file is
found out and made again. Writing is atomic; where it fails the array is simply not kept.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from lossrun.data.samples.hashing import array_digest


def cached(key: str, folder: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """The array kept under `key` in `folder`, memory-mapped and read-only, or a newly made one."""
    for path in folder.glob(f"{key}-*.npy"):
        # Whatever is wrong with a kept file, it can be made again.
        with suppress(OSError, ValueError, EOFError):
            kept: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            if path.stem == f"{key}-{array_digest(kept)}":
                return kept
        with suppress(OSError):
            path.unlink()
    array = make()
    with suppress(OSError):
        _keep(array, folder, f"{key}-{array_digest(array)}.npy")
    return array


def _keep(array: np.ndarray, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, array, allow_pickle=False)
        Path(temporary).replace(folder / name)
    except BaseException:
        Path(temporary).unlink()
        raise
