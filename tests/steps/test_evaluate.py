"""The scorer of a seed group next to an evaluation of each seed by itself, epoch by epoch."""

from typing import Any

import numpy as np
import pytest
import torch

from lossrun.catalog.metrics import unsuitable_metrics
from lossrun.config import from_mapping
from lossrun.experiment import load_experiment
from lossrun.lint.rules import columns
from lossrun.replay import products
from lossrun.steps.evaluate import EVALUATION_BATCH, evaluate
from lossrun.training import grouping
from lossrun.training.loop import train
from lossrun.training.session import Session
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import Laboratory

OTHERS = ("msle", "poisson_nll", "rmse", "r2")
HELD_OUT = 1100  # more than one batch of evaluation, and not a multiple of any
TASKS: dict[str, dict[str, Any]] = {
    "regression": {
        "dataset": {
            "name": "synthetic_regression",
            "samples": 1700,
            "features": 4,
            "validation": HELD_OUT,
            "standardize": {"inputs": True, "targets": True},
        },
        "loss": "huber",
    },
    "variances": {
        "dataset": {
            "name": "synthetic_regression",
            "samples": 1700,
            "features": 4,
            "validation": HELD_OUT,
            "standardize": {"inputs": True, "targets": True},
        },
        "loss": "gaussian_nll",
    },
    "counts": {
        "dataset": {"name": "npz", "path": "counts.npz", "target": "targets", "task": "regression", "test": 20},
        "loss": "poisson_nll",
    },
    "binary": {
        "dataset": {"name": "synthetic_classification", "kind": "moons", "samples": 1700, "validation": HELD_OUT},
        "loss": {"name": "bce", "class_weights": [1, 3]},
    },
    "multiclass": {
        "dataset": {"name": "synthetic_classification", "kind": "spirals", "samples": 1700, "validation": HELD_OUT},
        "loss": {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": "balanced"},
    },
    "multilabel": {
        "dataset": {"name": "npz", "path": "labels.npz", "target": "targets", "task": "multilabel", "test": 20},
        "loss": "bce",
    },
}
COMMON: dict[str, Any] = {
    "model": {"name": "mlp", "hidden": [8], "activation": "tanh"},
    "optimizer": "adam",
    "learning_rate": 0.02,
    "epochs": 3,
    "batch_size": 64,
}


@pytest.fixture(autouse=True)
def _labels(laboratory: Laboratory) -> None:
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(HELD_OUT + 200, 5)).astype(np.float32)
    targets = (inputs[:, :3] + draw.normal(size=(len(inputs), 3)) > 0).astype(np.float32)
    np.savez(laboratory.folder / "labels.npz", inputs=inputs, targets=targets)
    counts = draw.poisson(np.exp(inputs[:, :2])).astype(np.float32)
    np.savez(laboratory.folder / "counts.npz", inputs=inputs, targets=counts)
    for task in ("multilabel", "counts"):
        TASKS[task]["dataset"]["validation"] = HELD_OUT


# Two samples whose outputs differ in the last digit may tie or change places. That moves the AUC of a class by one of
# about 300,000 pairs, and its average precision by 1 / (367 * rank): at most by 1 / 367 at the very top, a third of it
# in the mean over three classes. The ranks themselves are tested in components/test_ranks.py.
ONE_PAIR = 1e-3


def differences(laboratory: Laboratory, config: dict[str, Any], *, of_ranks: float = 0.0) -> tuple[float, list[int]]:
    """Largest relative difference of any column of any epoch and seed from the lone evaluation of that seed, and how
    many seeds were scored in each epoch. Columns and their order are compared as well. `of_ranks`: how much AUC and
    average precision may differ before it counts."""
    largest, scored = 0.0, []
    examined = load_experiment(from_mapping({**COMMON, **config}, laboratory.folder), laboratory.folder)

    def compared(session: Session) -> dict[int, dict[str, float]]:
        nonlocal largest
        columns = original(session)
        active = [replica for replica in session.replicas if not replica.frozen]
        scored.append(len(active))
        assert list(columns) == [replica.seed for replica in active]
        for replica in active:
            assert replica.parts.validation is not None
            alone = evaluate(replica, replica.parts.validation, session.output_spec)
            expected = {"val_loss": alone.loss, **{f"val_{name}": value for name, value in alone.metrics.items()}}
            assert list(columns[replica.seed]) == list(expected)
            for name, value in expected.items():
                difference = abs(columns[replica.seed][name] - value)
                if name in ("val_auc", "val_average_precision"):
                    difference = max(difference - of_ranks, 0.0)
                largest = max(largest, difference / max(abs(value), 1e-9))
        return columns

    original = Session.validate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "validate", compared)
        with begin(prepare(examined), laboratory.folder / "runs") as session:
            for _ in train(session, lambda: None):
                pass
    return largest, scored


