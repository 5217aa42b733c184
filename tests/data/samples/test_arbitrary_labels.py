"""Labels of classes are told from amounts by what the inputs know of their order."""

from collections.abc import Callable

import numpy as np
import pytest

from lossrun.data.samples.arbitrary_labels import are_arbitrary
from lossrun.data.samples.target_scale import target_scale

SAMPLES, COLUMNS, LABELS = 1000, 8, 10


def equally_frequent(values: np.ndarray) -> np.ndarray:
    """The tenth of all values that each belongs to: 0 to 9."""
    return np.argsort(np.argsort(values)) * LABELS // len(values)


def amounts(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    inputs = random.normal(size=(SAMPLES, COLUMNS))
    return inputs, equally_frequent(inputs @ random.normal(size=COLUMNS) + random.normal(size=SAMPLES))


def squares(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    inputs = random.normal(size=(SAMPLES, COLUMNS))
    return inputs, equally_frequent(inputs[:, 0] ** 2)


def nothing(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return random.normal(size=(SAMPLES, COLUMNS)), random.integers(0, LABELS, SAMPLES)


def renamed(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The same amounts under the names of others."""
    inputs, labels = amounts(random)
    return inputs, np.array([5, 2, 9, 0, 7, 4, 1, 8, 3, 6])[labels]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("drawn", "expected"), [(amounts, False), (squares, False), (nothing, False), (renamed, True)])
def test_only_an_order_that_means_nothing_is_arbitrary(
    drawn: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]], expected: bool, seed: int
) -> None:
    assert are_arbitrary(*drawn(np.random.default_rng(seed))) == expected


def test_images_and_constant_columns_are_looked_at_too() -> None:
    inputs, labels = renamed(np.random.default_rng(0))
    images = np.concatenate([inputs * 40 + 128, np.zeros_like(inputs)], axis=1).clip(0, 255).astype(np.uint8)
    assert are_arbitrary(images.reshape(SAMPLES, 4, 4), labels)
    assert not are_arbitrary(np.zeros((SAMPLES, 3)), labels)


def test_labels_are_named_where_all_are_about_equally_frequent() -> None:
    inputs, labels = renamed(np.random.default_rng(0))
    targets = labels[:, None].astype(float)
    assert target_scale([targets], [inputs]).labels
    assert not target_scale([targets]).labels
    assert not target_scale([targets + 3], [inputs]).labels
    frequent = labels < 9
    frequent[::9] = True
    assert not target_scale([targets[frequent]], [inputs[frequent]]).labels
