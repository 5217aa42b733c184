"""Cases that simpler rules of diagnosis get wrong: false alarms, mistakes unnamed, good states that are not good.

The comment over each says what such a rule would do.
"""

from typing import Any

import numpy as np
import pytest

from lossrun.errors import DivergedError
from lossrun.health.output_checks import OutputChecks
from lossrun.records import checkpoints, ledger
from lossrun.records.run_directory import RunDirectory
from tests.health.test_examine import LABELS, LINE, MOONS, blobs, logits, names, trained
from tests.training.conftest import Laboratory, assert_same_bits, rows

WINE: dict[str, Any] = {"name": "wine", "standardize": True}
STEEP: dict[str, Any] = {"name": "piecewise_constant", "boundaries": [4], "fractions": [2000]}


def inline(inputs: np.ndarray, targets: np.ndarray, task: str) -> dict[str, Any]:
    return {
        "name": "inline",
        "inputs": inputs.round(4).tolist(),
        "targets": targets.tolist(),
        "task": task,
        "validation": 0.2,
    }


def own(laboratory: Laboratory, name: str, text: str) -> None:
    (laboratory.folder / f"{name}.py").write_text(f"import torch\nfrom torch import nn\n{text}")


def started(laboratory: Laboratory, config: dict[str, Any], stop_at: int | None = None) -> RunDirectory:
    """A run to its end, to its divergence or to the stop."""
    try:
        return laboratory.start(config, stop_at)
    except DivergedError:
        return RunDirectory(max((laboratory.folder / "runs").iterdir()))


# --- false alarms


# any sigmoid over a regression counts as a mistake, whatever the targets (floors._mistake).
@pytest.mark.parametrize("loss", ["mse", "mae", "binary_cross_entropy"])
def test_a_sigmoid_over_targets_between_0_and_1_is_no_mistake(laboratory, loss):
    inputs = np.random.default_rng(0).normal(size=(200, 3))
    targets = (1 / (1 + np.exp(-inputs @ [1.5, -2.0, 1.0]))).round(4)
    config = {"dataset": inline(inputs, targets, "regression"), "loss": loss, "epochs": 6}
    session, findings, _ = trained(laboratory, {**config, "model": {"name": "mlp", "output": "sigmoid"}})
    assert rows(session.run)[-1]["val_r2"] > 0.98
    assert names(findings) == []


# outputs that merely lie in [0, 1] after the first epoch are taken for probabilities (_hidden_activation).
def test_logits_that_begin_between_0_and_1_are_no_sigmoid(laboratory):
    own(
        laboratory,
        "beginning",
        "def net(input_shape, output_size):\n"
        "    layers = nn.Sequential(nn.Linear(input_shape[0], 32), nn.Tanh(), nn.Linear(32, output_size))\n"
        "    nn.init.normal_(layers[-1].weight, std=0.01)\n"
        "    nn.init.constant_(layers[-1].bias, 0.5)\n"
        "    return layers\n",
    )
    config = {"dataset": MOONS, "model": "beginning:net", "loss": "binary_cross_entropy", "learning_rate": 0.001}
    session, findings, _ = trained(laboratory, {**config, "epochs": 20})
    # The value that a doubled sigmoid cannot get below: 0.3133 for a yes, 0.6931 for a no, equally frequent.
    assert rows(session.run)[-1]["train_loss"] < 0.45 < 0.5032
    assert names(findings) == []


# a user's own loss reads as "probabilities", so every one of them below 0 is called impossible.
def test_ones_own_loss_may_be_below_0(laboratory):
    own(
        laboratory,
        "rewarding",
        "def loss(outputs, targets):\n    return -outputs.softmax(1).gather(1, targets[:, None]).squeeze(1)\n",
    )
    session, findings, _ = trained(laboratory, {"dataset": WINE, "model": "mlp", "loss": "rewarding:loss"})
    assert rows(session.run)[-1]["val_accuracy"] > 0.9
    assert names(findings) == []


# a loss that falls slowly, near chance because of the noise in the targets, is called a lack of information.
def test_a_noisy_task_that_is_learnt_is_not_at_chance(laboratory):
    noisy = {**blobs(2), "samples": 2000, "corrupt": {"label_noise": 0.42}}
    session, findings, _ = trained(
        laboratory, {"dataset": noisy, "model": "mlp", "loss": "binary_cross_entropy", "epochs": 8}
    )
    assert rows(session.run)[-1]["val_accuracy"] > 0.9
    assert names(findings) == []


