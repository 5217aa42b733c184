"""Training on samples that have a weight of their own."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lossrun.analysis.comparison.comparability import reasons
from lossrun.components.losses.classes import cross_entropy
from lossrun.components.losses.reductions import Objective
from lossrun.components.losses.regression import mse
from lossrun.config import from_mapping
from lossrun.errors import ConfigError, DataError
from lossrun.experiment import load_experiment
from lossrun.health.floors import floors
from lossrun.records import predictions, recorded
from lossrun.steps.evaluate import evaluate, output_spec_of
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import Laboratory, rows

pytestmark = pytest.mark.usefixtures("no_settings_are_tried")

N = 37
GENERATOR = np.random.default_rng(5)
INPUTS = GENERATOR.normal(size=(N, 3)).round(3)
WEIGHTS = GENERATOR.integers(0, 4, N)
TARGETS: dict[str, Any] = {
    "regression": GENERATOR.normal(size=N).round(2),
    "binary": GENERATOR.integers(0, 2, N),
    "multiclass": GENERATOR.integers(0, 3, N),
    "multilabel": GENERATOR.integers(0, 2, (N, 3)),
}
LOSSES = {
    "regression": "huber",
    "binary": "binary_cross_entropy",
    "multiclass": "cross_entropy",
    "multilabel": "binary_cross_entropy",
}


def config(task: str, *, often: bool = False, **changes: Any) -> dict[str, Any]:
    """Weighted, or with each sample as often as its weight says."""
    times = WEIGHTS if often else np.ones(N, int)
    dataset = {
        "name": "inline",
        "inputs": INPUTS.repeat(times, axis=0).tolist(),
        "targets": TARGETS[task].repeat(times, axis=0).tolist(),
        "task": task,
    }
    if not often:
        dataset["weights"] = WEIGHTS.tolist()
    return {
        "dataset": dataset,
        "model": {"name": "mlp", "hidden": [5], "activation": "tanh"},
        "loss": LOSSES[task],
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "epochs": 3,
        "batch_size": "full",
        "lint": "warn",
        **changes,
    }


def trained(laboratory: Laboratory, given: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    examined = load_experiment(from_mapping(given, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        for _ in train(session, lambda: None):
            pass
        scored = evaluate(session.replicas[0], session.replicas[0].parts.train, session.output_spec)
    return list(rows(session.run)), {"loss": scored.loss, **scored.metrics}


@pytest.mark.parametrize("task", TARGETS)
@pytest.mark.parametrize("step", ["eager", "recorded"])
@pytest.mark.parametrize("seeds", [1, 2])
def test_a_whole_weight_is_so_many_samples(laboratory, task, step, seeds):
    weighted, scores = trained(laboratory, config(task, step=step, seeds=seeds))
    often, expected = trained(laboratory, config(task, often=True, step=step, seeds=seeds))
    for one, other in zip(weighted, often, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)
        assert one["grad_norm"] == pytest.approx(other["grad_norm"], rel=1e-4)
    assert scores == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "options", [{}, {"class_weights": [1, 5, 0.5]}, {"class_weights": "balanced"}, {"ignore_index": 1}]
)
@pytest.mark.parametrize("size", [1, 5, N])
def test_train_loss_is_the_loss_of_the_training_part(laboratory, options, size):
    given = config("multiclass", batch_size=size, learning_rate=1e-30, epochs=1)
    given["loss"] = {"name": "cross_entropy", **options}
    (row,), scores = trained(laboratory, given)
    assert row["train_loss"] == pytest.approx(scores["loss"], rel=1e-5)


def test_balanced_weights_count_samples_by_their_weights(laboratory):
    given = config("multiclass", loss={"name": "cross_entropy", "class_weights": "balanced"})
    often = config("multiclass", often=True, loss={"name": "cross_entropy", "class_weights": "balanced"})
    found = [
        prepare(load_experiment(from_mapping(each, laboratory.folder), laboratory.folder))
        .replicas[0]
        .objective.class_weights
        for each in (given, often)
    ]
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("task", TARGETS)
def test_the_best_constant_is_that_of_the_samples_as_often_as_they_weigh(laboratory, task):
    found = []
    for often in (False, True):
        examined = load_experiment(from_mapping(config(task, often=often), laboratory.folder), laboratory.folder)
        replica = prepare(examined).replicas[0]
        found.append(floors(replica, output_spec_of(examined.config, examined.facts), examined.config).constant)
    assert found[0] == pytest.approx(found[1], rel=1e-3)


def test_weighted_means_follow_the_convention_of_each_framework():
    """The sum over the weights is torch's for classes; Keras divides by the samples (its sum_over_batch_size)."""
    generator = torch.Generator().manual_seed(0)
    outputs, labels = torch.randn(8, 3, generator=generator), torch.randint(3, (8,), generator=generator)
    weights, of_classes = torch.rand(8, generator=generator), torch.tensor([1.0, 2.0, 0.5])
    losses = nn.functional.cross_entropy(outputs, labels, reduction="none")
    both = weights * of_classes[labels]
    ours = Objective(cross_entropy, class_weights=of_classes.tolist())
    torch.testing.assert_close(ours.float()(outputs, labels, weights), (both * losses).sum() / both.sum())
    keras = Objective(cross_entropy, class_weights=of_classes.tolist(), weight_convention="keras")
    torch.testing.assert_close(keras.float()(outputs, labels, weights), (both * losses).mean())
    summed = Objective(mse, reduction="sum")
    values = torch.randn(8, 1, generator=generator)
    total = summed.factor(8) * summed(values, torch.zeros(8, 1), weights)
    torch.testing.assert_close(total, (weights * values.square().squeeze(1)).sum())


