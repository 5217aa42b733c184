"""An epoch's train_loss, with weights that hardly move, is the loss of the whole training part at once."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import LOSSES
from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.steps.evaluate import evaluate
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import Laboratory, newest, rows

STILL = 1e-30
SAMPLES = 37  # a last batch that is smaller, at every size but 37


def dataset_of(task: str) -> dict[str, Any]:
    generator = np.random.default_rng(3)
    inputs = generator.normal(size=(SAMPLES, 3)).round(3)
    if task == "regression":
        targets: Any = generator.uniform(0.1, 0.9, (SAMPLES, 2))
    elif task == "multilabel":
        targets = generator.integers(0, 2, (SAMPLES, 3))
    else:
        # In order, and rare at the end: whole batches of one class.
        targets = np.sort(
            generator.choice(
                2 if task == "binary" else 3, SAMPLES, p=[0.7, 0.3] if task == "binary" else [0.6, 0.3, 0.1]
            )
        )
    return {"name": "inline", "inputs": inputs.tolist(), "targets": targets.tolist(), "task": task}


def still(task: str, loss: Any, **changes: Any) -> dict[str, Any]:
    return {
        "dataset": dataset_of(task),
        "model": {"name": "mlp", "hidden": [5], "activation": "tanh"},
        "loss": loss,
        "optimizer": "sgd",
        "learning_rate": STILL,
        "epochs": 2,
        "batch_size": 4,
        "best": {"metric": "train_loss"},
        "checkpoint": {"every": "1 epoch"},
        "lint": "warn",
        **changes,
    }


def both(laboratory: Laboratory, config: dict[str, Any]) -> list[tuple[float, float]]:
    """train_loss, and the loss of the training part scored afterwards, of each seed.

    After one of two epochs, before it is asked what is wrong with a run that stands still."""
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        next(event for event in train(session, lambda: None) if isinstance(event, EpochRecord))
        scored = [evaluate(r, r.parts.train, session.output_spec).loss for r in session.replicas]
    recorded = {row["seed"]: row["train_loss"] for row in rows(session.run)}
    return [(recorded[r.seed], loss) for r, loss in zip(session.replicas, scored, strict=True)]


def variants(loss: Loss, task: str) -> list[dict[str, Any]]:
    """Its options that change what a mean divides by, or do not and might be thought to."""
    count = {"binary": 2, "multiclass": 3, "multilabel": 3}.get(task, 0)
    options: dict[str, list[Any]] = {}
    if loss.parameter("class_weights") and count:
        options["class_weights"] = [None, [0.2, 5.0, 1.0][:count], [0, 1, 2][:count]]
    if loss.parameter("ignore_index") and task == "multiclass":
        options["ignore_index"] = [None, 1]
    if loss.parameter("weight_convention") and count:
        options["weight_convention"] = ["pytorch", "keras"]
    if loss.parameter("pos_weight") and task != "regression":
        options["pos_weight"] = [None, 4.0]
    options["reduction"] = ["mean", "half_sum"]
    every = [dict(zip(options, values, strict=True)) for values in product(*options.values())]
    # All of them together where all meet; of the others each one by itself, and the last ones together.
    if loss.name not in ("cross_entropy", "binary_cross_entropy"):
        plain = {name: values[0] for name, values in options.items()}
        every = [plain | {name: value} for name, values in options.items() for value in values[1:]]
        every.append({name: values[-1] for name, values in options.items()})
    return [{"name": loss.name, **chosen} for chosen in every]


CASES = [
    (task, variant)
    for loss in LOSSES
    if isinstance(loss, Loss)
    for task in loss.tasks
    if loss.least_targets <= (2 if task == "regression" else 1)
    for variant in variants(loss, task)
]


@pytest.mark.parametrize(("task", "loss"), CASES, ids=lambda value: str(value).replace("'", ""))
def test_train_loss_is_the_loss_of_the_training_part(laboratory, task, loss):
    ((recorded, scored),) = both(laboratory, still(task, loss))
    assert recorded == pytest.approx(scored, rel=1e-5, abs=1e-7)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, SAMPLES),
    st.sampled_from(["eager", "recorded"]),
    st.sampled_from(["float32", "float64", "bf16"]),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from(
        [{"class_weights": [1, 50, 0.1]}, {"ignore_index": 2}, {"class_weights": "balanced", "ignore_index": 0}]
    ),
)
def test_however_it_is_trained(tmp_path_factory, size, step, precision, seeds, shuffle, options):
    config = still("multiclass", {"name": "cross_entropy", **options}, batch_size=size, step=step, precision=precision)
    config |= {"seeds": seeds, "shuffle": shuffle}
    for recorded, scored in both(Laboratory(tmp_path_factory.mktemp("run")), config):
        assert recorded == pytest.approx(scored, rel=2e-2 if precision == "bf16" else 1e-5)


def test_the_last_batch_that_is_dropped_does_not_count(laboratory):
    """36 of 37 samples, in their order: the one left out is the last."""
    loss = {"name": "cross_entropy", "class_weights": [1, 50, 7]}
    ((recorded, _),) = both(laboratory, still("multiclass", loss, drop_last=True, shuffle=False))
    shorter = still("multiclass", loss, shuffle=False)
    for what in ("inputs", "targets"):
        shorter["dataset"][what] = shorter["dataset"][what][:36]
    ((_, expected),) = both(laboratory, shorter)
    assert recorded == pytest.approx(expected, rel=1e-6)


def test_a_run_that_goes_on_within_an_epoch_has_the_numbers_of_one_that_never_stopped(laboratory):
    config = still("multiclass", {"name": "cross_entropy", "class_weights": [1, 50, 7]}, learning_rate=0.1, epochs=2)
    config["checkpoint"] = {"every": "3 steps"}
    whole, parts = laboratory.start(config), laboratory.start(config, stop_at=5)
    laboratory.resume(parts, stop_at=13)
    laboratory.resume(parts)
    assert rows(whole) == rows(parts)
    assert newest(whole).metadata["epoch_samples"] == newest(parts).metadata["epoch_samples"]


def test_a_first_batch_in_which_nothing_counts_is_no_first_loss(laboratory):
    """The labels are in order, and the first of them is ignored."""
    config = still("multiclass", {"name": "cross_entropy", "ignore_index": 0}, shuffle=False)
    run = laboratory.start(config)
    (facts,) = newest(run).metadata["replicas"]
    assert facts["health"]["first_loss"] > 0.1
