"""A loss scores a run by its own function; where several metrics share a formula, it gives the same values."""

from itertools import product

import pytest
import torch
from torch import Tensor

from lossrun.by_name import function_in
from lossrun.catalog import COMPONENTS, get
from lossrun.catalog.declaration import Loss, Metric
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import METRICS
from lossrun.components.metrics import compute_metrics, prepared_targets, scored_output, scores
from lossrun.components.metrics.plain_losses import plain_losses
from lossrun.components.metrics.plain_metrics import plain_metric
from tests.components.metrics.test_metrics import SAMPLES, drawn, outputs_of, targets_of

WAYS = [
    *product(["regression"], ["none", "sigmoid"], ["probabilities", "mean", "log_mean"]),
    ("regression", "none", "mean_and_log_variance"),
    *product(["binary"], ["none", "sigmoid"], ["probabilities", "mean", None]),
    *product(["multiclass"], ["none", "softmax", "sigmoid", "log_softmax"], ["probabilities", "mean", None]),
    *product(["multilabel"], ["none", "softmax", "sigmoid"], ["probabilities", "mean"]),
]


def targets_for(task: str, outputs: int, reads_as: str | None) -> Tensor:
    targets = targets_of(task, outputs)
    if task == "regression":
        columns = outputs // 2 if reads_as == "mean_and_log_variance" else outputs
        # Within [0, 1] and away from 0, so that every loss of numbers has a meaning.
        return targets[:, :columns].double() * 0.8 + 0.1
    return targets


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("task", "output", "reads_as"), WAYS)
def test_a_shared_formula_gives_what_the_function_gives(task, output, reads_as, weighted):
    outputs = outputs_of(task)
    # Two models at once.
    raw = torch.stack([drawn(SAMPLES, outputs, seed=seed).double() for seed in (3, 4)])
    weights = drawn(SAMPLES, seed=5).abs() if weighted else None
    targets = prepared_targets(task, targets_for(task, outputs, reads_as), outputs, weights=weights)
    found = compute_metrics(task, raw, targets, output=output, reads_as=reads_as)
    names = [name for name in found if name in {loss.name for loss in LOSSES}]
    assert names
    for name in names:
        each = plain_losses(
            name, raw, targets, task=task, output=scored_output(task, output, reads_as), reads_as=reads_as
        )
        counts = torch.ones(SAMPLES) if weights is None else weights
        expected = (each * counts).sum(dim=-1) / counts.double().sum()
        torch.testing.assert_close(
            found[name], expected, rtol=1e-9, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_every_loss_that_is_a_metric_is_tried():
    seen = set()
    for task, output, reads_as in WAYS:
        outputs = outputs_of(task)
        targets = prepared_targets(task, targets_for(task, outputs, reads_as), outputs)
        seen |= set(compute_metrics(task, drawn(SAMPLES, outputs), targets, output=output, reads_as=reads_as))
    assert {loss.name for loss in LOSSES if loss.metric} <= seen


@pytest.mark.parametrize("name", [loss.name for loss in LOSSES if not loss.metric])
def test_a_loss_without_a_formula_of_its_own_has_a_value_for_each_sample(name):
    """Those that no run is scored by stand for a newly declared one: nothing in the scorer knows them."""
    declared = get("loss", name)
    assert isinstance(declared, Loss)
    task = declared.tasks[0]
    outputs = outputs_of(task)
    raw = drawn(2, SAMPLES, outputs).double()
    reads_as = declared.prediction
    targets = prepared_targets(task, targets_for(task, outputs, reads_as), outputs)
    output = scored_output(task, "none", reads_as)
    each = plain_losses(name, raw, targets, task=task, output=output, reads_as=reads_as)
    assert each.shape == (2, SAMPLES)
    assert each.isfinite().all()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("task", "output", "reads_as"), WAYS)
def test_a_metric_of_a_shared_formula_is_its_function(task, output, reads_as, weighted):
    outputs = outputs_of(task)
    raw = torch.stack([drawn(SAMPLES, outputs, seed=seed).double() for seed in (3, 4)])
    weights = drawn(SAMPLES, seed=5).abs() if weighted else None
    targets = prepared_targets(task, targets_for(task, outputs, reads_as), outputs, weights=weights)
    found = compute_metrics(task, raw, targets, output=output, reads_as=reads_as)
    for name in {metric.name for metric in METRICS if function_in(scores, metric.name)} & found.keys():
        expected = plain_metric(
            name, raw, targets, task=task, output=scored_output(task, output, reads_as), reads_as=reads_as
        )
        torch.testing.assert_close(found[name], expected, rtol=1e-9, atol=1e-12)


def test_a_newly_declared_metric_is_computed_by_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scorer has no line about it: a declaration and a function in `scores.py` are enough."""

    def max_error(predicted: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        return (predicted - targets).abs().max()

    declared = Metric(name="max_error", meaning="largest error", tasks=("regression",), goal="min")
    monkeypatch.setattr(scores, "max_error", max_error, raising=False)
    monkeypatch.setattr("lossrun.catalog.metrics.METRICS", (*METRICS, declared))
    monkeypatch.setitem(COMPONENTS, "metric", (*COMPONENTS["metric"], declared))
    targets = prepared_targets("regression", torch.zeros(3, 1), 1, target_mean=10.0, target_std=2.0)
    raw = torch.tensor([[[1.0], [-3.0], [0.5]], [[0.0], [0.25], [0.0]]])
    found = compute_metrics("regression", raw, targets, output="none", reads_as="mean")
    # Outputs of -3 and 0.25 standard deviations of 2 units.
    assert found["max_error"].tolist() == [6.0, 0.5]