@pytest.mark.parametrize("step", ["eager", "recorded"])
@pytest.mark.parametrize("task", TASKS)
def test_of_one_seed_it_is_the_evaluation(laboratory: Laboratory, task: str, step: str) -> None:
    assert HELD_OUT > EVALUATION_BATCH
    assert differences(laboratory, {**TASKS[task], "step": step}) == (0.0, [1, 1, 1])
    # Seed by seed as well.
    one_by_one = {**TASKS[task], "step": step, "seeds": 2, "epochs": 2}
    one_by_one |= {"schedule": "reduce_on_plateau", "optimizer": "adamax"}
    assert differences(laboratory, one_by_one) == (0.0, [2, 2])


@pytest.mark.parametrize("task", TASKS)
def test_of_a_stack_it_is_each_seeds_evaluation(laboratory: Laboratory, task: str) -> None:
    """To the rounding of outputs in single precision; accuracy would differ by 1 / 1100 or not at all."""
    largest, scored = differences(laboratory, {**TASKS[task], "seeds": 3}, of_ranks=ONE_PAIR)
    assert largest < 1e-6
    assert scored == [3, 3, 3]
    largest, _ = differences(laboratory, {**TASKS[task], "seeds": 3, "precision": "float64"})
    assert largest < 1e-12


def test_running_statistics_and_dropout_are_those_of_each_seed(laboratory: Laboratory) -> None:
    model = {"name": "mlp", "hidden": [8], "batch_norm": True, "dropout": 0.3}
    assert differences(laboratory, {**TASKS["multiclass"], "model": model, "step": "recorded"})[0] == 0
    assert differences(laboratory, {**TASKS["multiclass"], "model": model, "seeds": 3}, of_ranks=ONE_PAIR)[0] < 1e-6


