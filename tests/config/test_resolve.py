from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog import DataFacts, Task
from lossrun.config import Config, from_mapping, resolve
from lossrun.config.resolve import goal, output_size


def facts(task: Task, *, validation: int = 10) -> DataFacts:
    size = 10 if task == "multiclass" else 1
    return DataFacts(task, (4,), size, train=100, validation=validation, test=10)


def config(loss: Any, output: str = "auto", **more: Any) -> Config:
    raw = {"dataset": "own:data", "model": {"name": "mlp", "output": output}, "loss": loss, "optimizer": "sgd"}
    return from_mapping({**raw, "learning_rate": 0.1, **more}, Path()).config


# The rows of the design's table of defaults, then what from_logits and familiar names ask for.
@pytest.mark.parametrize(
    ("loss", "task", "output", "inputs"),
    [
        ("cross_entropy", "multiclass", "none", "logits"),
        ("binary_cross_entropy", "binary", "none", "logits"),
        ("binary_cross_entropy", "multilabel", "none", "logits"),
        ("mse", "multiclass", "softmax", None),
        ("mae", "multiclass", "softmax", None),
        ("mse", "binary", "sigmoid", None),
        ("mse", "multilabel", "sigmoid", None),
        ("mse", "regression", "none", None),
        ("huber", "regression", "none", None),
        ("BCELoss", "binary", "sigmoid", "probabilities"),
        ("BCELoss", "multiclass", "sigmoid", "probabilities"),
        ("NLLLoss", "multiclass", "log_softmax", "log_probabilities"),
        ({"name": "cross_entropy", "from_logits": False}, "multiclass", "softmax", "probabilities"),
        ({"name": "cross_entropy", "from_logits": True}, "multiclass", "none", "logits"),
        ("own:loss", "multiclass", "none", "logits"),
    ],
)
def test_what_auto_stands_for(loss: Any, task: Task, output: str, inputs: str | None) -> None:
    resolved = resolve(config(loss), facts(task))
    assert (resolved.model["output"], resolved.loss.parameters.get("inputs")) == (output, inputs)


@pytest.mark.parametrize(
    ("output", "resolved", "inputs"),
    [
        ("logits", "none", "logits"),
        ("none", "none", "logits"),
        ("softmax", "softmax", "probabilities"),
        ("log_softmax", "log_softmax", "log_probabilities"),
    ],
)
def test_the_loss_follows_a_stated_output(output: str, resolved: str, inputs: str) -> None:
    got = resolve(config("cross_entropy", output), facts("multiclass"))
    assert (got.model["output"], got.loss["inputs"]) == (resolved, inputs)


def test_a_model_of_ones_own_gives_plain_outputs() -> None:
    got = resolve(config("mse", model="own:model"), facts("multiclass"))
    assert got.model["output"] == "none"


def test_what_is_watched() -> None:
    more = {"early_stopping": 3, "schedule": "reduce_on_plateau"}
    for validation, metric in ((10, "val_loss"), (0, "train_loss")):
        got = resolve(config("mse", **more), facts("regression", validation=validation))
        assert got.early_stopping is not None
        watched = [(got.best.metric, got.best.mode), (got.early_stopping.metric, got.early_stopping.mode)]
        watched.append((got.schedule["metric"], got.schedule["mode"]))
        assert watched == [(metric, "min")] * 3


def test_the_mode_follows_a_stated_metric() -> None:
    got = resolve(config("mse", best="val_accuracy"), facts("binary"))
    assert (got.best.metric, got.best.mode) == ("val_accuracy", "max")
    got = resolve(config("mse", best={"metric": "val_accuracy", "mode": "min"}), facts("binary"))
    assert got.best.mode == "min"


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("val_loss", "min"), ("train_loss", "min"), ("val_accuracy", "max"), ("val_r2", "max"), ("val_rmse", "min"),
     ("val_mse", "min"), ("val_macro_f1", "max"), ("nonsense", "min")],
)  # fmt: skip
def test_goal(metric: str, expected: str) -> None:
    assert goal(metric) == expected


def test_resolving_twice_changes_nothing_and_survives_the_file() -> None:
    once = resolve(config("cross_entropy", early_stopping=3, schedule="reduce_on_plateau"), facts("multiclass"))
    assert resolve(once, facts("multiclass")) == once
    assert from_mapping(once.to_mapping(), Path()).config == once
    assert once.name == "data-mlp-cross_entropy-sgd"


def test_output_size_is_the_targets() -> None:
    assert output_size(config("cross_entropy"), facts("multiclass")) == 10
    assert output_size(config("own:loss"), facts("regression")) == 1
