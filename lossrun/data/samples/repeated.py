"""Samples of a held-out part that are training samples too, such as after copying rare ones before the split."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from lossrun.data.samples.dataset import Part

# The share of a held-out part, and the number of samples, from which on repeated samples are told.
SHARE: Final = 0.05
LEAST: Final = 3
# Rows repeat by chance in a table of few different values, so a table must allow this many different rows per sample,
# in several columns of several values: one number repeats easily, and so does all that was computed from it.
POSSIBLE: Final = 100.0
COLUMNS: Final = 3
VALUES: Final = 8
# Numbers that are looked at. Larger data are not searched.
MOST_NUMBERS: Final = 1 << 26


def repeated_samples(train: Part, held_out: Mapping[str, Part]) -> dict[str, int]:
    """Return {part: the number of its samples that equal a training sample}, if chance does not explain it."""
    if train.inputs.size > MOST_NUMBERS or not held_out or not _hardly_repeat_by_chance(train.inputs):
        return {}
    known = set(_digests(train))
    counts = {name: sum(digest in known for digest in _digests(part)) for name, part in held_out.items()}
    return {name: n for name, n in counts.items() if n >= max(LEAST, SHARE * len(held_out[name]))}


def _digests(part: Part) -> list[int]:
    """Return a number for each sample. Equal samples have the same."""
    inputs = np.ascontiguousarray(part.inputs).reshape(len(part), -1)
    targets = np.ascontiguousarray(part.targets).reshape(len(part), -1)
    return [hash((row.tobytes(), target.tobytes())) for row, target in zip(inputs, targets, strict=True)]


def _hardly_repeat_by_chance(inputs: np.ndarray) -> bool:
    """Return whether the values of the columns allow far more different rows than there are."""
    if inputs.ndim > 2:
        return True
    possible, rich, wanted = 1.0, 0, POSSIBLE * len(inputs)
    for column in inputs.T:
        values = len(np.unique(column))
        possible *= values
        rich += values >= VALUES
        if possible >= wanted and rich >= COLUMNS:
            return True
    return False
