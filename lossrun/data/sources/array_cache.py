"""Keep decoded arrays as .npy files, so that the next start maps them into memory instead of decompressing.

There is one file per array, <key>-<SHA-256 of the array>.npy. The name says what the content must be, so a damaged file
is detected and written again. Writing is atomic; if it fails, the array is not kept.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from lossrun.data.samples.hashing import array_digest
from lossrun.data.sources.download import new_file, remove_abandoned


def cached(key: str, folder: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Return the array kept under `key` in `folder`, memory-mapped and read-only, or make it."""
    for path in folder.glob(f"{key}-*.npy"):
        # A kept file can always be made again, whatever is wrong with it.
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
    remove_abandoned(folder / name)
    with new_file(folder / name, synced=False) as file:
        np.save(file, array, allow_pickle=False)