@pytest.mark.parametrize("standardize", [False, True])
def test_images_are_scaled_alike(laboratory: Laboratory, standardize: bool) -> None:
    """Bytes, which the step and the scorer turn into numbers by themselves."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, HELD_OUT + 200)
    images = (draw.integers(0, 128, (len(labels), 5, 4)) + 60 * labels[:, None, None]).astype(np.uint8)
    np.savez(laboratory.folder / "images.npz", images=images, targets=labels)
    dataset = {"name": "npz", "path": "images.npz", "target": "targets", "task": "multiclass", "test": 20}
    config = {"dataset": {**dataset, "validation": HELD_OUT, "standardize": standardize}, "loss": "cross_entropy"}
    assert differences(laboratory, config)[0] == 0
    assert differences(laboratory, {**config, "seeds": 3})[0] < 1e-6
    # A network whose pools have other kernels while it trains.
    pooled = {"name": "cnn", "layers": [{"name": "conv", "filters": 16, "padding": 1}, {"name": "avg_pool"}]}
    images = np.repeat(np.repeat(images, 2, axis=1), 2, axis=2)
    np.savez(laboratory.folder / "images.npz", images=images, targets=labels)
    assert differences(laboratory, {**config, "model": pooled, "epochs": 1})[0] == 0


def test_products_on_another_kernel_are_for_training_alone(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "one_dnn_is_faster", lambda: True)
    wide = {**TASKS["regression"], "model": {"name": "mlp", "hidden": [300, 300]}, "epochs": 1}
    assert differences(laboratory, wide)[0] == 0


@pytest.mark.parametrize("room", [100, 2])
def test_seeds_that_have_left(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """What is scored after a seed has left is not the memory that it lay in; `room`: seeds in a group."""
    monkeypatch.setattr(grouping.memory, "available", lambda device: room)
    monkeypatch.setattr(grouping.memory, "of_one_seed", lambda *_: 1)
    stopping = {**TASKS["regression"], "seeds": 5, "early_stopping": 1, "learning_rate": 0.1, "epochs": 40}
    largest, scored = differences(laboratory, stopping)
    assert largest < 1e-6
    assert scored[0] == 5
    assert len(set(scored)) > 2, "the test needs seeds that stop at different epochs"


def test_an_evaluation_changes_nothing(laboratory: Laboratory) -> None:
    """Neither statistics nor the dropout stream, and the model trains on afterwards."""
    model = {"name": "mlp", "hidden": [8], "batch_norm": True, "dropout": 0.3}
    for seeds in (1, 3):
        config = {**COMMON, **TASKS["multiclass"], "model": model, "seeds": seeds}
        examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
        with begin(prepare(examined), laboratory.folder / "runs") as session:
            session.begin_epoch()
            session.step(0, 64, session.rates(0))
            for _ in range(3):
                before = [t.clone() for r in session.replicas for t in r.network.state_dict().values()]
                stream = torch.get_rng_state()
                first = session.validate()
                assert session.validate() == first
                after = [t for r in session.replicas for t in r.network.state_dict().values()]
                assert all(map(torch.equal, before, after))
                assert torch.equal(torch.get_rng_state(), stream)
                assert all(module.training for replica in session.replicas for module in replica.network.modules())
                # Other weights, other numbers.
                session.step(64, 128, session.rates(1))
                assert session.validate() != first


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_class_that_validation_lacks(laboratory: Laboratory, seeds: int) -> None:
    """Two samples of three classes: macro F1 is over classes that are a label or a guess."""
    dataset = {"name": "synthetic_classification", "kind": "spirals", "classes": 3, "samples": 60, "validation": 2}
    largest, _ = differences(laboratory, {"dataset": dataset, "loss": "cross_entropy", "seeds": seeds})
    assert largest < 1e-6
    if seeds == 1:
        assert largest == 0


@pytest.mark.parametrize("task", TASKS)
def test_the_linter_knows_the_columns_beforehand(laboratory: Laboratory, task: str) -> None:
    """Except for what says nothing about such targets, and could still be asked for."""
    examined = load_experiment(from_mapping({**COMMON, **TASKS[task]}, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        (scores,) = session.validate().values()
    left_out = unsuitable_metrics(examined.facts.target_scale)
    assert ("mape" in left_out) == (task in ("regression", "variances", "counts"))
    missing = ["train_loss", *(f"val_{name}" for name in left_out)]
    assert list(scores) == [name for name in columns(examined.facts, examined.config) if name not in missing]


def test_predictions_are_means_in_original_units(laboratory: Laboratory) -> None:
    for task, reads_as in (("variances", "mean_and_log_variance"), ("counts", "log_mean")):
        examined = load_experiment(from_mapping({**COMMON, **TASKS[task]}, laboratory.folder), laboratory.folder)
        with begin(prepare(examined), laboratory.folder / "runs") as session:
            assert session.output_spec.reads_as == reads_as
            (replica,) = session.replicas
            parts = replica.parts
            assert parts.test is not None
            predicted = evaluate(replica, parts.test, session.output_spec).predictions
            with torch.no_grad():
                outputs = replica.network(parts.test.scaled(parts.test.inputs)).double()
            if reads_as == "log_mean":
                expected = outputs.float().exp().double()
            else:
                expected = outputs[:, :1] * parts.target_std + parts.target_mean
                assert parts.target_std != 1
            assert predicted.shape == parts.test.targets.shape
            torch.testing.assert_close(predicted, expected)


def test_all_held_out_targets_decide_which_metrics_there_are(laboratory: Laboratory) -> None:
    """A 0 among the test targets: no percentage of it, and none of the validation targets, which have no 0, either.

    Percentages are asked for; unasked there are none on any split of targets with a 0.
    """
    line = {"name": "inline", "inputs": list(range(20)), "targets": [*range(1, 20), 0], "validation": 5, "test": 5}
    found = []
    unasked_columns: list[list[str]] = []
    for split_seed in range(8):
        config = {**COMMON, "dataset": {**line, "split_seed": split_seed}, "loss": "mse", "epochs": 1}
        unasked = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
        with begin(prepare(unasked), laboratory.folder / "runs") as session:
            (scores,) = session.validate().values()
            assert {f"val_{name}" for name in ("loss", "mse", *OTHERS)} <= scores.keys()
            assert "val_mape" not in scores
            unasked_columns.append(list(scores))
        asking = {**config, "compare_on": "mape"}
        examined = load_experiment(from_mapping(asking, laboratory.folder), laboratory.folder)
        with begin(prepare(examined), laboratory.folder / "runs") as session:
            parts = session.replicas[0].parts
            assert parts.validation is not None
            assert parts.test is not None
            (scores,) = session.validate().values()
            of_test = evaluate(session.replicas[0], parts.test, session.output_spec).metrics
            assert list(scores) == ["val_loss", *(f"val_{name}" for name in of_test)]
            zeros = [bool((part.targets == 0).any()) for part in (parts.train, parts.validation, parts.test)]
            # The training targets have no say: they may be corrupted.
            assert ("val_mape" in scores) is not any(zeros[1:])
            found.append(zeros.index(True))
    assert unasked_columns == unasked_columns[:1] * 8, "the same columns on every split"
    assert {*found} == {0, 1, 2}, "the test needs the 0 in each part once"


@pytest.mark.parametrize("seeds", [1, 3])
def test_without_validation_there_are_no_columns(laboratory: Laboratory, seeds: int) -> None:
    dataset = {"name": "synthetic_regression", "samples": 60, "features": 3, "validation": 0}
    config = {**COMMON, "dataset": dataset, "loss": "mse", "seeds": seeds}
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        assert session.validate() == {}


@pytest.mark.parametrize(("validation", "recorded"), [(600, True), (70_000, False)])
def test_what_is_large_is_not_recorded(laboratory: Laboratory, validation: int, recorded: bool) -> None:
    """The record of a hundred thousand outputs takes 20 MiB, and saves next to nothing of such an epoch."""
    dataset = {"name": "synthetic_regression", "samples": 71_000, "features": 2, "validation": validation, "test": 0}
    config = {**COMMON, "dataset": dataset, "loss": "mse"}
    examined = load_experiment(from_mapping(config, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "run") as session:
        assert (session.scorers[0].table.record is not None) == recorded
        session.begin_epoch()
        (scores,) = session.validate().values()
        evaluated = evaluate(session.replicas[0], session.scorers[0].samples, session.output_spec)
        assert scores["val_mse"] == pytest.approx(evaluated.metrics["mse"], rel=1e-6)