# the same for outliers that outweigh everything that could be learnt.
@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_far_outliers_do_not_make_a_constant_of_a_perfect_fit(laboratory, loss):
    dataset = {"name": "synthetic_regression", "corrupt": {"outliers": 0.05, "outlier_scale": 1000.0}}
    session, findings, _ = trained(laboratory, {"dataset": dataset, "model": "linear", "loss": loss, "epochs": 20})
    assert rows(session.run)[-1]["val_r2"] > 0.99
    assert names(findings) == []


# with one epoch, its mean is compared with the first batch, however well the epoch ends: exit code 6.
def test_a_single_epoch_that_ends_well_has_not_exploded(laboratory):
    dataset = {"name": "synthetic_regression", "samples": 20_000, "features": 3}
    config = {"dataset": dataset, "model": "mlp", "loss": "mse", "optimizer": "adagrad", "learning_rate": 1.0}
    session, _, diverged = trained(laboratory, {**config, "epochs": 1})
    assert rows(session.run)[-1]["val_r2"] > 0.9
    assert diverged is None


# the first batch holds none of the samples that have nearly all of the loss, and later epochs are compared with it.
def test_a_loss_that_was_as_high_before_the_first_step_has_not_exploded(laboratory):
    inputs = np.random.default_rng(1).normal(size=(100, 2))
    far = inline(np.append(inputs, [[1000.0, 1000.0]], axis=0), np.arange(101) % 2, "binary")
    config = {"dataset": {**far, "validation": 0}, "model": "mlp", "loss": "binary_cross_entropy", "batch_size": 8}
    session, findings, diverged = trained(laboratory, {**config, "learning_rate": 1e-30, "epochs": 4})
    assert rows(session.run)[0]["train_loss"] > 4 * np.log(2)
    assert (names(findings), diverged) == (["stuck"], None)


# outputs within 4.8e-7 of each other are called dead for good, in float32 and from tiny weights.
def test_a_slow_start_from_tiny_weights_is_not_dead(laboratory, monkeypatch):
    model = {"name": "mlp", "hidden": [50, 50, 50], "activation": "tanh", "init": {"name": "normal", "std": 0.001}}
    config = {"dataset": blobs(3), "loss": "cross_entropy", "model": model, "learning_rate": 0.001}
    config |= {"batch_size": "full", "epochs": 40}
    with monkeypatch.context() as patch:
        patch.setattr(OutputChecks, "outputs_are_constant", lambda self: False)
        session, _, _ = trained(laboratory, config)
        # Left alone, it learns: chance is a third.
        assert rows(session.run)[-1]["val_accuracy"] > 0.6
    _, _, diverged = trained(laboratory, config)
    assert diverged is None


# the smoothed labels are not what costs least under focal, nor under class weights (floors._ideal).
@pytest.mark.parametrize(
    "loss", [{"name": "focal", "label_smoothing": 0.2}, {"name": "cross_entropy", "class_weights": [1, 5, 1]}]
)
def test_no_loss_is_lower_than_the_floor_of_label_smoothing(laboratory, loss):
    config = {"dataset": WINE, "loss": {"label_smoothing": 0.2, **loss}, "model": "mlp", "epochs": 20}
    session, findings, _ = trained(laboratory, config)
    least = min(row["train_loss"] for row in rows(session.run))
    assert [finding.floor for finding in findings if finding.floor > 1.05 * least] == []


# --- mistakes that go unnamed


# `last` is the last epoch of the config, not the one in which early stopping ends the run.
@pytest.mark.parametrize(
    ("dataset", "loss", "output", "expected"),
    [
        (blobs(10), {"name": "cross_entropy", "from_logits": False}, "logits", "clipped"),
        (blobs(26), logits("cross_entropy"), "softmax", "double_softmax"),
        (LINE, "mse", "softmax", "single_softmax"),
    ],
)
def test_a_mistake_is_named_before_early_stopping_ends_the_run(laboratory, dataset, loss, output, expected):
    config = {"dataset": dataset, "loss": loss, "model": {"name": "mlp", "output": output}, "epochs": 60}
    session, findings, _ = trained(laboratory, {**config, "early_stopping": {"metric": "val_loss", "patience": 2}})
    assert rows(session.run)[-1]["epoch"] < 60
    assert names(findings) == [expected]


