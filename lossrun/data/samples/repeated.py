"""Samples of a held-out part that are training samples too, such as after copying rare ones before the split."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from lossrun.data.samples.dataset import Part
from lossrun.data.tables.inputs import blocks

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
_WORD: Final = 8  # bytes
_MIXING: Final = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)
_LAST_SHIFT: Final = np.uint64(31)


def repeated_samples(train: Part, held_out: Mapping[str, Part]) -> dict[str, int]:
    """Return {part: the number of its samples that equal a training sample}, if chance does not explain it."""
    if train.inputs.size > MOST_NUMBERS or not held_out or not _hardly_repeat_by_chance(train.inputs):
        return {}
    known = np.sort(np.concatenate([*_digests(train)]))
    counts = {name: sum(_among(known, digests) for digests in _digests(part)) for name, part in held_out.items()}
    return {name: n for name, n in counts.items() if n >= max(LEAST, SHARE * len(held_out[name]))}


def _among(known: np.ndarray, digests: np.ndarray) -> int:
    """Return how many of the numbers are among the known ones, which are sorted."""
    places = np.minimum(np.searchsorted(known, digests), len(known) - 1)
    return int((known[places] == digests).sum())


def _digests(part: Part) -> Iterator[np.ndarray]:
    """Yield a number for each sample, uint64, some MB of samples at a time. Equal samples have the same number.

    Two different samples have the same one with a probability of 2^-64.
    """
    for start, inputs in blocks(part.inputs):
        rows = [each.reshape(len(inputs), -1) for each in (inputs, part.targets[start : start + len(inputs)])]
        numbers = [np.ascontiguousarray(each).view(np.uint8) for each in rows]
        filled = np.zeros((len(inputs), -sum(each.shape[1] for each in numbers) % _WORD), np.uint8)
        words = np.concatenate([*numbers, filled], axis=1).view(np.uint64)
        digests = np.zeros(len(words), np.uint64)
        for word in words.T:
            digests ^= word
            # Every bit of a word changes half of the bits: splitmix64 (Steele and others 2014, Fast splittable
            # pseudorandom number generators).
            for shift, factor in _MIXING:
                digests ^= digests >> shift
                digests *= factor
            digests ^= digests >> _LAST_SHIFT
        yield digests


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
