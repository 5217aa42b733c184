"""The values at which a loss may get stuck, compared with closed forms."""

from math import e, log, nan
from typing import Any

import numpy as np
import pytest
import torch

from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.health.floors import Floors, floors, quantiles
from lossrun.steps.evaluate import output_spec_of
from lossrun.training.starting.prepare import prepare
from tests.training.conftest import Laboratory

COMMON: dict[str, Any] = {"optimizer": "adam", "learning_rate": 0.01, "lint": "warn"}


def classes_of(count: int, per_class: int = 6) -> dict[str, Any]:
    """Balanced classes, all of them for training."""
    samples = count * per_class
    inputs = [[i % 7, i % 5] for i in range(samples)]
    return {
        "name": "inline",
        "inputs": inputs,
        "targets": [i % count for i in range(samples)],
        "task": "binary" if count == 2 else "multiclass",
        "validation": 0,
    }


def numbers(values: list[float]) -> dict[str, Any]:
    return {
        "name": "inline",
        "inputs": [[i] for i in range(len(values))],
        "targets": values,
        "task": "regression",
        "validation": 0,
    }


def floors_of(laboratory: Laboratory, dataset: dict[str, Any], loss: Any, output: str = "auto") -> Floors:
    config = {**COMMON, "dataset": dataset, "loss": loss, "model": {"name": "mlp", "hidden": [4], "output": output}}
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    replica = prepare(examined).replicas[0]
    return floors(replica, output_spec_of(examined.config, examined.facts), examined.config)


@pytest.mark.parametrize("count", [3, 4, 10, 100])
@pytest.mark.parametrize("output", ["logits", "softmax"])
def test_chance_is_the_logarithm_of_the_classes(laboratory, count, output):
    found = floors_of(laboratory, classes_of(count), "cross_entropy", output)
    assert found.chance == pytest.approx(log(count), rel=1e-6)
    # Balanced classes: their shares are no more informative.
    assert found.constant == pytest.approx(log(count), rel=1e-6)
    assert found.mistake == ""


@pytest.mark.parametrize("reduction", ["mean", "sum", "half_sample_mean"])
def test_the_recorded_loss_is_a_mean_whatever_the_reduction(laboratory, reduction):
    loss = {"name": "cross_entropy", "reduction": reduction}
    assert floors_of(laboratory, classes_of(10), loss).chance == pytest.approx(2.3026, abs=5e-5)


def test_unequal_classes_have_the_entropy_of_their_shares(laboratory):
    # Shares 3/4 and 1/4: -(0.75 ln 0.75 + 0.25 ln 0.25) = 0.5623 under ln 2 = 0.6931.
    dataset = {**classes_of(2), "targets": [0, 0, 0, 1] * 3}
    found = floors_of(laboratory, dataset, "binary_cross_entropy")
    assert found.chance == pytest.approx(log(2), rel=1e-6)
    assert found.constant == pytest.approx(-(0.75 * log(0.75) + 0.25 * log(0.25)), rel=1e-6)


@pytest.mark.parametrize("count", [3, 10, 100])
def test_a_double_softmax_has_its_known_floor(laboratory, count):
    # A softmax of a perfect one-hot row: e / (e + K - 1), and its negative logarithm.
    found = floors_of(laboratory, classes_of(count), {"name": "cross_entropy", "from_logits": True}, "softmax")
    assert found.mistake == "double_softmax"
    assert found.best == pytest.approx(log(1 + (count - 1) / e), rel=1e-6)


def test_double_softmax_of_ten_classes_is_the_published_number(laboratory):
    found = floors_of(laboratory, classes_of(10), "CrossEntropyLoss", "softmax")
    assert found.best == pytest.approx(1.4612, abs=5e-5)


@pytest.mark.parametrize(
    ("targets", "expected"), [([0, 1] * 6, 0.5032), ([0] * 3 + [1] * 9, (0.6931 + 3 * 0.3133) / 4)]
)
def test_a_double_sigmoid_has_its_known_floor(laboratory, targets, expected):
    # ln(1 + 1/e) = 0.3133 for a yes (a logit of 1), ln 2 = 0.6931 for a no (a logit of 0).
    found = floors_of(laboratory, {**classes_of(2), "targets": targets}, "BCEWithLogitsLoss", "sigmoid")
    assert found.mistake == "double_sigmoid"
    assert found.best == pytest.approx(expected, abs=1e-4)


