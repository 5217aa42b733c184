from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.data.samples.corruption import corrupt, displace, replace_labels
from lossrun.errors import DataError

ASKED: dict[str, Any] = {"label_noise": 0.0, "outliers": 0.0, "outlier_scale": 10.0, "seed": 0}


@given(st.integers(2, 6), st.integers(1, 80), st.floats(0, 1), st.integers(0, 5))
def test_exactly_the_share_of_labels_becomes_another_class(classes: int, n: int, share: float, seed: int) -> None:
    targets = np.arange(n) % classes
    damaged = replace_labels(targets, "multiclass", classes, share, seed)
    assert (damaged != targets).sum() == round(share * n)
    assert damaged.dtype == np.int64
    assert set(damaged.tolist()) <= set(range(classes))


def test_every_other_class_is_equally_likely() -> None:
    damaged = replace_labels(np.zeros(9000, np.int64), "multiclass", 4, 1.0, 0)
    # 3000 each expected, standard deviation 45: six of them are a chance of one in a billion.
    assert np.abs(np.bincount(damaged)[1:] - 3000).max() < 270


@pytest.mark.parametrize(("task", "shape"), [("binary", (40, 1)), ("multilabel", (10, 4))])
def test_cells_are_flipped(task: Any, shape: tuple[int, int]) -> None:
    targets = (np.arange(40) % 2).astype(np.float32).reshape(shape)
    damaged = replace_labels(targets, task, shape[1], 0.25, 0)
    assert np.abs(damaged - targets).sum() == 10
    assert damaged.dtype == np.float32


def test_outliers_are_displaced_by_so_many_deviations() -> None:
    targets = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32)
    moved = displace(targets, 0.05, 10.0, 0) - targets
    sizes = np.abs(moved[moved != 0])
    assert len(sizes) == 10
    assert sizes == pytest.approx(10 * targets.std(), rel=1e-4)
    assert {-1.0, 1.0} == set(np.sign(moved[moved != 0]).tolist())


def test_the_seed_decides_and_the_original_stays() -> None:
    targets = np.zeros((50, 1), np.float32)
    first, second = (replace_labels(targets, "binary", 1, 0.5, seed) for seed in (0, 1))
    assert np.array_equal(first, replace_labels(targets, "binary", 1, 0.5, 0))
    assert not np.array_equal(first, second)
    assert not targets.any()


@pytest.mark.parametrize(
    ("task", "asked", "complaint"),
    [("regression", "label_noise", "use outliers"), ("multiclass", "outliers", "use label_noise")],
)
def test_damage_of_the_wrong_kind_is_refused(task: Any, asked: str, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        corrupt(np.zeros((4, 1)), task, 1, {**ASKED, asked: 0.5})


def test_constant_targets_have_no_outliers() -> None:
    with pytest.raises(DataError, match="all training targets are equal"):
        displace(np.ones((4, 1), np.float32), 0.5, 10.0, 0)


def test_one_sample_has_no_deviation() -> None:
    with pytest.raises(DataError, match="a single training sample has none; use more samples"):
        displace(np.ones((1, 1), np.float32), 0.5, 10.0, 0)


def test_what_was_done_is_said() -> None:
    _, notes = corrupt(np.zeros(100, np.int64), "multiclass", 3, {**ASKED, "label_noise": 0.05})
    assert notes == ("5.0 % of the training labels replaced",)