# the same for divergence: the run finishes with exit code 0 at a loss five times that of guessing.
def test_early_stopping_does_not_hide_a_divergence(laboratory):
    config = {"dataset": blobs(3), "loss": "cross_entropy", "model": "mlp", "optimizer": "sgd", "schedule": STEEP}
    early = {"metric": "val_loss", "patience": 3}
    session, _, diverged = trained(laboratory, {**config, "epochs": 30, "early_stopping": early})
    assert rows(session.run)[-1]["train_loss"] > 5 * np.log(3)
    assert diverged is not None


# exploded and dead take turns, and neither is ever confirmed by the other.
def test_a_dead_network_whose_loss_bounces_is_named(laboratory):
    config = {"dataset": blobs(3), "loss": "cross_entropy", "model": "mlp", "optimizer": "sgd", "learning_rate": 20.0}
    config |= {"seeds": 6, "on_divergence": "continue"}
    _, findings, _ = trained(laboratory, {**config, "epochs": 12})
    # Seed 2 gives the same output for every sample from the end of the first epoch on.
    assert [finding.epoch for finding in findings if finding.seed == 2] == [2]


# a rate far too small is named only from outputs of nearly 0, not with torch's own init, which is the default.
@pytest.mark.parametrize(("dataset", "loss"), [(LINE, "mse"), (LINE, "huber")])
def test_a_loss_that_does_not_move_is_named_with_the_default_init(laboratory, dataset, loss):
    config = {"dataset": dataset, "loss": loss, "model": "mlp", "optimizer": "sgd", "learning_rate": 1e-6}
    session, findings, _ = trained(laboratory, {**config, "epochs": 10})
    losses = [row["train_loss"] for row in rows(session.run)]
    assert max(losses) - min(losses) < 0.002 * losses[0]
    assert len(findings) == 1


# a loss a thousand times that of a constant passes, if it happens to be falling.
def test_a_run_that_ends_far_worse_than_a_constant_is_named(laboratory):
    config = {"dataset": LINE, "loss": "mse", "model": "mlp", "learning_rate": 10.0, "epochs": 10}
    session, findings, diverged = trained(laboratory, config)
    assert rows(session.run)[-1]["val_r2"] < -1000
    assert findings or diverged


# multilabel_soft_margin knows no `inputs`, so floors._mistake does not see what double_activation sees.
def test_a_doubled_sigmoid_is_named_under_multilabel_soft_margin(laboratory):
    config = {"dataset": LABELS, "loss": "multilabel_soft_margin", "model": {"name": "mlp", "output": "sigmoid"}}
    _, findings, _ = trained(laboratory, config)
    assert names(findings) == ["double_sigmoid"]


# always saying no is not a candidate for the best constant, so a network collapsed onto it "beats" the constant.
def test_a_collapse_onto_the_most_frequent_class_is_dead(laboratory):
    generator = np.random.default_rng(1)
    dataset = inline(generator.normal(size=(400, 4)), (generator.random(400) < 0.2).astype(int), "binary")
    session, _, diverged = trained(
        laboratory, {"dataset": dataset, "loss": "mae", "model": "mlp", "learning_rate": 1.0}
    )
    assert OutputChecks(session.replicas[0], session.output_spec).outputs_are_constant()
    assert diverged is not None


# --- the last good checkpoint


CRASH: dict[str, Any] = {
    "dataset": blobs(3),
    "loss": "cross_entropy",
    "model": "mlp",
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "schedule": STEEP,
    "epochs": 12,
}


# within an explosion one epoch with a falling loss makes its state the "last good" one.
def test_a_pause_in_an_explosion_is_no_good_state(laboratory):
    run = started(laboratory, CRASH)
    by_step = {row["step"]: row for row in rows(run)}
    newest = max(checkpoints.metadata(path)["step"] for path in checkpoints.candidates(run.checkpoints))
    assert by_step[newest]["val_accuracy"] > 0.9
    laboratory.resume(run, "schedule=constant", "learning_rate=0.01")
    assert rows(run)[-1]["val_accuracy"] > 0.9