def test_label_smoothing_leaves_the_entropy_of_the_smoothed_label(laboratory):
    # 0.91 once and 0.01 nine times: 0.5003.
    for output in ("logits", "softmax", "log_softmax"):
        found = floors_of(laboratory, classes_of(10), {"name": "cross_entropy", "label_smoothing": 0.1}, output)
        assert found.smoothing == pytest.approx(-(0.91 * log(0.91) + 0.09 * log(0.01)), rel=1e-5)
        assert found.mistake == ""


def test_binary_label_smoothing(laboratory):
    # 0.95 and 0.05, whichever the label: 0.1985.
    for output in ("logits", "sigmoid"):
        found = floors_of(laboratory, classes_of(2), {"name": "binary_cross_entropy", "label_smoothing": 0.1}, output)
        assert found.smoothing == pytest.approx(-(0.95 * log(0.95) + 0.05 * log(0.05)), rel=1e-5)


VALUES = [0.5, 1.0, 2.0, 2.5, 9.0, 4.0, 3.0, 8.5, 0.25]


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", np.var(VALUES)),
        ("mae", np.mean(np.abs(np.array(VALUES) - np.median(VALUES)))),
        # The pinball loss is least at the quantile it is named after: the 9th of 9 values for 0.95.
        ({"name": "quantile", "quantile": 0.95}, 0.05 * np.mean(9.0 - np.array(VALUES))),
        # The best constant is the mean of the logarithms, exactly.
        ("msle", np.var(np.log1p(VALUES))),
        # The best rate is the mean m: m - m ln m.
        ("poisson_nll", np.mean(VALUES) * (1 - np.log(np.mean(VALUES)))),
        # The best variance is the variance: (ln v + 1) / 2.
        ("gaussian_nll", (np.log(np.var(VALUES)) + 1) / 2),
    ],
)
def test_the_best_constant_of_a_regression(laboratory, loss, expected):
    found = floors_of(laboratory, numbers(VALUES), loss)
    assert found.constant == pytest.approx(expected, rel=1e-4)
    assert str(found.chance) == str(nan)


def test_a_sigmoid_reaches_no_further_than_one(laboratory):
    found = floors_of(laboratory, numbers(VALUES), "mse", "sigmoid")
    assert found.mistake == "squashed"
    assert found.best == pytest.approx(np.mean((np.array(VALUES) - np.clip(VALUES, 0, 1)) ** 2), rel=1e-5)


def test_a_softmax_over_one_output(laboratory):
    found = floors_of(laboratory, classes_of(2), "binary_cross_entropy", "softmax")
    assert found.mistake == "single_softmax"
    # Half of the samples cost what Keras' clip leaves, the other half nothing. 1 - 1e-7 is 1 - 2^-23 in float32.
    assert found.best == pytest.approx(-log(2**-23) / 2, rel=1e-6)


def test_weights_of_classes_count(laboratory):
    # One class of weight 3 and three samples in four of the other, of weight 1: each has half of the weight.
    dataset = {**classes_of(2), "targets": [0, 0, 0, 1] * 3}
    loss = {"name": "binary_cross_entropy", "class_weights": [1.0, 3.0]}
    assert floors_of(laboratory, dataset, loss).chance == pytest.approx(log(2), rel=1e-6)


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_a_margin_loss_has_no_better_constant_than_one(laboratory, loss):
    # Balanced: answering 0 costs 1, answering yes costs nothing or 2 (squared: 4).
    assert floors_of(laboratory, classes_of(2), loss).constant == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("most", [1, 30, 60, 10_000])
def test_quantiles_of_many_targets_are_taken_in_parts(most: int) -> None:
    """torch.quantile takes at most 16 million numbers, fewer than 20,000 samples of 1,000 targets have."""
    rows = torch.randn(20, 7, dtype=torch.float64)
    shares = torch.linspace(0, 1, 101, dtype=torch.float64)
    torch.testing.assert_close(quantiles(rows, torch.ones(20), most), rows.quantile(shares, dim=0), rtol=0, atol=0)
