from pathlib import Path
from typing import Any

import pytest

from lossrun.catalog import DataFacts, Task
from lossrun.catalog.losses import LOSSES
from lossrun.config import Config, from_mapping, resolve
from lossrun.config.resolve import output_size, outputs_read_as


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


# For each loss and task: the last layer where nothing is stated, and where inputs are stated to be logits,
# probabilities or log-probabilities. None: the loss has no such parameter.
SOFTMAX = ("none", "none", "softmax", "log_softmax")
# There is no activation that gives the logarithm of a sigmoid; the linter says so.
SIGMOID = ("none", "none", "sigmoid", "none")
NUMBERS = ("none", None, None, None)
MARGINS = ("none", None, None, None)
OUTPUTS: dict[str, dict[Task, tuple[str | None, ...]]] = {
    **{
        name: {
            "regression": NUMBERS,
            "binary": ("sigmoid", None, None, None),
            "multiclass": ("softmax", None, None, None),
            "multilabel": ("sigmoid", None, None, None),
        }
        for name in ("mse", "mae")
    },
    **{
        name: {"regression": NUMBERS}
        for name in (
            *("huber", "smooth_l1", "log_cosh", "quantile", "mape", "msle"),
            *("poisson_nll", "gaussian_nll", "cosine_similarity"),
        )
    },
    "binary_cross_entropy": {
        "regression": SIGMOID,
        "binary": SIGMOID,
        "multiclass": SIGMOID,
        "multilabel": SIGMOID,
    },
    "binary_focal": {"binary": SIGMOID, "multilabel": SIGMOID},
    "hinge": {"binary": MARGINS},
    "squared_hinge": {"binary": MARGINS},
    **{
        name: {"multiclass": SOFTMAX}
        for name in ("cross_entropy", "focal", "kl_divergence", "generalized_cross_entropy", "symmetric_cross_entropy")
    },
    "multi_margin": {"multiclass": MARGINS},
    "categorical_hinge": {"multiclass": MARGINS},
    "multilabel_soft_margin": {"multilabel": MARGINS},
    "dice": {"multilabel": SIGMOID},
    "tversky": {"multilabel": SIGMOID},
}
FORMS = ("auto", "logits", "probabilities", "log_probabilities")


def test_the_table_of_outputs_has_every_task_of_its_losses() -> None:
    declared = {loss.name: loss for loss in LOSSES}
    assert {name: set(tasks) for name, tasks in OUTPUTS.items()} == {name: {*declared[name].tasks} for name in OUTPUTS}
    for name, tasks in OUTPUTS.items():
        for expected in tasks.values():
            assert (expected[1] is None) == (declared[name].parameter("inputs") is None)


@pytest.mark.parametrize(
    ("name", "task", "form", "output"),
    [
        (name, task, form, output)
        for name, tasks in OUTPUTS.items()
        for task, outputs in tasks.items()
        for form, output in zip(FORMS, outputs, strict=True)
        if output is not None
    ],
)
def test_the_last_layer_is_what_the_loss_wants(name: str, task: Task, form: str, output: str) -> None:
    stated = {} if form == "auto" else {"inputs": form}
    resolved = resolve(config({"name": name, **stated}), facts(task))
    assert resolved.model["output"] == output
    # What was stated stays, and auto becomes what the last layer gives.
    if "inputs" in resolved.loss.parameters:
        assert resolved.loss["inputs"] == ("logits" if form == "auto" else form)


@pytest.mark.parametrize(
    ("loss", "task", "output", "expected"),
    [
        ("cross_entropy", "multiclass", "auto", ("none", "probabilities")),
        ("NLLLoss", "multiclass", "auto", ("log_softmax", "probabilities")),
        ("mse", "multiclass", "auto", ("softmax", "mean")),
        ("mse", "binary", "logits", ("none", "mean")),
        ("mse", "regression", "auto", ("none", "mean")),
        ("mse", "regression", "sigmoid", ("sigmoid", "mean")),
        ("hinge", "binary", "auto", ("none", None)),
        ("categorical_hinge", "multiclass", "auto", ("none", None)),
        # The loss applies the sigmoid: not the softmax that exclusive classes would get, nor nothing.
        ("binary_cross_entropy", "multiclass", "auto", ("sigmoid", "probabilities")),
        ("binary_cross_entropy", "regression", "auto", ("sigmoid", "probabilities")),
        ("binary_focal", "multilabel", "auto", ("sigmoid", "probabilities")),
        ("multilabel_soft_margin", "multilabel", "auto", ("sigmoid", "probabilities")),
        ("dice", "multilabel", "sigmoid", ("sigmoid", "probabilities")),
        ("poisson_nll", "regression", "auto", ("none", "log_mean")),
        ({"name": "poisson_nll", "log_input": False}, "regression", "auto", ("none", "mean")),
        ("keras.Poisson", "regression", "auto", ("none", "mean")),
        ("gaussian_nll", "regression", "auto", ("none", "mean_and_log_variance")),
        ("cosine_similarity", "regression", "auto", ("none", "mean")),
        ("own:loss", "regression", "auto", ("none", "mean")),
        ("own:loss", "multilabel", "auto", ("none", "probabilities")),
    ],
)
def test_how_outputs_become_predictions(loss: Any, task: Task, output: str, expected: tuple[str, str | None]) -> None:
    assert outputs_read_as(resolve(config(loss, output), facts(task)), facts(task)) == expected


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


def test_resolving_twice_changes_nothing_and_survives_the_file() -> None:
    once = resolve(config("cross_entropy", early_stopping=3, schedule="reduce_on_plateau"), facts("multiclass"))
    assert resolve(once, facts("multiclass")) == once
    assert from_mapping(once.to_mapping(), Path()).config == once
    assert once.name == "data-mlp-cross_entropy-sgd"


def test_output_size_is_the_targets_or_two_for_each() -> None:
    assert output_size(config("cross_entropy"), facts("multiclass")) == 10
    assert output_size(config("own:loss"), facts("regression")) == 1
    assert output_size(config("gaussian_nll"), facts("regression")) == 2
