"""Choose which samples are held out: exact numbers, shuffled, in proportion to the classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.samples.dataset import UnsplitData
from lossrun.data.samples.given_split import last_rows, whole_groups
from lossrun.data.samples.streams import DataStream, generator
from lossrun.errors import DataError


@dataclass(frozen=True, slots=True)
class Resample:
    """One of several splits of the same data.

    Attributes:
        way: "splits": each is drawn by a seed of its own; "folds": each tests on another part of one division.
        index: Which of the folds, from 0; not used by splits.
        count: How many there are.
        seed: Draws this split; not used by folds.
    """

    way: Literal["splits", "folds"]
    index: int
    count: int
    seed: int


def part_size(asked: int | float, samples: int, key: str, left_by: str = "") -> int:
    """Return how many of `samples` the value of the key `key` means: an integer is a count, a float a share.

    A share above 0 is at least one sample.

    Args:
        left_by: Which other part has taken samples before, in words.

    Raises:
        DataError: If nothing would be left to train on.
    """
    if isinstance(asked, float) and asked >= 1:
        raise DataError(
            f"dataset.{key}: {asked} is not a share; expected a number below 1 (a whole number is a count: {asked:.0f})"
        )
    size = asked if isinstance(asked, int) else max(1, round(asked * samples)) if asked else 0
    if size >= samples:
        raise DataError(
            f"dataset.{key}: {asked} takes {size} of {samples} samples{left_by} and leaves nothing to train on; "
            "use a smaller number"
        )
    return size


def drawn_sizes(
    asked: Mapping[str, Any], samples: int, *, own_test: bool, own_validation: bool = False
) -> tuple[int, int]:
    """Return how many samples to draw for test and then, from what remains, for validation; none for a part of its own.

    Raises DataError for `test: official` if the dataset has no such part.
    """
    if asked["test"] == "official" and not own_test:
        raise DataError("dataset.test: official, but this dataset has no official test set; use a share or a count")
    test = 0 if own_test else part_size(asked["test"], samples, "test")
    left_by = f" (test: {asked['test']} takes the rest of {samples})" if test else ""
    validation = 0 if own_validation else part_size(asked["validation"], samples - test, "validation", left_by)
    return test, validation


def draw(targets: np.ndarray, size: int, task: Task, seed: int, purpose: DataStream) -> np.ndarray:
    """Return which samples are held out, bool, (N,), with `size` of them True.

    For binary and multiclass every class is held out in proportion, by the largest remainder.
    """
    drawn = np.zeros(len(targets), bool)
    if size == 0:
        return drawn
    rng = generator(seed, purpose)
    members = [np.arange(len(targets))]
    if task in ("binary", "multiclass"):
        members = [np.flatnonzero(targets.ravel() == value) for value in np.unique(targets)]
    for indices, share in zip(members, _shares([len(indices) for indices in members], size), strict=True):
        drawn[rng.permutation(indices)[:share]] = True
    return drawn


def held_out(source: UnsplitData, rows: np.ndarray, size: int, seed: int, purpose: DataStream) -> np.ndarray:
    """Return which of the `rows` (bool) of the training source are held out, bool, (N,).

    These are the last in time, or whole groups or single samples drawn by the seed.
    """
    given = source.given
    if size and given and given.by == "order":
        return last_rows(given, rows, size)
    if size and given and given.by == "groups":
        return whole_groups(given, rows, size, seed, purpose)
    held = np.zeros(len(rows), bool)
    held[np.flatnonzero(rows)[draw(source.train.targets[rows], size, source.task, seed, purpose)]] = True
    return held


def fold_of(targets: np.ndarray, folds: int, task: Task, seed: int) -> np.ndarray:
    """Return the fold of each sample, int (N,), from 0: sizes differ by at most one, and so do those of each class."""
    if folds > len(targets):
        raise DataError(f"folds: {folds}, but there are only {len(targets)} samples to divide; use a smaller number")
    rng = generator(seed, DataStream.FOLDS)
    members = [np.arange(len(targets))]
    if task in ("binary", "multiclass"):
        members = [np.flatnonzero(targets.ravel() == value) for value in np.unique(targets)]
    found = np.empty(len(targets), int)
    # One class after the other is dealt to the folds in turn, so that no fold gets the odd samples of all classes.
    found[np.concatenate([rng.permutation(indices) for indices in members])] = np.arange(len(targets)) % folds
    return found


def _shares(counts: list[int], size: int) -> list[int]:
    """Divide `size` in proportion to `counts`: rounded down, then one more for each of the largest remainders."""
    total = sum(counts)
    shares = [count * size // total for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda i: -(counts[i] * size % total))
    for i in by_remainder[: size - sum(shares)]:
        shares[i] += 1
    return shares
