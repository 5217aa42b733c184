"""Which inputs count as unscaled, and which held-out samples as repeated: what fires, and what must not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.lint.check import LintWarning

RANDOM = np.random.default_rng(0)
LABELS = np.arange(64) % 2


def found(inputs: np.ndarray, tmp_path: Path, targets: np.ndarray = LABELS, **config: Any) -> list[LintWarning]:
    np.savez(tmp_path / "data.npz", x=inputs, y=targets)
    task = "binary" if targets.dtype.kind == "i" else "regression"
    named = {"name": "npz", "path": "data.npz", "inputs": "x", "target": "y", "task": task}
    dataset = {**named, **config.pop("dataset", {})}
    given = {"dataset": dataset, "model": "mlp", "loss": "binary_cross_entropy", "optimizer": "adam", **config}
    return list(load_experiment(from_mapping({"learning_rate": 0.001, **given}, tmp_path), tmp_path).lint)


def normal(*means_and_widths: tuple[float, float]) -> np.ndarray:
    """64 samples of columns with these means and standard deviations."""
    return np.stack([RANDOM.normal(mean, width, 64) for mean, width in means_and_widths], axis=1)


def pixels(high: float, dtype: Any = np.float32) -> np.ndarray:
    return (RANDOM.integers(0, 256, (64, 1, 8, 8)) * (high / 255)).astype(dtype)


RARELY_LIT = np.where(RANDOM.random((64, 20)) < 0.02, 1 / 255, 0.0) + np.eye(64, 20)
WHITE = 1 - np.abs(RANDOM.normal(0, 0.01, (64, 5)))


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (normal((0, 1), (0, 300)), "range from"),
        (normal((0, 0.01), (0, 8)), "have columns whose ranges differ"),
        # A temperature, and a year from its beginning: narrow columns at a distance that no weight decay undoes.
        (normal((0, 1), (37, 1)), "in column 1 range from 3"),
        (normal((72, 1.5)), "far from 0 compared with their spread"),
        # In [0, 1], but all the same to a network.
        (normal((0.97, 0.002), (0.98, 0.002)), "far from 0 compared with their spread"),
        (pixels(255), "range from 0 to 255"),
        (pixels(65535, np.uint16), "range from 0 to"),
    ],
)
def test_unscaled_inputs_are_reported_with_their_cure(inputs: np.ndarray, reason: str, tmp_path: Path) -> None:
    (warning,) = found(inputs, tmp_path)
    assert warning.rule == "unscaled_inputs"
    assert reason in warning.text
    assert warning.cure == ("dataset.standardize=true",)
    assert "set dataset.standardize: true" in warning.text
    assert found(inputs, tmp_path, dataset={"standardize": True}) == []


@pytest.mark.parametrize(
    "inputs",
    [
        normal((0, 1), (5, 2), (20, 8)),  # ages and the like
        normal((0, 0.001), (0, 1)),  # a weak input, no unscaled one
        np.concatenate([WHITE, normal((0, 1))], axis=1),
        RARELY_LIT,  # pixels divided by 255 that are nearly always 0
        pixels(1),
        pixels(255, np.uint8),  # divided by 255 when they are read
        pixels(2) - 1,
        pixels(16),  # scikit-learn's digits
    ],
)
def test_scaled_inputs_are_not_reported(inputs: np.ndarray, tmp_path: Path) -> None:
    assert found(inputs, tmp_path) == []


@pytest.mark.parametrize(
    ("loss", "output", "cure"),
    [
        ("mse", "none", ("dataset.standardize.inputs=true", "dataset.standardize.targets=true")),
        # Standardized targets would be outside what these allow.
        ("msle", "none", ("dataset.standardize.inputs=true",)),
        ("mse", "sigmoid", ("dataset.standardize.inputs=true",)),
    ],
)
def test_targets_are_standardized_too_where_the_loss_allows_it(
    loss: str, output: str, cure: tuple[str, ...], tmp_path: Path
) -> None:
    model = {"name": "mlp", "output": output}
    (warning,) = found(normal((0, 300)), tmp_path, RANDOM.random(64), loss=loss, model=model)
    assert warning.cure == cure


def test_columns_that_span_powers_of_ten_are_told_of_the_logarithm(tmp_path: Path) -> None:
    (warning,) = found(10 ** RANDOM.uniform(0, 9, (64, 1)), tmp_path)
    assert "take the logarithm" in warning.text


def test_no_problems_are_found_only_where_there_are_none(tmp_path: Path) -> None:
    """A rule is a warning, and after a warning nobody says that there are no problems."""
    assert found(pixels(255), tmp_path)
    assert found(pixels(255), tmp_path, lint={"unscaled_inputs": "off"}) == []


COPIED = np.concatenate([normal((0, 1), (0, 1), (0, 1)), normal((0, 1), (0, 1), (0, 1))[:32]])


@pytest.mark.parametrize(
    ("inputs", "targets", "fires"),
    [
        (np.concatenate([COPIED, COPIED[:48]]), np.tile(LABELS, 3)[:144], True),
        (COPIED, np.tile(LABELS, 2)[:96], False),
        # Few different rows: they repeat by chance, as all inputs of three questions do.
        (RANDOM.integers(0, 5, (144, 3)).astype(float), np.tile(LABELS, 3)[:144], False),
        # A number and what was computed from it.
        (np.repeat(RANDOM.integers(1, 40, (144, 1)), 2, axis=1) * [0.2, 0.1], np.tile(LABELS, 3)[:144], False),
    ],
)
def test_repeated_samples_are_reported(inputs: np.ndarray, targets: np.ndarray, fires: bool, tmp_path: Path) -> None:
    rules = [warning.rule for warning in found(inputs, tmp_path, targets)]
    assert ("repeated_samples" in rules) == fires