def test_resumed_within_an_epoch_it_is_the_run_that_never_stopped(laboratory):
    given = config("multiclass", batch_size=4, checkpoint={"every": "3 steps"})
    whole, parts = laboratory.start(given), laboratory.start(given, stop_at=5)
    laboratory.resume(parts)
    assert rows(whole) == rows(parts)


def test_predictions_keep_the_weights_and_other_weights_are_other_data(laboratory):
    given = config("multiclass")
    given["dataset"]["test"] = 10
    run = laboratory.start(given)
    kept = predictions.read(run.predictions_path)
    assert kept.weights.tolist() == WEIGHTS[kept.ids].tolist()
    given["dataset"]["weights"] = (WEIGHTS + 1).tolist()
    other = laboratory.start(given)
    del given["dataset"]["weights"]
    plain = laboratory.start(given)
    assert predictions.read(plain.predictions_path).weights is None
    runs = [recorded.load(each.path) for each in (run, other, plain)]
    for one, another in ((0, 1), (0, 2), (1, 2)):
        (said,) = reasons([runs[one], runs[another]], ["A", "B"])
        assert "test data differ" in said


def test_ignored_samples_are_not_scored_and_runs_that_ignore_others_are_not_compared(laboratory):
    given = config("multiclass", loss={"name": "cross_entropy", "ignore_index": 1})
    given["dataset"]["test"] = 10
    del given["dataset"]["weights"]
    run = laboratory.start(given)
    kept = predictions.read(run.predictions_path)
    assert kept.weights.tolist() == [float(label != 1) for label in kept.targets]
    (seed,) = kept.outputs
    right = (kept.outputs[seed].argmax(1) == kept.targets)[kept.targets != 1]
    finished = recorded.load(run.path).ledger[-1]["seeds"]["0"]
    assert finished["test_at_best"]["test_accuracy"] == right.mean()
    other = laboratory.start({**given, "loss": "cross_entropy"})
    said = reasons([recorded.load(each.path) for each in (run, other)], ["A", "B"])
    assert said == (
        "the runs ignore different labels (A: 1, B: no label), so they were not scored on the same samples",
    )


# Validation targets, their weights, and the class that the loss ignores.
HELD_OUT: list[tuple[str, list[Any], list[float], int | None]] = [
    ("binary", [0, 1, 1], [1, 1, 1], None),
    ("binary", [0, 1, 1], [0, 1, 1], None),
    ("binary", [0, 1, 0], [1, 0, 2], None),
    ("binary", [0, 1, 1], [1, 0, 1], None),
    ("multiclass", [0, 1, 2], [1, 1, 1], None),
    ("multiclass", [0, 1, 2], [0, 0, 1], None),
    ("multiclass", [0, 1, 1], [1, 1, 1], 0),
    ("multiclass", [0, 1, 2], [1, 1, 1], 0),
    ("multiclass", [0, 1, 2], [1, 1, 0], 0),
    ("multilabel", [[0, 1, 0], [1, 1, 0], [0, 1, 0]], [1, 1, 1], None),
    ("multilabel", [[0, 1, 0], [1, 1, 0], [0, 1, 0]], [1, 0, 1], None),
    ("multilabel", [[0, 0, 0], [1, 1, 0], [0, 0, 0]], [1, 0, 1], None),
]


@pytest.mark.parametrize("metric", ["val_auc", "val_average_precision"])
@pytest.mark.parametrize(("task", "targets", "weights", "ignored"), HELD_OUT)
def test_a_metric_is_refused_where_it_would_be_nan_of_the_samples_that_count(
    laboratory: Laboratory, metric: str, task: str, targets: list[Any], weights: list[float], ignored: int | None
) -> None:
    arrays = {"x_train": INPUTS, "y_train": TARGETS[task], "w_train": np.ones(N)}
    held_out = {"x_val": INPUTS[:3], "y_val": np.array(targets), "w_val": np.array(weights)}
    np.savez(laboratory.folder / "t.npz", **arrays, **held_out)
    changes = {
        "dataset": {"name": "npz", "path": "t.npz", "task": task, "weight": "w_train", "test": 0},
        "loss": {"name": LOSSES[task], **({} if ignored is None else {"ignore_index": ignored})},
        "epochs": 1,
    }
    run = laboratory.start(config(task) | changes)
    is_nan = math.isnan(rows(run)[0][metric])
    reading = from_mapping(config(task) | changes | {"best": metric}, laboratory.folder)
    if not is_nan:
        load_experiment(reading, laboratory.folder)
        return
    with pytest.raises(ConfigError, match=f"{metric} is NaN in every epoch: "):
        load_experiment(reading, laboratory.folder)


def test_training_samples_that_weigh_0_are_of_no_class(laboratory: Laboratory) -> None:
    """Nothing tells the classes apart where all that count are of one."""
    dataset = {"inputs": list(range(12)), "targets": [0] * 6 + [1] * 6, "weights": [1] * 6 + [0] * 6}
    changes = {"dataset": {"name": "inline", "task": "binary", **dataset}, "loss": "binary_cross_entropy"}
    with pytest.raises(DataError, match="every training sample that counts is of the class 0"):
        load_experiment(from_mapping(config("binary") | changes, laboratory.folder), laboratory.folder)
