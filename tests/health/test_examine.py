"""Divergence in its three forms, and mistakes named by the floor at which the loss comes to rest."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from sklearn.datasets import load_digits

from lossrun.analysis.comparison.remarks import remarks
from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.config import from_mapping
from lossrun.errors import DivergedError
from lossrun.experiment import load_experiment
from lossrun.health.finding import Finding
from lossrun.health.output_checks import ranks
from lossrun.records import checkpoints, history, ledger, recorded
from lossrun.training.events import EpochRecord
from lossrun.training.loop import train
from lossrun.training.session import Session
from lossrun.training.starting.prepare import prepare
from lossrun.training.starting.start import begin
from tests.training.conftest import Laboratory, assert_same_bits, rows

COMMON: dict[str, Any] = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 12, "lint": "warn"}
MOONS: dict[str, Any] = {"name": "synthetic_classification", "kind": "moons", "samples": 400}
LABELS: dict[str, Any] = {"name": "synthetic_classification", "kind": "multilabel", "samples": 400, "classes": 4}
LINE: dict[str, Any] = {"name": "synthetic_regression", "samples": 400, "features": 4}


def blobs(classes: int) -> dict[str, Any]:
    return {"name": "synthetic_classification", "kind": "blobs", "samples": 600, "classes": classes}


def logits(loss: str) -> dict[str, Any]:
    return {"name": loss, "from_logits": True}


def trained(laboratory: Laboratory, config: dict[str, Any]) -> tuple[Session, list[Finding], DivergedError | None]:
    """The session at its end, all findings, and the divergence if that was the end."""
    findings: list[Finding] = []
    examined = load_experiment(from_mapping({**COMMON, **config}, laboratory.folder), laboratory.folder)
    with begin(prepare(examined), laboratory.folder / "runs") as session:
        try:
            for event in train(session, lambda: None):
                if isinstance(event, EpochRecord):
                    findings.extend(event.findings)
        except DivergedError as error:
            return session, findings, error
    return session, findings, None


def names(findings: list[Finding]) -> list[str]:
    return [finding.name for finding in findings]


# --- each deliberate mistake is named


@pytest.mark.parametrize(
    ("dataset", "loss", "output", "expected"),
    [
        (blobs(3), logits("cross_entropy"), "softmax", "double_softmax"),
        (blobs(10), logits("cross_entropy"), "softmax", "double_softmax"),
        (blobs(3), logits("focal"), "softmax", "double_softmax"),
        (blobs(3), logits("generalized_cross_entropy"), "softmax", "double_softmax"),
        (blobs(3), logits("binary_cross_entropy"), "softmax", "double_sigmoid"),
        (MOONS, logits("binary_cross_entropy"), "sigmoid", "double_sigmoid"),
        (LABELS, logits("binary_cross_entropy"), "sigmoid", "double_sigmoid"),
        (LABELS, logits("binary_focal"), "sigmoid", "double_sigmoid"),
        (MOONS, "binary_cross_entropy", "softmax", "single_softmax"),
        (MOONS, "BCELoss", "logits", "clipped"),
        (blobs(3), {"name": "cross_entropy", "from_logits": False}, "logits", "clipped"),
        (blobs(3), "NLLLoss", "logits", "impossible"),
        (LINE, "mse", "sigmoid", "squashed"),
        (LINE, "mae", "sigmoid", "squashed"),
        (LINE, "binary_cross_entropy", "logits", "impossible"),
    ],
)
def test_a_deliberate_mistake_is_named(laboratory, dataset, loss, output, expected):
    session, findings, diverged = trained(
        laboratory, {"dataset": dataset, "loss": loss, "model": {"name": "mlp", "output": output}}
    )
    assert names(findings) == [expected]
    assert diverged is None
    assert f"to fix it, train again with --set {findings[0].cure[0]} [{expected}]" in findings[0].text
    events = [event for event in ledger.read(session.run.ledger_path) if event["event"] == "diagnosed"]
    assert [event["diagnosis"] for event in events] == [expected]
    assert any(f"[{expected}]" in remark for remark in remarks(recorded.load(session.run.path)))


def test_a_loss_that_stays_far_above_the_best_constants_is_stuck(laboratory):
    """Targets near 1000, outputs near 0 and tiny steps: a loss of a million, where the mean alone would cost 1 / 12."""
    lines = "".join(f"{place / 200},{1000 + place / 200}\n" for place in range(200))
    (laboratory.folder / "far.csv").write_text("x,y\n" + lines)
    dataset = {"name": "csv", "path": "far.csv", "target": "y"}
    config = {"dataset": dataset, "loss": "mse", "model": "linear", "optimizer": "sgd", "learning_rate": 1e-9}
    _, findings, diverged = trained(laboratory, config)
    assert names(findings) == ["stuck"]
    assert findings[0].epoch == 12
    assert findings[0].floor == pytest.approx(1 / 12, rel=0.05)
    assert "targets of 1000 to 1001 are far from the first outputs of the network" in findings[0].text
    assert diverged is None


@pytest.mark.usefixtures("no_settings_are_tried")
@pytest.mark.parametrize(
    ("dataset", "loss", "expected"),
    [
        (blobs(3), "cross_entropy", "chance"),
        (blobs(10), "focal", "chance"),
        (MOONS, "binary_cross_entropy", "chance"),
        (MOONS, "hinge", "chance"),
        (LABELS, "dice", "stuck"),  # a half everywhere is not its best constant
        (LINE, "mse", "constant"),
        (LINE, "mae", "constant"),
        (LINE, "huber", "constant"),
        (LINE, "log_cosh", "constant"),
    ],
)
def test_a_rate_far_too_small_is_named(laboratory, dataset, loss, expected):
    # From outputs of nearly 0: torch's own initial outputs are some per cent off the floor.
    model = {"name": "mlp", "init": {"name": "normal", "std": 0.01}}
    config = {"dataset": dataset, "loss": loss, "model": model, "optimizer": "sgd", "learning_rate": 1e-7, "epochs": 4}
    _, findings, diverged = trained(laboratory, config)
    assert names(findings) == [expected]
    # At the end: so few steps leave most models on the plateau on which they begin.
    assert findings[0].epoch == 4
    assert diverged is None


@pytest.mark.parametrize(
    ("task", "last", "loss", "expected"),
    [
        (blobs(4), "torch.nn.Softmax(dim=1)", logits("cross_entropy"), "double_softmax"),
        (MOONS, "torch.nn.Sigmoid()", logits("binary_cross_entropy"), "double_sigmoid"),
    ],
)
def test_a_hidden_activation_of_ones_own_model_is_found(laboratory, tmp_path, task, last, loss, expected):
    (tmp_path / f"hidden_{expected}.py").write_text(
        "import torch\n"
        "def net(input_shape, output_size):\n"
        "    layers = [torch.nn.Linear(input_shape[0], 50), torch.nn.ReLU(), torch.nn.Linear(50, output_size)]\n"
        f"    return torch.nn.Sequential(*layers, {last})\n"
    )
    _, findings, _ = trained(laboratory, {"dataset": task, "loss": loss, "model": f"hidden_{expected}:net"})
    assert names(findings) == [expected]


# --- healthy runs are left alone (so are those of the shipped configs: tests/test_configs.py)


@pytest.mark.usefixtures("no_settings_are_tried")
def test_a_deep_sigmoid_network_on_its_first_plateau_is_not_dead(laboratory):
    """Its outputs hardly depend on the inputs for many epochs, but they do, and it gets away in the end."""
    model = {"name": "mlp", "hidden": [20, 20, 20], "activation": "sigmoid"}
    config = {"dataset": blobs(3), "loss": "cross_entropy", "model": model, "learning_rate": 1e-4, "epochs": 6}
    _, findings, diverged = trained(laboratory, config)
    assert diverged is None
    assert "dead" not in names(findings)


@pytest.mark.usefixtures("no_settings_are_tried")
def test_large_targets_are_no_explosion(laboratory):
    """A mean of 1000 over a spread of 1: the first loss is a million times what a constant would cost."""
    dataset = {
        "name": "inline",
        "inputs": [[x / 10] for x in range(40)],
        "targets": [1000 + x / 20 for x in range(40)],
        "task": "regression",
    }
    config = {"dataset": dataset, "loss": "mse", "model": "linear", "optimizer": "sgd", "learning_rate": 0.01}
    _, findings, diverged = trained(laboratory, config)
    assert diverged is None
    # It ends above what a constant would cost, which is another matter.
    assert names(findings) == ["above_constant"]


# --- divergence


def test_not_a_number_names_the_step(laboratory, tmp_path):
    (tmp_path / "late.py").write_text(
        "import torch\n"
        "class Late(torch.nn.Module):\n"
        '    """mse, but not a number from the 12th training batch on."""\n'
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.register_buffer('calls', torch.zeros(()))\n"
        "    def forward(self, outputs, targets):\n"
        "        if outputs.requires_grad and len(outputs) == 16:\n"
        "            self.calls += 1\n"
        "        bad = torch.where(self.calls < 12, 0.0, torch.nan)\n"
        "        return (outputs - targets).square().mean(1) + bad\n"
    )
    dataset = {**LINE, "samples": 160, "validation": 0, "test": 0}
    config = {"dataset": dataset, "loss": "late:Late", "model": "linear", "batch_size": 16, "optimizer": "sgd"}
    session, _, diverged = trained(laboratory, config)
    assert "diverged in epoch 2 at step 12 (seed 0): the loss is no longer a finite number" in str(diverged)
    assert "[non_finite]" in str(diverged)
    assert "To continue from step 10, the last good checkpoint, with half the learning rate" in str(diverged)
    assert f"lossrun resume {session.run.path} --set learning_rate=0.005" in str(diverged)
    event = ledger.read(session.run.ledger_path)[-1]
    assert (event["event"], event["step"], event["diagnosis"]) == ("diverged", 12, "non_finite")
    # The gradient norm of the first step of that epoch: the last one that there was.
    assert 0 < event["grad_norm"] < 100


def test_from_the_beginning_a_usual_rate_is_proposed_and_each_divergence_is_recorded(laboratory):
    config = {"dataset": LINE, "loss": "mse", "model": "mlp", "optimizer": "sgd", "learning_rate": 9.0}
    session, _, diverged = trained(laboratory, config)
    assert "from the beginning with a learning rate that worked in a trial" in str(diverged)
    rate = re.search(rf"lossrun resume {session.run.path} --set learning_rate=(\S+)", str(diverged))
    assert rate
    _, findings, diverged = trained(laboratory, {**config, "learning_rate": float(rate[1])})
    assert (names(findings), diverged) == ([], None)
    for rate in (8.0, 7.0):
        with pytest.raises(DivergedError):
            laboratory.resume(session.run, f"learning_rate={rate}")
    events = [event for event in ledger.read(session.run.ledger_path) if event["event"] == "diverged"]
    assert [event["learning_rate"] for event in events] == [9.0, 8.0, 7.0]


@pytest.mark.parametrize(
    ("config", "form"),
    [
        ({"dataset": LINE, "loss": "mse", "learning_rate": 10.0}, "non_finite"),
        ({"dataset": blobs(3), "loss": "cross_entropy", "learning_rate": 100.0}, "dead"),
        ({"dataset": LINE, "loss": "mae", "model": "linear", "learning_rate": 100.0}, "exploded"),
        ({"dataset": blobs(3), "loss": "cross_entropy", "learning_rate": 10.0}, "dead"),
    ],
)
def test_each_form_of_divergence(laboratory, config, form):
    session, _, diverged = trained(laboratory, {"model": "mlp", "optimizer": "sgd", **config})
    assert diverged is not None
    assert diverged.exit_code == 6
    assert f"[{form}]" in str(diverged)
    assert DIAGNOSES[form].meaning in str(diverged)
    # What is left to resume from is from before the trouble, and with a rate that works the run comes to its end.
    steps = [checkpoints.metadata(path)["step"] for path in checkpoints.candidates(session.run.checkpoints)]
    assert max(steps) == session.good_step
    laboratory.resume(session.run, "learning_rate=0.01")
    assert recorded.load(session.run.path).status == "finished"
    assert history.read(session.run.history_path).rows[-1]["learning_rate"] == 0.01


@pytest.mark.parametrize(("optimizer", "learning_rate"), [("adam", 0.3), ("sgd", 2.0)])
def test_the_usual_divergence_is_finite(laboratory, tmp_path, optimizer, learning_rate):
    """Two convolutions and a rate too large: ten per cent right, a loss of ln 10, and never NaN or infinity."""
    digits = load_digits()
    np.savez(tmp_path / "digits.npz", inputs=digits.images[:, np.newaxis] / 16, targets=digits.target)
    convolution = {"name": "conv", "filters": 8, "kernel": 3, "padding": "same"}
    config = {
        "dataset": {"name": "npz", "path": "digits.npz", "target": "targets", "task": "multiclass"},
        "model": {"name": "cnn", "layers": [convolution, {"name": "max_pool", "size": 2}, convolution]},
        "loss": "cross_entropy",
        "optimizer": optimizer,
        "learning_rate": learning_rate,
    }
    session, _, diverged = trained(laboratory, config)
    assert "[dead]" in str(diverged)
    row = history.read(session.run.history_path).rows[-1]
    assert row["train_loss"] == pytest.approx(2.3026, rel=0.05)
    assert row["val_accuracy"] < 0.2


def test_a_dead_network_is_no_matter_of_the_task(laboratory):
    """Weights that all begin alike stay alike: the outputs are a constant forever, and the loss is finite."""
    for dataset, loss in ((blobs(3), "cross_entropy"), (MOONS, "hinge"), (LABELS, "dice"), (LINE, "mse")):
        model = {"name": "mlp", "init": {"name": "constant", "value": 0.0}}
        _, findings, diverged = trained(laboratory, {"dataset": dataset, "loss": loss, "model": model})
        assert diverged is not None
        assert "[dead]" in str(diverged)
        assert findings == []


def test_checkpoints_within_an_epoch_do_not_push_out_the_last_good_one(laboratory):
    config = {
        "dataset": blobs(3),
        "loss": "cross_entropy",
        "model": "mlp",
        "optimizer": "sgd",
        "learning_rate": 100.0,
        "checkpoint": {"every": "2 steps", "keep": 2},
    }
    session, _, diverged = trained(laboratory, config)
    assert diverged is not None
    steps = [checkpoints.metadata(path)["step"] for path in checkpoints.candidates(session.run.checkpoints)]
    assert steps == [session.good_step]


def test_what_is_known_of_a_seeds_health_survives_a_stop(laboratory):
    """Stopped between the epoch that raised the suspicion and the one that confirms it."""
    config = {
        **COMMON,
        "dataset": blobs(3),
        "loss": {"name": "cross_entropy", "from_logits": True},
        "model": {"name": "mlp", "output": "softmax"},
        "epochs": 5,
        "batch_size": 64,
    }
    whole = laboratory.start(config)
    steps_per_epoch = rows(whole)[0]["step"]
    for stop in (3, steps_per_epoch, 3 * steps_per_epoch + 2):
        stopped = laboratory.start(config, stop_at=stop)
        laboratory.resume(stopped)
        assert_same_bits(whole, stopped)
        diagnosed = [
            [event["diagnosis"] for event in ledger.read(run.ledger_path) if event["event"] == "diagnosed"]
            for run in (whole, stopped)
        ]
        assert diagnosed[0] == diagnosed[1] == ["double_softmax"]


def test_ranks_of_equal_values_are_the_mean_of_theirs() -> None:
    """As scipy.stats.rankdata has them. Constant outputs, in the order of sorted targets, say nothing."""
    values = torch.tensor([[3.0, 1.0], [1.0, 1.0], [3.0, 1.0], [2.0, 1.0], [3.0, 1.0]])
    np.testing.assert_array_equal(ranks(values), rankdata(values.numpy(), axis=0))
