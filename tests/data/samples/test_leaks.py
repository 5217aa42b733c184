"""Columns that give the target away, among random ones that do not."""

import numpy as np
import pytest

from lossrun.catalog.declaration import Task
from lossrun.data.samples.leaks import leaking_columns

RANDOM = np.random.default_rng(0)
NAMES = ("a", "b", "c", "d")
NUMBERS = RANDOM.normal(size=(200, 4))
PRICE = RANDOM.normal(size=(200, 1))
LABELS = RANDOM.integers(0, 3, 200)
FLAGS = RANDOM.integers(0, 2, (200, 2)).astype(float)


def with_column(place: int, values: np.ndarray) -> np.ndarray:
    inputs = NUMBERS.copy()
    inputs[:, place] = values.ravel()
    return inputs


ALMOST = PRICE.copy()
ALMOST[-1] += 1


@pytest.mark.parametrize(
    ("inputs", "targets", "task", "expected"),
    [
        (NUMBERS, PRICE, "regression", ()),
        (with_column(2, PRICE), PRICE, "regression", ("c",)),
        (with_column(2, PRICE), np.hstack([FLAGS, PRICE]), "regression", ("c",)),
        (with_column(2, ALMOST), PRICE, "regression", ()),
        (with_column(2, 2 * PRICE), PRICE, "regression", ()),
        (with_column(0, FLAGS[:, 1]), FLAGS, "multilabel", ("a",)),
        (with_column(3, LABELS), LABELS, "multiclass", ("d",)),
        (with_column(3, np.array([7.0, -1.0, 2.5])[LABELS]), LABELS, "multiclass", ("d",)),
        (with_column(3, np.array([7.0, 7.0, 2.5])[LABELS]), LABELS, "multiclass", ()),
        (with_column(1, 1 - FLAGS[:, 0]), FLAGS[:, :1].astype(int), "binary", ("b",)),
        # A constant column is not a target, and copying all inputs is the purpose of an autoencoder.
        (with_column(1, np.ones(200)), np.ones((200, 1)), "regression", ()),
        (with_column(1, np.ones(200)), np.zeros(200, int), "binary", ()),
        (NUMBERS, NUMBERS, "regression", ()),
        (PRICE, PRICE, "regression", ()),
        # Few samples agree by chance, and images have no columns.
        (with_column(3, LABELS)[:31], LABELS[:31], "multiclass", ()),
        (with_column(2, PRICE)[:7], PRICE[:7], "regression", ()),
        (with_column(2, PRICE).reshape(200, 2, 2), PRICE, "regression", ()),
    ],
)
def test_what_gives_the_target_away(
    inputs: np.ndarray, targets: np.ndarray, task: Task, expected: tuple[str, ...]
) -> None:
    assert leaking_columns(inputs, targets, NAMES, task) == expected
