"""Metrics in which each sample has a weight of its own: against scikit-learn's `sample_weight`, and against samples
that are there several times."""

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossrun.components.metrics import compute_metrics, prepared_targets

SAMPLES = 60
CASES = [
    ("multiclass", "none", "probabilities"),
    ("multiclass", "sigmoid", "probabilities"),
    ("multiclass", "softmax", "mean"),
    ("multiclass", "none", "mean"),
    ("multiclass", "none", None),
    ("binary", "sigmoid", "probabilities"),
    ("binary", "none", "mean"),
    ("binary", "none", None),
    ("multilabel", "sigmoid", "probabilities"),
    ("multilabel", "softmax", "probabilities"),
    ("regression", "none", "mean"),
    ("regression", "sigmoid", "probabilities"),
    ("regression", "none", "log_mean"),
    ("regression", "none", "mean_and_log_variance"),
]


def drawn(task, reads_as, seed=0):
    """Pre-activations, targets, whole weights (some 0)."""
    generator = torch.Generator().manual_seed(seed)
    outputs = 1 if task == "binary" else 4
    raw = 2 * torch.randn(SAMPLES, outputs * (2 if reads_as == "mean_and_log_variance" else 1), generator=generator)
    if task == "multiclass":
        targets = torch.randint(outputs, (SAMPLES,), generator=generator)
    elif task == "regression":
        targets = torch.rand(SAMPLES, outputs, generator=generator) * 0.9 + 0.05
    else:
        targets = torch.randint(2, (SAMPLES, outputs), generator=generator).float()
    return raw, targets, torch.randint(0, 5, (SAMPLES,), generator=generator)


def scores(task, raw, targets, output, reads_as, **more):
    prepared = prepared_targets(task, targets, 1 if task == "binary" else 4, **more)
    return {
        name: value.item()
        for name, value in compute_metrics(task, raw, prepared, output=output, reads_as=reads_as).items()
    }


@pytest.mark.parametrize(("task", "output", "reads_as"), CASES)
@pytest.mark.parametrize("unit", [1.0, 0.01, 1e6])
def test_a_whole_weight_is_so_many_samples_whatever_its_unit(task, output, reads_as, unit):
    raw, targets, weights = drawn(task, reads_as)
    scaling = {"target_mean": 3.0, "target_std": 0.5} if task == "regression" and output == "none" else {}
    weighted = scores(task, raw, targets, output, reads_as, weights=weights.double() * unit, **scaling)
    often = [values.repeat_interleave(weights, dim=0) for values in (raw, targets)]
    expected = scores(task, *often, output, reads_as, **scaling)
    assert weighted.keys() == expected.keys()
    assert weighted == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("task", "output", "reads_as"), CASES)
def test_equal_weights_change_nothing(task, output, reads_as):
    raw, targets, _ = drawn(task, reads_as)
    weighted = scores(task, raw, targets, output, reads_as, weights=torch.full((SAMPLES,), 0.3))
    assert weighted == pytest.approx(scores(task, raw, targets, output, reads_as), rel=1e-12, abs=1e-14)


def weights_of(seed):
    return torch.rand(SAMPLES, generator=torch.Generator().manual_seed(seed)).double() * 7


def test_multiclass_is_scikit_learns():
    raw, labels, _ = drawn("multiclass", "probabilities")
    weights = weights_of(5)
    values = scores("multiclass", raw, labels, "none", "probabilities", weights=weights)
    p, guesses, labels, weights = (x.numpy() for x in (raw.double().softmax(1), raw.argmax(1), labels, weights))
    assert values["accuracy"] == pytest.approx(sk.accuracy_score(labels, guesses, sample_weight=weights), rel=1e-12)
    assert values["macro_f1"] == pytest.approx(
        sk.f1_score(labels, guesses, average="macro", sample_weight=weights), rel=1e-12
    )
    assert values["cross_entropy"] == pytest.approx(sk.log_loss(labels, p, sample_weight=weights), rel=1e-12)
    # scikit-learn knows several classes from 1.7 on: the formula of brier_score_loss, summed over the classes.
    squares = ((p - np.eye(4)[labels]) ** 2).sum(axis=1)
    assert values["brier"] == pytest.approx(np.average(squares, weights=weights), rel=1e-12)


