import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lossrun.data import Scaling
from lossrun.data.samples import scaling


def test_each_column_gets_mean_0_and_deviation_1() -> None:
    table = np.array([[1, 10, 7], [3, 30, 7]], np.float32)
    fitted = scaling.fit(table)
    assert fitted.mean.tolist() == [2, 20, 7]
    assert fitted.std.tolist() == [1, 10, 1]  # the constant column keeps 1
    assert fitted.apply(table).tolist() == [[-1, -1, 0], [1, 1, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_all_pixels_of_images_share_one_mean_and_deviation(dtype: type) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5000, 1, 2, 3)).astype(dtype)
    fitted = scaling.fit(images)
    assert fitted.mean == pytest.approx(images.mean(dtype=np.float64), rel=1e-12)
    assert fitted.std == pytest.approx(images.std(dtype=np.float64), rel=1e-12)


def test_black_images_keep_deviation_1() -> None:
    assert scaling.fit(np.zeros((3, 1, 2, 2), np.uint8)).std == 1


def test_a_constant_that_float32_cannot_hold_keeps_deviation_1() -> None:
    assert scaling.fit(np.full((1000, 1), 0.1, np.float32)).std == 1


def test_pixels_divided_by_255() -> None:
    scaled = Scaling.divide_by(255.0).apply(np.array([0, 51, 255], np.uint8))
    assert scaled.dtype == np.float32
    assert scaled.tolist() == [0, np.float32(0.2), 1]


@given(arrays.arrays(np.float32, (4, 2), elements=st.floats(-1e6, 1e6, width=32)))
def test_what_is_scaled_can_be_led_back(table: np.ndarray) -> None:
    fitted = scaling.fit(table)
    back = (fitted.apply(table) * fitted.std + fitted.mean).astype(np.float32)
    # One rounding to float32 of a number of at most sqrt(N) deviations, then another of the result.
    error = 4 * np.finfo(np.float32).eps * (fitted.std + np.abs(table))
    assert (np.abs(back - table) <= error).all()


def test_the_identity_changes_no_number() -> None:
    values = np.array([[-1.5, 0.0], [2.0, 1e30]], np.float32)
    assert np.array_equal(Scaling.identity().apply(values), values)
