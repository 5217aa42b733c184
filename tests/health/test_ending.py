"""How a run ended: what counts as oscillating, overfitting and leaving a plateau, and a run with one answer."""

import numpy as np
import pytest

from lossrun.health.ending import oscillates, overfits
from lossrun.health.window import Window, is_escaping
from lossrun.steps.remembered import Health
from tests.health.test_cases import inline
from tests.health.test_examine import names, trained
from tests.training.conftest import Laboratory


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ((1.0, 0.6, 1.1, 0.5, 1.2, 0.6), True),
        ((1.0, 0.9, 0.8, 0.7, 0.6, 0.5), False),
        ((1.0, 1.001, 1.0, 1.001, 1.0, 1.001), False),  # noise of batches
        ((1.0, 0.5, 1.0), False),  # too few to tell
    ],
)
def test_oscillation(losses: tuple[float, ...], expected: bool) -> None:
    assert oscillates(losses) == expected


@pytest.mark.parametrize(
    ("epoch", "train", "validation", "expected"),
    [
        (40, 0.1, 0.9, True),
        (40, 0.1, 0.52, False),  # hardly worse than at best
        (12, 0.1, 0.9, False),  # the best epoch was not long ago
        (40, 0.6, 0.9, False),  # worse on training data, too: not learned by heart
    ],
)
def test_overfitting(epoch: int, train: float, validation: float, expected: bool) -> None:
    """A best val_loss of 0.5 in epoch 10, where a constant costs 0.7."""
    health = Health(least_validation=0.5, least_epoch=10)
    row = {"epoch": epoch, "train_loss": train, "val_loss": validation}
    assert overfits(row, health, 0.7) == expected


@pytest.mark.parametrize(("planned", "epochs"), [(1, 3), (30, 3), (31, 4), (200, 20), (10_000, 1000)])
def test_a_plateau_is_judged_over_a_tenth_of_the_run(planned: int, epochs: int) -> None:
    window, losses = Window(planned), ()
    assert window.epochs == epochs
    for epoch in range(1, epochs):
        losses = window.after(losses, float(epoch), epoch)
        assert not window.is_full(losses)
    losses = window.after(losses, float(epochs), epochs)
    assert window.is_full(losses)
    assert len(losses) <= 100


def test_a_loss_that_falls_ever_faster_leaves_a_plateau() -> None:
    steps = np.arange(20.0)
    assert is_escaping(tuple(1 - 1e-5 * steps**2), 1.05)
    assert not is_escaping(tuple(1 - 1e-4 * steps), 1.05)
    assert not is_escaping(tuple(0.9 + 0.1 * 0.8**steps), 0.9)


def test_one_answer_for_nearly_every_sample(laboratory: Laboratory) -> None:
    """One sample in twenty is a yes, and nothing tells which: always no is right 95 times in 100."""
    random = np.random.default_rng(3)
    dataset = inline(random.normal(size=(400, 2)), (np.arange(400) % 20 == 0).astype(int), "binary")
    config = {"dataset": dataset, "model": "linear", "loss": "binary_cross_entropy", "epochs": 30}
    _, findings, diverged = trained(laboratory, {**config, "learning_rate": 0.05})
    assert diverged is None
    assert set(names(findings)) <= {"one_answer", "chance"}
    assert findings


def test_how_a_run_ended_is_not_remembered_when_it_is_trained_further(laboratory: Laboratory) -> None:
    """Else the run that was extended would differ from the longer one, and not hear how it ends itself."""
    random = np.random.default_rng(4)
    few, targets = random.normal(size=(40, 20)), random.integers(0, 2, 40)
    config = {
        "dataset": {**inline(few, targets, "binary"), "validation": 0.5},
        "model": {"name": "mlp", "hidden": [50]},
        "loss": "binary_cross_entropy",
        "learning_rate": 0.05,
        "optimizer": "adam",
        "epochs": 60,
    }
    session, findings, _ = trained(laboratory, config)
    assert names(findings) == ["overfitting"]
    assert session.replicas[0].health.named == ()
