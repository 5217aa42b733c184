from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lossrun.data.sources.synthetic import synthetic_classification, synthetic_regression
from lossrun.errors import DataError

Filled = Callable[..., dict[str, Any]]
NONE = {"name": "none"}


def regression(filled: Filled, **given: Any) -> tuple[np.ndarray, np.ndarray]:
    part = synthetic_regression(filled("synthetic_regression", **given)).train
    return part.inputs.astype(np.float64), part.targets[:, 0].astype(np.float64)


def residual(design: np.ndarray, y: np.ndarray) -> float:
    """What the best linear combination of the columns, with a constant, leaves of y."""
    design = np.column_stack([np.ones(len(y)), design])
    return float(np.abs(y - design @ np.linalg.lstsq(design, y)[0]).max())


def test_each_kind_is_the_function_it_says(filled: Filled) -> None:
    x, y = regression(filled, kind="linear", noise=NONE)
    assert residual(x, y) < 1e-5
    x, y = regression(filled, kind="polynomial", noise=NONE)
    assert residual(np.hstack([x, x**2, x**3]), y) < 1e-5
    assert residual(np.hstack([x, x**2]), y) > 0.1
    x, y = regression(filled, kind="sinusoid", noise=NONE)
    assert residual(np.sin(np.pi * x), y) < 1e-5


def test_friedman1_is_the_published_formula(filled: Filled) -> None:
    x, y = regression(filled, kind="friedman1", features=7, noise=NONE)
    assert x.min() >= 0
    assert x.max() <= 1
    expected = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    assert y == pytest.approx(expected, abs=1e-5)
    # Over uniform inputs the mean is 10 (gamma + ln pi - Ci(pi))/pi + 20/12 + 10/2 + 5/2 = 14.41; its error is 0.15.
    assert y.mean() == pytest.approx(14.41, abs=0.6)


def test_friedman1_needs_five_features(filled: Filled) -> None:
    with pytest.raises(DataError, match=r"^dataset.features: 4, .* at least 5"):
        regression(filled, kind="friedman1", features=4)


@pytest.mark.parametrize(
    ("noise", "mean_size"),
    [
        ({"name": "gaussian", "std": 2.0}, 2 * np.sqrt(2 / np.pi)),  # mean of |z| is sqrt(2/pi)
        ({"name": "laplace", "scale": 2.0}, 2.0),
        ({"name": "student_t", "df": 3.0, "scale": 2.0}, 2 * 2 * np.sqrt(3) / np.pi),  # mean of |t_3|: 2 sqrt(3)/pi
    ],
)
def test_noise_is_added_to_unchanged_data(filled: Filled, noise: dict[str, Any], mean_size: float) -> None:
    x, clean = regression(filled, samples=20000, features=2, noise=NONE)
    same_x, noisy = regression(filled, samples=20000, features=2, noise=noise)
    assert np.array_equal(x, same_x)
    assert np.abs(noisy - clean).mean() == pytest.approx(mean_size, rel=0.05)


@pytest.mark.parametrize("kind", ["linear", "polynomial", "sinusoid", "friedman1"])
def test_the_seed_decides(filled: Filled, kind: str) -> None:
    first, again, other = (regression(filled, kind=kind, samples=20, seed=seed)[1] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("kind", ["blobs", "moons", "circles", "spirals", "xor"])
def test_classes_are_equally_many_and_the_seed_decides(filled: Filled, kind: str) -> None:
    sources = [synthetic_classification(filled("synthetic_classification", kind=kind, seed=s)) for s in (0, 0, 1)]
    first, again, other = (source.train.inputs for source in sources)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    counts = np.unique(sources[0].train.targets, return_counts=True)[1]
    assert counts.max() - counts.min() <= 1
    assert len(counts) == len(sources[0].classes)


def test_points_lie_on_their_shape(filled: Filled) -> None:
    def points(kind: str) -> tuple[np.ndarray, np.ndarray]:
        part = synthetic_classification(filled("synthetic_classification", kind=kind, noise=0.0)).train
        return part.inputs, part.targets.ravel()

    x, y = points("circles")
    assert np.hypot(*x.T) == pytest.approx(np.where(y == 0, 1, 0.5), abs=1e-6)
    x, y = points("moons")
    centre = np.where(y[:, np.newaxis] == 0, [0, 0], [1, 0.5])
    assert np.hypot(*(x - centre).T) == pytest.approx(1, abs=1e-6)
    assert (np.sign(x[:, 1] - centre[:, 1]) * np.where(y == 0, 1, -1) >= 0).all()
    x, y = points("xor")
    assert ((x[:, 0] * x[:, 1] < 0) == y).all()
    assert {tuple(row) for row in np.sign(x)} == {(1, 1), (1, -1), (-1, 1), (-1, -1)}
    x, y = points("blobs")
    assert len(np.unique(x, axis=0)) == 3
    x, y = points("spirals")
    radius = np.hypot(*x.T)
    turned = np.exp(-1j * (2 * np.pi * y / 3 + 3 * np.pi * radius)) * (x[:, 0] + 1j * x[:, 1])
    assert turned == pytest.approx(radius, abs=1e-5)


def test_multilabel_data_have_labels_of_0_and_1(filled: Filled) -> None:
    source = synthetic_classification(filled("synthetic_classification", kind="multilabel", classes=4))
    assert source.task == "multilabel"
    assert source.train.inputs.shape == (1000, 10)
    assert source.train.targets.shape == (1000, 4)
    assert set(np.unique(source.train.targets)) == {0, 1}


def test_two_classes_are_binary_unless_the_task_says_otherwise(filled: Filled) -> None:
    binary = synthetic_classification(filled("synthetic_classification", kind="moons"))
    assert (binary.task, binary.target_size, binary.train.targets.shape) == ("binary", 1, (1000, 1))
    two = synthetic_classification(filled("synthetic_classification", kind="moons", task="multiclass"))
    assert (two.task, two.target_size, two.train.targets.dtype) == ("multiclass", 2, np.int64)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"kind": "moons", "classes": 3}, "exactly 2"),
        ({"kind": "spirals", "features": 3}, "always has 2"),
        ({"kind": "blobs", "task": "binary"}, "there are 3 classes"),
        ({"kind": "multilabel", "task": "multiclass"}, "leave it out"),
    ],
)
def test_impossible_shapes_are_refused(filled: Filled, given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        synthetic_classification(filled("synthetic_classification", **given))