def test_margins_are_scikit_learns():
    raw, targets, _ = drawn("binary", None)
    weights = weights_of(6)
    values = scores("binary", raw, targets, "none", None, weights=weights)
    expected = sk.hinge_loss(targets.flatten().numpy(), raw.flatten().double().numpy(), sample_weight=weights.numpy())
    assert values["hinge"] == pytest.approx(expected, rel=1e-12)


def test_binary_is_scikit_learns():
    raw, targets, _ = drawn("binary", "probabilities")
    weights = weights_of(7)
    values = scores("binary", raw, targets, "sigmoid", "probabilities", weights=weights)
    labels, p, weights = (x.numpy() for x in (targets.flatten(), raw.flatten().double().sigmoid(), weights))
    assert values["accuracy"] == pytest.approx(sk.accuracy_score(labels, p > 0.5, sample_weight=weights), rel=1e-12)
    assert values["binary_cross_entropy"] == pytest.approx(sk.log_loss(labels, p, sample_weight=weights), rel=1e-12)
    assert values["brier"] == pytest.approx(sk.brier_score_loss(labels, p, sample_weight=weights), rel=1e-12)


def test_multilabel_f1_is_scikit_learns():
    raw, targets, _ = drawn("multilabel", "probabilities")
    weights = weights_of(8)
    values = scores("multilabel", raw, targets, "sigmoid", "probabilities", weights=weights)
    expected = sk.f1_score(targets.numpy(), raw.numpy() > 0, average="macro", sample_weight=weights.numpy())
    assert values["macro_f1"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("mean", "std"), [(0.0, 1.0), (3.0, 0.5)])
def test_regression_is_scikit_learns_in_original_units(mean, std):
    raw, targets, _ = drawn("regression", "mean")
    raw = raw.abs()
    weights = weights_of(9)
    found = scores("regression", raw, targets, "none", "mean", weights=weights, target_mean=mean, target_std=std)
    truth, guess = ((values.double() * std + mean).numpy() for values in (targets, raw))
    weights = weights.numpy()
    expected = {
        "mse": sk.mean_squared_error(truth, guess, sample_weight=weights),
        "rmse": sk.root_mean_squared_error(truth.flatten(), guess.flatten(), sample_weight=np.repeat(weights, 4)),
        "mae": sk.mean_absolute_error(truth, guess, sample_weight=weights),
        "r2": sk.r2_score(truth, guess, sample_weight=weights),
        "mape": 100 * sk.mean_absolute_percentage_error(truth, guess, sample_weight=weights),
        "msle": sk.mean_squared_log_error(truth, guess, sample_weight=weights),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_r2_of_targets_that_are_constant_where_they_count_is_not_a_number():
    raw, targets = torch.randn(4, 4), torch.full((4, 4), 0.7)
    targets[0] = 5.0
    values = scores("regression", raw, targets, "none", "mean", weights=torch.tensor([0.0, 1.0, 2.0, 3.0]))
    assert values["r2"] != values["r2"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=30), st.integers(0, 1000))
def test_sums_of_weights_do_not_depend_on_the_order(numbers, seed):
    weights = torch.tensor(numbers, dtype=torch.float64)
    order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(seed))
    targets = torch.zeros(len(numbers), dtype=torch.int64)
    one = prepared_targets("multiclass", targets, 2, weights=weights)
    other = prepared_targets("multiclass", targets, 2, weights=weights[order])
    assert torch.equal(one.counts, other.counts)
    assert one.weights.tolist() == pytest.approx(numbers, rel=1e-9, abs=1e-9 * max(numbers))
