"""What is said at the end of a run."""

import pytest

from lossrun.config.config import Best
from lossrun.health.finding import Finding
from lossrun.screen import STEADY, still_better
from lossrun.training.events import EpochRecord


def epochs(*losses: tuple[float, ...], findings: tuple[Finding, ...] = ()) -> list[EpochRecord]:
    """The last of a run: the validation loss of each seed, epoch by epoch; findings in the last."""
    rows = [[{"seed": seed, "val_loss": loss} for seed, loss in enumerate(epoch)] for epoch in losses]
    return [
        EpochRecord(number, row, frozenset(), findings if number == len(rows) else ())
        for number, row in enumerate(rows, 1)
    ][-STEADY - 1 :]


LOWEST = Best("val_loss", "min")


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([(4.0,), (3.0,), (2.0,), (1.0,)], True),
        ([(3.0,), (4.0,), (3.0,), (2.0,), (1.0,)], True),  # long ago
        ([(2.7,), (2.8,), (3.5,), (2.6,)], False),  # the best of all, after going up
        ([(2.0,), (1.0,), (1.0,)], False),
        ([(1.0,)], False),  # nothing to compare with
        ([(4.0, 4.0), (3.0, 3.0), (2.0, 3.5)], False),  # one seed that got worse would get worse further on
        ([(2.0,), (float("nan"),)], False),
    ],
)
def test_still_better_is_better_in_each_of_the_last_epochs(losses: list[tuple[float, ...]], expected: bool) -> None:
    assert still_better(LOWEST, epochs(*losses)) is expected
    upside_down = [tuple(-loss for loss in epoch) for epoch in losses]
    assert still_better(Best("val_loss", "max"), epochs(*upside_down)) is expected


def test_a_run_that_something_is_wrong_with_is_not_praised() -> None:
    falling = [(4.0,), (3.0,), (2.0,)]
    stuck = Finding("stuck", 0, 3, 30, 2.0, 0.1, 1.0)
    assert not still_better(LOWEST, epochs(*falling, findings=(stuck,)))
    assert still_better(LOWEST, epochs(*falling, findings=(Finding("smoothing", 0, 3, 30, 2.0, 0.1, 1.0),)))


def test_the_training_loss_nearly_always_gets_better() -> None:
    assert not still_better(Best("train_loss", "min"), epochs((3.0,), (2.0,), (1.0,)))