# the message names the step of a checkpoint that was never written.
def test_the_checkpoint_that_is_said_to_be_kept_is_there(laboratory):
    session, _, diverged = trained(laboratory, {**CRASH, "checkpoint": {"every": "50 epochs"}})
    steps = [checkpoints.metadata(path)["step"] for path in checkpoints.candidates(session.run.checkpoints)]
    where = f"step {max(steps)}, the last good checkpoint," if max(steps) else "the beginning"
    assert f"To continue from {where} with a constant learning rate" in str(diverged)
    assert "--set schedule=constant" in str(diverged)


# restore() calls the state that it finds a good one, though its `suspected` says that it may be dead.
def test_a_suspected_state_does_not_become_good_by_a_stop(laboratory):
    config = {**CRASH, "schedule": "constant", "learning_rate": 10.0}
    run = started(laboratory, config, stop_at=30)
    with pytest.raises(DivergedError, match=r"\[dead\]"):
        laboratory.resume(run)
    laboratory.resume(run, "learning_rate=0.1")
    assert rows(run)[-1]["val_accuracy"] > 0.6


# a path with a space is not quoted.
def test_the_command_that_goes_on_can_be_pasted(tmp_path):
    folder = tmp_path / "two words"
    folder.mkdir()
    _, _, diverged = trained(Laboratory(folder), {**CRASH, "schedule": "constant", "learning_rate": 10.0})
    run = next((folder / "runs").iterdir())
    assert f"'{run}'" in str(diverged)


# --- exactness


# floors() runs the user's own loss some hundred times, and its buffers remember it; after a resume once more.
def test_a_loss_that_remembers_resumes_to_the_bit(laboratory):
    own(
        laboratory,
        "remembering",
        "class Balanced(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        '        self.register_buffer("size", torch.ones(()))\n'
        "    def forward(self, outputs, targets):\n"
        '        each = nn.functional.cross_entropy(outputs, targets, reduction="none")\n'
        "        with torch.no_grad():\n"
        "            self.size.lerp_(each.mean(), 0.01)\n"
        "        return each / self.size.detach()\n",
    )
    config = {"dataset": WINE, "model": "mlp", "loss": "remembering:Balanced", "optimizer": "adam"}
    config |= {"learning_rate": 0.01, "epochs": 4}
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=rows(whole)[0]["step"] + 2)
    laboratory.resume(stopped)
    assert_same_bits(whole, stopped)


# whether a user's model hides an activation is decided again by the weights at the resume.
def test_what_a_model_is_taken_for_does_not_depend_on_a_stop(laboratory):
    own(
        laboratory,
        "drifting",
        "def net(input_shape, output_size):\n"
        "    layers = nn.Sequential(nn.Linear(input_shape[0], 32), nn.Tanh(), nn.Linear(32, output_size))\n"
        "    nn.init.normal_(layers[-1].weight, std=0.01)\n"
        "    nn.init.constant_(layers[-1].bias, 0.5)\n"
        "    return layers\n",
    )
    config = {"dataset": MOONS, "model": "drifting:net", "loss": "binary_cross_entropy", "optimizer": "adam"}
    config |= {"learning_rate": 0.001, "epochs": 14}
    whole = laboratory.start(config)
    stopped = laboratory.start(config, stop_at=6 * rows(whole)[0]["step"] + 3)
    laboratory.resume(stopped)
    assert diagnosed(whole) == diagnosed(stopped)
    assert_same_bits(whole, stopped)


# a finding of epochs that a kill took back stands in the ledger twice.
def test_a_finding_of_epochs_trained_again_is_recorded_once(laboratory):
    config = {
        "dataset": blobs(3),
        "loss": logits("cross_entropy"),
        "model": {"name": "mlp", "output": "softmax"},
        "optimizer": "adam",
        "learning_rate": 0.01,
        "lint": "warn",
        "epochs": 6,
        "checkpoint": {"every": "50 epochs"},
    }
    run = laboratory.start(config, stop_at=10 * 14)
    # The end as a kill would leave it: the history is there, and of the checkpoints only the first.
    for path in checkpoints.candidates(run.checkpoints)[:-1]:
        path.unlink()
    laboratory.resume(run)
    assert diagnosed(run) == ["double_softmax"]


def diagnosed(run: RunDirectory) -> list[str]:
    return [event["diagnosis"] for event in ledger.read(run.ledger_path) if event["event"] == "diagnosed"]
