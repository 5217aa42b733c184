from typing import Any

import numpy as np
import pytest

from lossrun.data.inputs import as_array, as_inputs
from lossrun.errors import DataError


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5,), (5, 1)),
        ((5, 3), (5, 3)),
        ((5, 8, 9), (5, 1, 8, 9)),
        ((5, 3, 8, 9), (5, 3, 8, 9)),
        ((5, 8, 9, 3), (5, 3, 8, 9)),
        ((5, 8, 9, 1), (5, 1, 8, 9)),
    ],
)
def test_shapes(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert as_inputs(np.zeros(shape), "x").shape == expected


def test_channels_last_images_are_turned_not_reshaped() -> None:
    image = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    turned = as_inputs(image, "x")
    assert turned.dtype == np.uint8
    assert turned[1, 2, 3, 4] == image[1, 3, 4, 2]


@pytest.mark.parametrize("shape", [(5, 3, 8, 3), (5, 1, 28, 1), (5, 4, 8, 9), (5, 0), (5, 1, 2, 3, 4), ()])
def test_shapes_without_one_reading_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="shape"):
        as_inputs(np.zeros(shape), "x")


def test_words_are_refused() -> None:
    with pytest.raises(DataError, match="expected numbers"):
        as_inputs(np.array([["a"]]), "x")


@pytest.mark.parametrize("value", [[[1], [1, 2]]])
def test_ragged_rows_are_refused(value: Any) -> None:
    with pytest.raises(DataError, match="equally long rows"):
        as_array(value, "x")


def test_a_tensor_that_needs_gradients_becomes_an_array() -> None:
    import torch

    assert as_array(torch.ones(2, 3, requires_grad=True), "x").tolist() == [[1, 1, 1], [1, 1, 1]]
