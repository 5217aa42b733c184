from typing import Any

import numpy as np
import pytest

from lossrun.data.tables.inputs import as_array, as_inputs
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
def test_inputs_get_the_shape_that_models_take(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
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
    torch = pytest.importorskip("torch")

    assert as_array(torch.ones(2, 3, requires_grad=True), "x").tolist() == [[1, 1, 1], [1, 1, 1]]


def test_bfloat16_becomes_float32_which_holds_each_of_its_numbers() -> None:
    torch = pytest.importorskip("torch")
    array = as_array(torch.tensor([[1.0, -0.15625], [3e38, 1e-40]], dtype=torch.bfloat16), "x")
    assert array.dtype == "float32"
    assert array[0].tolist() == [1.0, -0.15625]


def test_words_and_numbers_that_came_as_objects_are_taken() -> None:
    """As `to_numpy()` gives them for a column of words, or for numbers of several kinds."""
    assert as_array(np.array(["a", "bc"], object), "x").tolist() == ["a", "bc"]
    assert as_array(np.array(["a", "bc"], object), "x").dtype.kind == "U"
    mixed = as_array(np.array([[1, 2.5], [np.float32(3), True]], object), "x")
    assert (mixed.dtype, mixed.tolist()) == (np.float64, [[1, 2.5], [3, 1]])


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (np.array(["a", None], object), r"^x\[1\]: None is not a word"),
        (
            np.array([[1, 2], [3, "a"]], object),
            r"^x\[1, 1\]: 'a' is not a number; expected only numbers, or only words",
        ),
        ([1.5, None], r"^x\[1\]: None is not a number"),
        (np.ma.masked_array([[1, 2], [3, 4]], [[0, 0], [1, 0]]), r"^x\[1, 0\]: this value is masked"),
    ],
)
def test_the_first_value_that_is_neither_is_named(value: Any, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        as_array(value, "x")


def test_a_mask_that_hides_nothing_is_no_mask() -> None:
    assert as_array(np.ma.masked_array([1, 2], [0, 0]), "x").tolist() == [1, 2]
