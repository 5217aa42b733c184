"""The task of targets for which the config states none, where the loss decides.

A task follows from the loss if the values of the targets leave the loss one reading, by the tasks that it declares.
"""

import numpy as np
import pytest
import yaml

from lossrun.catalog.losses import LOSSES
from lossrun.config import from_mapping
from lossrun.config.resolve import loss_tasks
from lossrun.data.samples.task import LossTasks, task_of
from lossrun.errors import ConfigError, DataError
from lossrun.experiment import load_experiment
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.reading import read_sweep

MANY = 40
TARGETS = {
    "two": np.arange(MANY) % 2,
    "three": np.arange(MANY) % 3,
    "prices": np.arange(MANY) // 2 * 1000,
    "numbers": np.arange(MANY),
    "fractions": np.arange(MANY) / 4,
    "yes or no": np.array(["yes", "no"] * (MANY // 2)),
    "words": np.array(["a", "b", "c", "d"] * (MANY // 4)),
    "labels": np.array([[1, 0, 1], [0, 1, 1]] * (MANY // 2)),
    "one-hot": np.eye(4)[np.arange(MANY) % 4],
}
# The readings that each kind of values allows.
READINGS = {
    "two": {"regression", "binary", "multiclass"},
    "three": {"regression", "multiclass"},
    "prices": {"regression", "multiclass"},
    "numbers": {"regression"},
    "fractions": {"regression"},
    "yes or no": {"binary", "multiclass"},
    "words": {"multiclass"},
    "labels": {"multilabel", "regression"},
    "one-hot": {"multilabel", "multiclass", "regression"},
}
# What the values alone say.
PLAIN = {
    "two": None,
    "three": None,
    "prices": None,
    "numbers": "regression",
    "fractions": "regression",
    "yes or no": "binary",
    "words": "multiclass",
    "labels": "multilabel",
    "one-hot": "multilabel",
}


def columns(name: str) -> np.ndarray:
    return TARGETS[name].reshape(MANY, -1)


def found(name: str, tasks: tuple[str, ...]) -> tuple[str | None, bool]:
    return task_of(columns(name), TARGETS[name].dtype.kind == "U", 0, LossTasks(tasks))


@pytest.mark.parametrize("name", TARGETS)
def test_a_loss_that_fits_one_reading_decides(name):
    for loss in LOSSES:
        task, decided = found(name, loss.tasks)
        fitting = READINGS[name] & set(loss.tasks)
        if PLAIN[name] in fitting:
            assert (task, decided) == (PLAIN[name], False), loss.name
        elif len(fitting) == 1:
            assert ({task}, decided) == (fitting, True), loss.name
        elif not fitting:
            assert not decided, loss.name
            assert task is not None, loss.name  # so that the linter names losses for it


@pytest.mark.parametrize(
    ("name", "loss", "expected"),
    [
        # With a loss for anything, repeated amounts are amounts, and two numbers may be a code for classes.
        ("three", "mse", ("regression", True)),
        ("prices", "mae", ("regression", True)),
        ("two", "mse", (None, False)),
        ("two", "mae", (None, False)),
        # Its usual task, as in Keras and PyTorch: one output for two classes.
        ("two", "binary_cross_entropy", ("binary", True)),
        # Three classes as three questions, or shares beyond 1: nobody can tell.
        ("three", "binary_cross_entropy", (None, False)),
    ],
)
def test_a_loss_for_several_tasks_decides_by_its_usual_one(name, loss, expected):
    assert found(name, next(one.tasks for one in LOSSES if one.name == loss)) == expected


def test_without_a_loss_the_values_decide():
    assert {name: found(name, ())[0] for name in TARGETS} == PLAIN


def config(loss="cross_entropy", **changes):
    base = {"dataset": {"name": "csv", "path": "t.csv", "target": "y"}, "model": "mlp", "optimizer": "adam"}
    return base | {"learning_rate": 0.01, "loss": loss, "epochs": 1} | changes


def read(mapping, tmp_path):
    return from_mapping(mapping, tmp_path, name="c.yaml")


@pytest.fixture
def table(tmp_path):
    def write(name):
        rows = [f"{place % 7},{place % 5},{target}" for place, target in enumerate(TARGETS[name].tolist())]
        (tmp_path / "t.csv").write_text("\n".join(["a,b,y", *rows, ""]))

    return write


@pytest.mark.parametrize(
    ("name", "loss", "model", "task", "why"),
    [
        ("three", "cross_entropy", "mlp", "multiclass", "loss: cross_entropy"),
        ("two", "CrossEntropyLoss", "mlp", "multiclass", "loss: cross_entropy"),
        ("yes or no", "sparse_categorical_crossentropy", "mlp", "multiclass", "loss: cross_entropy"),
        ("two", "BCEWithLogitsLoss", "mlp", "binary", "loss: binary_cross_entropy"),
        ("prices", "huber", "mlp", "regression", "loss: huber"),
        ("three", "mse", {"name": "mlp", "output": "softmax"}, "multiclass", "loss: mse with model.output: softmax"),
        ("two", "mse", {"name": "mlp", "output": "sigmoid"}, "binary", "loss: mse with model.output: sigmoid"),
    ],
)
def test_the_config_that_is_kept_states_the_task(name, loss, model, task, why, table, tmp_path):
    table(name)
    experiment = load_experiment(read(config(loss, model=model), tmp_path), tmp_path)
    assert experiment.facts.task == task
    assert experiment.config.dataset["task"] == task
    assert f"dataset.task: {task} follows from {why}" in experiment.done
    # Read again, it says the same without a loss to ask.
    kept = yaml.safe_load(yaml.safe_dump(experiment.config.to_mapping()))
    again = load_experiment(read(kept, tmp_path), tmp_path)
    assert again.config == experiment.config
    assert not [line for line in again.done if "follows" in line]


def test_a_stated_task_wins(table, tmp_path):
    table("three")
    stated = config("mse", dataset={"name": "csv", "path": "t.csv", "target": "y", "task": "multiclass"})
    experiment = load_experiment(read(stated, tmp_path), tmp_path)
    assert experiment.facts.task == "multiclass"
    assert not [line for line in experiment.done if "follows" in line]


def test_what_stays_open_is_asked(table, tmp_path):
    table("two")
    with pytest.raises(DataError, match="could be quantities or classes; add task: regression or task: binary"):
        load_experiment(read(config("mse"), tmp_path), tmp_path)


def test_a_loss_that_fits_no_reading_is_refused_with_losses_that_do(table, tmp_path):
    table("three")
    with pytest.raises(ConfigError, match=r"hinge is for binary targets, but csv has multiclass targets; use cross"):
        load_experiment(read(config("hinge"), tmp_path), tmp_path)


def test_points_in_the_config_are_read_by_the_loss_too(tmp_path):
    points = {"name": "inline", "inputs": [[0, 0], [0, 1], [1, 0], [1, 1]], "targets": [0, 1, 1, 0]}
    experiment = load_experiment(read(config("binary_cross_entropy", dataset=points), tmp_path), tmp_path)
    assert (experiment.facts.task, experiment.config.dataset["task"]) == ("binary", "binary")


@pytest.mark.parametrize("tune", [{}, {"tune": False}])
def test_a_sweep_whose_losses_read_the_targets_differently_is_refused(tune, table, tmp_path):
    table("three")
    reading = read(config(sweep={"loss": ["mse", "cross_entropy"], "learning_rate": [0.1, 0.01], **tune}), tmp_path)
    with pytest.raises(ConfigError, match=r"regression for mse, multiclass for cross_entropy; set dataset\.task"):
        plan_sweep(read_sweep(reading), tmp_path, tmp_path)
    same = read(config(sweep={"loss": ["mse", "huber"], "learning_rate": [0.1, 0.01], **tune}), tmp_path)
    plan_sweep(read_sweep(same), tmp_path, tmp_path)


def test_the_output_of_the_model_counts_only_for_a_loss_of_any_task(tmp_path):
    def tasks(loss, output):
        return loss_tasks(read(config(loss, model={"name": "mlp", "output": output}), tmp_path).config)[0]

    assert "regression" not in tasks("mse", "softmax")
    assert tasks("mse", "none") == tasks("mse", "auto")
    assert tasks("huber", "sigmoid") == ("regression",)
    assert tasks("binary_cross_entropy", "sigmoid") == tasks("binary_cross_entropy", "auto")
