"""A share is the derivative of a metric with respect to an item's weight: checked against scikit-learn's own metrics,
with the weight of one item changed a little."""

import numpy as np
import pytest
from sklearn import metrics

from lossrun.analysis.values.item_values import ScoredItems, item_shares

N, STEP = 40, 1e-6
CONFIG = {"model": {"name": "mlp", "output": "softmax"}, "loss": {"name": "cross_entropy"}}
SIGMOID = {"model": {"name": "mlp", "output": "sigmoid"}, "loss": {"name": "binary_cross_entropy"}}


def made(task, weighted):
    draw = np.random.default_rng(4)
    weights = draw.uniform(0.5, 2.0, N) if weighted else np.ones(N)
    weights /= weights.mean()
    if task == "regression":
        return ScoredItems(CONFIG, task, draw.normal(size=(N, 2)), draw.normal(size=(N, 2)), weights)
    if task == "multiclass":
        outputs = draw.dirichlet(np.ones(3), N)
        return ScoredItems(CONFIG, task, outputs, draw.integers(0, 3, N), weights)
    shape = (N, 1) if task == "binary" else (N, 3)
    return ScoredItems(SIGMOID, task, draw.random(shape), draw.integers(0, 2, shape), weights)


def classes(items):
    if items.task == "multiclass":
        return items.targets, items.outputs.argmax(axis=1)
    found = items.targets, (items.outputs > 0.5).astype(int)
    return tuple(one[:, 0] for one in found) if items.task == "binary" else found


def of_classes(function, **options):
    return lambda items, weights: function(*classes(items), sample_weight=weights, **options)


def accuracy_of_cells(items, weights):
    truths, guesses = classes(items)
    return np.average((truths == guesses).mean(axis=1), weights=weights)


def brier(items, weights):
    truths = np.eye(3)[items.targets] if items.task == "multiclass" else items.targets
    return np.average(np.square(items.outputs - truths).sum(axis=1), weights=weights)


def root(items, weights):
    return np.sqrt(metrics.mean_squared_error(items.targets, items.outputs, sample_weight=weights))


def of_values(function):
    return lambda items, weights: function(items.targets, items.outputs, sample_weight=weights)


macro = {"average": "macro", "zero_division": 0}
CASES = [
    ("regression", "mse", of_values(metrics.mean_squared_error)),
    # Over all cells; scikit-learn's own root takes a root for each target.
    ("regression", "rmse", root),
    ("regression", "mae", of_values(metrics.mean_absolute_error)),
    ("multiclass", "accuracy", of_classes(metrics.accuracy_score)),
    ("multiclass", "brier", brier),
    ("multiclass", "macro_f1", of_classes(metrics.f1_score, **macro)),
    ("multiclass", "precision", of_classes(metrics.precision_score, **macro)),
    ("multiclass", "recall", of_classes(metrics.recall_score, **macro)),
    ("binary", "accuracy", of_classes(metrics.accuracy_score)),
    ("binary", "f1", of_classes(metrics.f1_score)),
    ("binary", "precision", of_classes(metrics.precision_score)),
    ("binary", "recall", of_classes(metrics.recall_score)),
    ("binary", "brier", brier),
    ("multilabel", "accuracy", accuracy_of_cells),
    ("multilabel", "macro_f1", of_classes(metrics.f1_score, **macro)),
]  # fmt: skip


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("task", "name", "computed"), CASES, ids=[f"{task}-{name}" for task, name, _ in CASES])
def test_shares_have_the_metric_as_their_mean_and_are_its_derivatives(task, name, computed, weighted):
    items = made(task, weighted)
    shares = item_shares(name, items)
    metric = computed(items, items.weights)
    assert shares.mean() == pytest.approx(metric, rel=1e-9)
    for item in (0, 7, 23):
        moved = items.weights.copy()
        moved[item] *= 1 + STEP  # the item occurs a little more often
        derivative = (computed(items, moved) - metric) / (STEP / N)
        assert shares[item] - metric == pytest.approx(derivative, rel=1e-3, abs=1e-4)


def test_a_metric_of_ranks_has_no_shares():
    assert item_shares("auc", made("binary", weighted=False)) is None
