"""Judge a seed once it has ended: how good it is, and whether more or less training would help."""

from itertools import pairwise
from math import nan
from typing import Final

from lossrun.health.floors import Floors
from lossrun.health.output_checks import OutputChecks
from lossrun.health.window import LEAST, turns
from lossrun.steps.remembered import Health

# Above this share of the best constant's loss a model has learned little.
POOR: Final = 0.5
NEAR: Final = 0.02
LITTLE: Final = 0.9
# Above this share, a run whose loss still falls fast has hardly begun; below it, the run is only short.
FAR: Final = 0.85
# How much the loss must fall in the last tenth of a run to be falling fast.
FAST: Final = 0.1
# How far val_loss must rise above its best, and what part of the run it must take.
WORSE: Final = 1.25
EARLY: Final = 0.5
# Share of the best constant's loss that a rise of val_loss must cost to matter.
COSTS: Final = 0.1
# The least calibration error that is reported, in addition to its own noise.
MISCALIBRATED: Final = 0.1
# Share of epochs at which an oscillating loss turns, and the size of its steps.
TURNS: Final = 2 / 3
SWINGS: Final = 0.1
MANY: Final = 5


def how_it_ended(
    row: dict[str, float], health: Health, floors: Floors, look: OutputChecks, samples: int
) -> tuple[str, float]:
    """Return the diagnosis of a seed's last epoch and the floor that it is compared with; "" and NaN if there is none.

    Args:
        row: The epoch's history row.
        samples: The number of validation samples.
    """
    constant, losses = floors.constant, tuple(health.losses)
    loss = row["train_loss"]
    poor = loss > POOR * constant > 0
    if poor and loss > (1 + NEAR) * constant and look.loss() > constant:
        return "above_constant", constant
    classes = look.spec.task != "regression"
    if classes and poor and loss > LITTLE * constant and look.constant_answer_scores_as_well():
        return "one_answer", constant
    # In the first epochs every loss falls fast.
    if (
        loss > FAR * constant > 0
        and len(losses) >= LEAST
        and losses[-1] < (1 - FAST) * losses[0]
        and losses[-1] < losses[-2]
    ):
        return "unfinished", constant
    if poor and oscillates(losses):
        return "oscillation", constant
    if overfits(row, health, constant):
        return "overfitting", health.least_validation
    error = row.get("val_expected_calibration_error", 0.0)
    # With few samples a perfectly calibrated model has an error of about 1 / sqrt(n). For a model that has learned
    # little, other problems matter more.
    told = not poor and samples and error > MISCALIBRATED + samples**-0.5 and "val_accuracy" in row
    if told and look.confidence() > row["val_accuracy"] + MISCALIBRATED:
        return "overconfident", nan
    return "", nan


def oscillates(losses: tuple[float, ...]) -> bool:
    """Return whether the loss goes up and down by more than a tenth, again and again."""
    if len(losses) < MANY:
        return False
    steps = [abs(other - one) for one, other in pairwise(losses)]
    mean = sum(map(abs, losses)) / len(losses)
    return turns(losses) >= TURNS and sum(steps) / len(steps) > SWINGS * mean


def overfits(row: dict[str, float], health: Health, constant: float) -> bool:
    """Return whether val_loss has risen far above its best, which came early."""
    if "val_loss" not in row or not health.least_epoch:
        return False
    rose = row["val_loss"] - health.least_validation
    early = health.least_epoch <= EARLY * row["epoch"] and row["train_loss"] < health.least_validation
    return early and rose > COSTS * abs(constant) and row["val_loss"] > WORSE * health.least_validation
