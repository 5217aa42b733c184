"""The metrics of probabilities, `brier` and `expected_calibration_error`, against scikit-learn and plain numpy."""

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lossrun.catalog import find
from lossrun.catalog.declaration import Metric
from lossrun.replay.recording import Recording
from tests.components.metrics.test_metrics import SAMPLES, chosen, drawn, measured, outputs_of, scores, targets_of

CALIBRATION = ("brier", "expected_calibration_error")
# Gaps are summed in multiples of a power of 2 (see `_calibration_error`).
ROUNDED = {"rel": 1e-9, "abs": 1e-12}


def ece(confidences: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Equation 3 of Guo et al. (2017), bin by bin, each with its upper edge; 0 belongs to the first."""
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = (confidences > low) & (confidences <= high) | ((number == 0) & (confidences == 0))
        if inside.any():
            gap = right[inside].mean(dtype=float) - confidences[inside].mean(dtype=float)
            total += inside.sum() / len(confidences) * abs(gap)
    return total


def of_probabilities(task: str, probabilities: Tensor, targets: Tensor) -> dict[str, float]:
    output = "softmax" if task == "multiclass" else "sigmoid"
    logits = probabilities.log() if task == "multiclass" else probabilities.logit()
    return chosen(scores(task, logits, targets, output=output, reads_as="probabilities"), *CALIBRATION)


@pytest.mark.parametrize("samples", [SAMPLES, 3000])
def test_calibration_of_classes_is_that_of_the_likeliest_class(samples):
    logits = 2 * torch.randn(samples, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    targets = torch.randint(4, (samples,), generator=torch.Generator().manual_seed(4))
    result = scores("multiclass", logits, targets, output="none", reads_as="probabilities")
    probabilities = logits.softmax(dim=1).numpy()
    right = probabilities.argmax(axis=1) == targets.numpy()
    assert chosen(result, *CALIBRATION) == {
        # The sum over the classes, as Brier (1950) has it. (scikit-learn's function knows several classes from 1.7 on.)
        "brier": pytest.approx(((probabilities - np.eye(4)[targets]) ** 2).sum(axis=1).mean(), rel=1e-12),
        "expected_calibration_error": pytest.approx(ece(probabilities.max(axis=1), right), **ROUNDED),
    }


def test_exclusive_classes_through_a_sigmoid_are_taken_at_their_word():
    logits, targets = drawn(SAMPLES, 4).double(), targets_of("multiclass", 4)
    result = scores("multiclass", logits, targets, output="sigmoid", reads_as="mean")
    cells = logits.sigmoid().numpy()
    errors = ((cells - np.eye(4)[targets.numpy()]) ** 2).sum(axis=1)
    right = cells.argmax(axis=1) == targets.numpy()
    assert result["brier"] == pytest.approx(errors.mean(), rel=1e-12)
    assert result["expected_calibration_error"] == pytest.approx(ece(cells.max(axis=1), right), **ROUNDED)


@pytest.mark.parametrize(("task", "outputs"), [("binary", 1), ("multilabel", 4)])
def test_yes_and_no(task, outputs):
    logits, targets = drawn(SAMPLES, outputs).double(), targets_of(task, outputs)
    result = scores(task, logits, targets, output="sigmoid", reads_as="probabilities")
    probabilities, truths = logits.sigmoid().numpy(), targets.numpy()
    columns = [sk.brier_score_loss(truths[:, k], probabilities[:, k]) for k in range(outputs)]
    assert result["brier"] == pytest.approx(sum(columns), rel=1e-12)
    # All cells together, as accuracy counts them.
    assert result["expected_calibration_error"] == pytest.approx(ece(probabilities.ravel(), truths.ravel()), **ROUNDED)


def test_probabilities_of_exactly_0_and_1():
    truths = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    for p, brier, gap in [
        (truths, 0.0, 0.0),
        (1 - truths, 1.0, 1.0),
        # The last bin: sure of 4, right in 2; the first: none wrong.
        (torch.ones(4, 1), 0.5, 0.5),
        (torch.zeros(4, 1), 0.5, 0.5),
    ]:
        assert of_probabilities("binary", p.double(), truths) == {"brier": brier, "expected_calibration_error": gap}
    one_hot = torch.eye(3, dtype=torch.float64)
    assert of_probabilities("multiclass", one_hot, torch.arange(3)) == dict.fromkeys(CALIBRATION, 0.0)
    wrong = of_probabilities("multiclass", one_hot, torch.tensor([1, 2, 0]))
    assert wrong == {"brier": 2.0, "expected_calibration_error": 1.0}


def test_a_probability_on_an_edge_belongs_to_the_bin_below_it():
    # 3/5 is the upper edge of the ninth bin of 15, which 0.57 is in as well and 0.61 is not: gaps of +0.57 and -0.4 in
    # one bin cancel, gaps of +0.61 and -0.4 in two do not.
    edge, below, above = (torch.tensor(p, dtype=torch.float64) for p in (9 / 15, 0.57, 0.61))
    assert edge.logit().sigmoid() == edge
    truths = torch.tensor([[1.0], [0.0]])
    together = of_probabilities("binary", torch.stack([edge, below])[:, None], truths)
    apart = of_probabilities("binary", torch.stack([edge, above])[:, None], truths)
    assert together["expected_calibration_error"] == pytest.approx((0.57 - 0.4) / 2, **ROUNDED)
    assert apart["expected_calibration_error"] == pytest.approx((0.61 + 0.4) / 2, **ROUNDED)


def test_the_base_rate_for_everyone_is_calibrated():
    truths = torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    result = of_probabilities("binary", torch.full((4, 1), 0.25, dtype=torch.float64), truths)
    # (0.75^2 + 3 * 0.25^2) / 4
    assert result == pytest.approx({"brier": 0.1875, "expected_calibration_error": 0.0}, rel=1e-12, abs=1e-15)


@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=40))
@settings(max_examples=60)
def test_in_whatever_order_the_samples_come(pairs):
    logits = torch.tensor([[logit] for logit, _ in pairs], dtype=torch.float64)
    truths = torch.tensor([[float(truth)] for _, truth in pairs])
    values = [
        scores("binary", x, t, output="sigmoid", reads_as="probabilities")["expected_calibration_error"]
        for x, t in ((logits, truths), (logits.flip(0), truths.flip(0)))
    ]
    assert values[0] == values[1]  # to the bit: nothing is rounded in between
    assert values[0] == pytest.approx(ece(logits.sigmoid().numpy().ravel(), truths.numpy().ravel()), **ROUNDED)


@pytest.mark.parametrize(
    ("task", "output", "reads_as"),
    [
        ("multiclass", "none", None),
        ("binary", "none", None),
        ("binary", "none", "mean"),
        ("multilabel", "none", "mean"),
    ],
)
def test_without_probabilities_there_is_nothing_to_calibrate(task, output, reads_as):
    outputs = outputs_of(task)
    result = scores(task, drawn(SAMPLES, outputs), targets_of(task, outputs), output=output, reads_as=reads_as)
    assert not set(CALIBRATION) & set(result)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_a_diverged_model_is_not_calibrated(task):
    outputs = outputs_of(task)
    logits = torch.full((SAMPLES, outputs), float("nan"))
    result = scores(task, logits, targets_of(task, outputs), output="none", reads_as="probabilities")
    assert all(np.isnan(result[name]) for name in CALIBRATION)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_recorded_once_and_replayed_on_other_values(task):
    outputs = outputs_of(task)
    logits, targets = drawn(2, SAMPLES, outputs), targets_of(task, outputs)
    recording = Recording(lambda: measured(task, logits, targets, output="none", reads_as="probabilities"))
    logits.copy_(drawn(2, SAMPLES, outputs, seed=7))
    recording.replay()
    now = measured(task, logits, targets, output="none", reads_as="probabilities")
    for name in CALIBRATION:
        assert torch.equal(recording.outputs[name], now[name]), name


@pytest.mark.parametrize(
    ("spelling", "name"), [("ece", CALIBRATION[1]), ("brier_score", "brier"), ("brier_score_loss", "brier")]
)
def test_calibration_is_found_by_its_other_names(spelling, name):
    found = find("metric", spelling)
    assert found is not None
    assert found.component.name == name
    assert isinstance(found.component, Metric)
    assert found.component.goal == "min"
