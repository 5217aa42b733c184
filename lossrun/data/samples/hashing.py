"""Hash arrays with SHA-256: two parts with the same digest hold the same numbers in the same order."""

import hashlib
from collections.abc import Mapping

import numpy as np

from lossrun.data.samples.dataset import Data, Part, Scaling
from lossrun.data.samples.scaling import coarse_columns
from lossrun.data.tables.inputs import as_float32


def array_digest(*arrays: np.ndarray) -> str:
    """Return the hex digest of dtype, shape and bytes of each array."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def part_digest(part: Part) -> str:
    """Return the digest of inputs and targets, as used in training, and of weights if there are any.

    Numbers are hashed as float32, so that runs of earlier versions recognise their data. If that would make different
    numbers equal, they are hashed in full.
    """
    weights = () if part.weights is None else (part.weights,)
    return array_digest(*map(_counted, (part.inputs, part.targets)), *weights)


def hashes(data: Mapping[int, Data]) -> dict[str, str]:
    """Return the hash of each part; if seeds have different splits, the hashes of all seeds joined by +."""
    first, *others = data.values()
    if all(one is first for one in others):
        return dict(first.hashes)
    return {part: "+".join(one.hashes[part][:16] for one in data.values()) for part in first.hashes}


def _counted(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.float64 or coarse_columns(array, Scaling.identity()).size:
        return array
    return as_float32(array)
