"""Labels of classes that are trained as numbers are told from amounts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossrun.config import from_mapping
from lossrun.experiment import Experiment, load_experiment

RANDOM = np.random.default_rng(3)
INPUTS = RANDOM.normal(size=(300, 4)).round(4)
SUMS = INPUTS.sum(axis=1)
# Six whole numbers, each for a sixth of the samples: once in the order of the sums, once not.
RATINGS = np.argsort(np.argsort(SUMS)) * 6 // 300
NAMES = np.array([3, 0, 5, 1, 4, 2])[RATINGS]


def loaded(tmp_path: Path, targets: np.ndarray, *settings: str, **more: Any) -> Experiment:
    dataset = {"name": "inline", "inputs": INPUTS.tolist(), "targets": targets.tolist(), "task": "regression", **more}
    config = {"dataset": dataset, "model": {"name": "mlp", "hidden": [8]}, "loss": "mse", "optimizer": "adam"}
    return load_experiment(from_mapping({**config, "learning_rate": 0.01}, tmp_path, settings), tmp_path)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (1, 2), (-1, 1)])
def test_two_whole_numbers_are_two_classes(tmp_path: Path, low: int, high: int) -> None:
    (found,) = loaded(tmp_path, np.where(SUMS > 0, high, low)).lint
    assert found.rule == "classes_as_numbers"
    assert f"all targets are {low} or {high}" in found.text
    assert found.cure == ("dataset.task=binary", "loss=binary_cross_entropy", "model.output=logits")


def test_labels_in_an_order_that_means_nothing_are_classes(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, NAMES).lint
    assert found.rule == "classes_as_numbers"
    assert "if they are classes, set dataset.task: multiclass" in found.text
    assert found.cure[0] == "dataset.task=multiclass"


def test_standardized_labels_are_given_back_their_values(tmp_path: Path) -> None:
    standardized = {"standardize": {"inputs": True, "targets": True}}
    (found,) = loaded(tmp_path, NAMES, **standardized).lint
    assert "dataset.standardize.targets=false" in found.cure
    cured = loaded(tmp_path, NAMES, *found.cure, **standardized)
    assert cured.facts.task == "multiclass"
    assert list(cured.lint) == []


@pytest.mark.parametrize("targets", [RATINGS, RATINGS // 2, SUMS.round(2), NAMES + 20], ids=lambda _: "amounts")
def test_amounts_are_no_classes(tmp_path: Path, targets: np.ndarray) -> None:
    assert "classes_as_numbers" not in [one.rule for one in loaded(tmp_path, targets).lint]
