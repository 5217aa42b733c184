"""Judge a seed after an epoch: whether it diverged, shows a known mistake, or is stuck on a plateau.

`examine` changes nothing. The training loop passes what the epoch showed (`SeedEpoch`) and what is remembered of the
seed (`Health`). It gets an updated `Health` and perhaps a finding, and acts on both itself.

Read next: `catalog/diagnoses.py` for what each diagnosis means and what to do about it, `floors.py` for the values of
the loss that a diagnosis compares with, and `output_checks.py` for what the outputs themselves reveal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, isclose, isfinite, nan
from typing import Any, Final

from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.health.advice import advise
from lossrun.health.alternatives import MUCH_BETTER, larger_model, larger_steps_do_better
from lossrun.health.circumstances import ENOUGH_MOVEMENT, Circumstances, bounded_steps
from lossrun.health.early_fall import without_schedule
from lossrun.health.ending import LITTLE, POOR, how_it_ended
from lossrun.health.finding import Finding
from lossrun.health.floors import Floors
from lossrun.health.layers import Layers, look_at_layers
from lossrun.health.output_checks import OutputChecks
from lossrun.health.window import Window, falls_steadily, is_escaping
from lossrun.steps.remembered import Health

# How far above the best constant's loss a loss must lie to count as exploded, in units of that loss or of the distance
# at which the very first loss lay above it.
EXPLODED: Final = 3.0
# Epochs in a row after which a loss that is this large counts as exploded even while it falls.
PATIENCE: Final = 5
# Of a plateau: how little the loss must move to be still, how little to be flat, and how near to a floor it must be,
# relative to the loss.
STILL: Final = 0.002
FLAT: Final = 0.01
NEAR: Final = 0.02
# Share of the way from chance down to a mistake's floor that must be covered before the mistake is named.
COVERED: Final = 0.75
# A plateau that ends within this many steps may be the one that many models begin with.
ENOUGH_STEPS: Final = 500
# How much faster a loss that hardly moves must fall to be leaving a plateau, and one that moves a little more.
FASTER: Final = 1.05
STEADY: Final = 0.9
# Above this share of the best constant's loss a run that could have got much further has hardly begun.
HARDLY: Final = 0.7
# Share of a layer's units that must be dead or saturated, and of the last layer's gradient that must reach the first.
MOST_UNITS: Final = 0.7
VANISHED: Final = 1e-3
_SHORT: Final = Window(0)
_CURED_BY_STOPPING: Final = ("unfinished", "overfitting")
_PLATEAUS: Final = ("chance", "constant", "stuck")


@dataclass(frozen=True, slots=True)
class SeedEpoch:
    """What one epoch showed of one seed.

    Attributes:
        row: The epoch's history row.
        first_loss: The loss of the epoch's first step.
        recent_loss: The loss towards the end of the epoch.
        first_bad: Number and learning rate of the step whose loss was first NaN or infinite; None if all were finite.
        first_gradient_norm: The gradient norm of the epoch's first step.
        is_last: Whether no epoch of this seed follows that could confirm a suspicion.
        floors: None where they cannot be computed, or where the losses are not finite.
        least_loss: The lower bound of the loss; -inf for the user's own loss, whose bound is unknown.
        own_model: Whether the model is the user's own, so that its last layer is not known.
        window: The epochs over which a plateau is judged.
        known: What else is known about the run, for the advice.
    """

    row: Mapping[str, Any]
    first_loss: float
    recent_loss: float
    first_bad: tuple[int, float] | None
    first_gradient_norm: float
    is_last: bool
    floors: Floors | None
    least_loss: float = -inf
    own_model: bool = False
    window: Window = _SHORT
    known: Circumstances | None = None


def is_finite(row: Mapping[str, Any]) -> bool:
    """Return whether the losses of a history row are finite numbers."""
    return all(isfinite(row[column]) for column in ("train_loss", "val_loss") if column in row)


def examine(seen: SeedEpoch, before: Health, look: OutputChecks) -> tuple[Health, Finding | None]:
    """Return what is new about a seed after an epoch.

    Args:
        seen: What the epoch showed.
        before: What was remembered of the seed until now.
        look: Checks of the seed's outputs. They run only if the loss gives a reason to.

    Returns:
        What to remember from now on, and a finding if a diagnosis applies that the seed has not had yet.
    """
    row = seen.row
    norms = (row["grad_norm"], seen.first_gradient_norm)
    validation = row.get("val_loss", nan)
    lower = isfinite(validation) and not validation >= before.least_validation
    health = replace(
        before,
        first_loss=seen.first_loss if row["epoch"] == 1 else before.first_loss,
        losses=seen.window.after(tuple(before.losses), row["train_loss"], row["epoch"]),
        recent=seen.recent_loss,
        gradient_norm=next((norm for norm in norms if isfinite(norm)), before.gradient_norm),
        least_validation=validation if lower else before.least_validation,
        least_epoch=row["epoch"] if lower else before.least_epoch,
    )
    step, rate = row["step"], row["learning_rate"]
    if not is_finite(row):
        name, floor = "non_finite", nan
        step, rate = seen.first_bad or (step, rate)
    else:
        # A loss that was large during the epoch may have caused lasting harm.
        was_large = _exploded(row["train_loss"], health, seen.floors) and not _stands_still(seen, before)
        suspected = _suspected(seen, health, look, was_large=was_large)
        looks_diverged = bool(suspected) or was_large
        health = replace(health, suspicious=before.suspicious + 1 if looks_diverged else 0)
        if looks_diverged:
            confirmed = _confirmed(suspected, seen, before, health)
            name = (suspected or "exploded") if confirmed else ""
            floor = seen.floors.constant if confirmed and seen.floors else nan
        else:
            name, floor = _mistake_or_plateau(seen, health, look)
    if not name or name in health.named:
        return health, None
    epochs = len(health.losses) * seen.window.every if name in _PLATEAUS else 1
    finding = Finding(
        name, row["seed"], row["epoch"], step, row["train_loss"], rate, health.gradient_norm, floor, epochs
    )
    if name in ("overfitting", "overconfident"):
        finding = replace(finding, since=health.least_epoch, validation=row.get("val_loss", nan))
    if seen.known:
        layers = look_at_layers(look.replica) if is_finite(row) else None
        if advice := advise(name, seen.known, layers, row, health.least_epoch):
            finding = replace(finding, why=advice.why, cure=advice.cure)
    return health if DIAGNOSES[name].of_the_end else replace(health, named=(*health.named, name)), finding


def _suspected(seen: SeedEpoch, health: Health, look: OutputChecks, *, was_large: bool) -> str:
    """Return the kind of divergence that a finite loss at the end of the epoch suggests; "" for no divergence.

    Args:
        was_large: Whether the loss of the whole epoch has exploded. The last steps may hold few samples, or unusual
            ones, so that their loss is not enough to decide.
    """
    constant = seen.floors.constant if seen.floors else nan
    # A loss below that of the best constant proves that the outputs depend on the inputs.
    beaten = seen.recent_loss < constant - NEAR * abs(constant)
    if not beaten and not _bad_by_design(seen.floors) and look.outputs_are_constant() and look.first_gradient_is_zero():
        return "dead"
    return "exploded" if was_large and _exploded(seen.recent_loss, health, seen.floors) else ""


def _stands_still(seen: SeedEpoch, before: Health) -> bool:
    """Return whether the loss is that of earlier epochs: then it was as high before the first step.

    The first batch does not always show that, for instance if a few samples have all of the loss.
    """
    loss = seen.row["train_loss"]
    return bool(before.losses) and abs(loss - before.losses[-1]) <= STILL * abs(loss)


def _exploded(loss: float, health: Health, floors: Floors | None) -> bool:
    first = health.first_loss
    base = floors.constant if floors and isfinite(floors.constant) else first
    return not _bad_by_design(floors) and loss - base > EXPLODED * max(abs(base), abs(first - base))


def _bad_by_design(floors: Floors | None) -> bool:
    """Return whether a known mistake explains that the outputs are the same, or that the loss is high."""
    return floors is not None and floors.mistake in ("single_softmax", "squashed", "clipped", "impossible")


def _confirmed(suspected: str, seen: SeedEpoch, before: Health, health: Health) -> bool:
    """Return whether a suspicion is certain enough to be named."""
    # A dead network cannot recover; a loss that has exploded may come down again.
    lasting = suspected == "dead" or seen.recent_loss >= before.recent or health.suspicious >= PATIENCE
    again = health.suspicious > 1
    return (again and seen.is_last) or (bool(suspected) and (seen.is_last or (again and lasting)))


def _mistake_or_plateau(seen: SeedEpoch, health: Health, look: OutputChecks) -> tuple[str, float]:
    """Return the diagnosis of a seed that has not diverged, and the floor that revealed it; "" and NaN for none."""
    if seen.row["train_loss"] < seen.least_loss:
        return "impossible", seen.least_loss
    if seen.floors is None:
        return "", nan
    if found := _mistake(seen, seen.floors, look):
        return found
    found = _plateau(seen, seen.floors, health, look)
    # If the layers explain a plateau or a bad ending, the diagnosis is about the layers.
    asked = found[0] in _PLATEAUS or (not found[0] and seen.is_last and _is_poor(seen))
    if asked and (in_trouble := _of_layers(look_at_layers(look.replica))):
        # Many networks learn although most units of a layer are dead.
        little = seen.row["train_loss"] > LITTLE * seen.floors.constant
        if in_trouble != "dead_units" or found[0] or little:
            return in_trouble, seen.floors.constant
    if found[0] or not seen.is_last or seen.floors.mistake or health.named:
        return found
    return _ending(seen, seen.floors, health, look)


def _ending(seen: SeedEpoch, floors: Floors, health: Health, look: OutputChecks) -> tuple[str, float]:
    """Return the diagnosis of a seed's last epoch, and its floor; "" and NaN for none."""
    samples = len(look.replica.parts.validation or ())
    found = how_it_ended(dict(seen.row), health, floors, look, samples)
    # Early stopping found that more epochs would not help, and has ended the overfitting.
    if seen.row["epoch"] < seen.window.planned:
        return ("", nan) if found[0] in _CURED_BY_STOPPING else found
    if found[0] or not seen.known or not _is_poor(seen):
        return found
    # Whether more was possible is tried first, because for most runs that learned little there is no advice.
    loss = seen.row["train_loss"]
    if without_schedule(seen.known, MUCH_BETTER * seen.known.share(loss)):
        return "unfinished", floors.constant
    little = loss > HARDLY * floors.constant and seen.window.is_full(tuple(health.losses))
    if little and larger_steps_do_better(seen.known, loss):
        return "unfinished", floors.constant
    if larger_model(seen.known, loss):
        return "too_small", floors.constant
    return found


def _is_poor(seen: SeedEpoch) -> bool:
    return seen.floors is not None and seen.row["train_loss"] > POOR * seen.floors.constant > 0


def _of_layers(layers: Layers) -> str:
    """Return the diagnosis of layers with a problem; "" if no layer has one."""
    gradients = list(layers.gradients.values())
    if max(layers.dead.values(), default=0.0) >= MOST_UNITS:
        return "dead_units"
    if max(layers.saturated.values(), default=0.0) >= MOST_UNITS:
        return "saturated_units"
    if len(gradients) > 2 and gradients[-1] > 0 and gradients[0] < VANISHED * gradients[-1]:
        return "vanishing_gradient"
    return ""


def _mistake(seen: SeedEpoch, floors: Floors, look: OutputChecks) -> tuple[str, float] | None:
    """Return a mistake to report and its floor; None if no mistake shows, or not clearly yet.

    A mistake is reported once the loss has fallen most of the way that it can, or at the end if it is certain.
    """
    name, best, certain = floors.mistake, floors.best, True
    if not name and seen.own_model and isfinite(floors.doubled):
        name, best = look.hidden_activation(), floors.doubled
        certain = name == "double_softmax"
    if not name:
        return None
    covered = floors.constant - (floors.constant - best) * COVERED if isfinite(best) else -inf
    if (seen.is_last and certain) or seen.row["train_loss"] <= covered:
        return name, best if isfinite(best) else nan
    return None


def _had_time(seen: SeedEpoch) -> bool:
    """Return whether the steps so far are enough for most models to leave the plateau on which they begin."""
    steps, known = seen.row["step"], seen.known
    # The weights of adam and similar optimizers move by about the learning rate in each step.
    arrived = not known or not bounded_steps(known) or known.config.learning_rate * steps >= ENOUGH_MOVEMENT
    return steps >= ENOUGH_STEPS and arrived


def _plateau(seen: SeedEpoch, floors: Floors, health: Health, look: OutputChecks) -> tuple[str, float]:
    """Return the name and the value of the floor at which the loss has stopped falling; "" and NaN for none."""
    losses, loss = tuple(health.losses), seen.row["train_loss"]
    told_apart = not isclose(floors.smoothing, floors.chance, rel_tol=NEAR)
    # Label smoothing allows no lower loss than this.
    if isfinite(floors.smoothing) and told_apart and loss <= floors.smoothing * (1 + NEAR):
        return "smoothing", floors.smoothing
    if floors.mistake or not ((seen.window.is_full(losses) and _had_time(seen)) or (seen.is_last and len(losses) > 1)):
        return "", nan
    name = "chance" if isfinite(floors.chance) else "constant"
    moved, size = max(losses) - min(losses), abs(loss)
    # Most epochs of most runs return here.
    if moved > FLAT * size:
        return "", nan
    still = moved <= STILL * size
    if not seen.is_last and is_escaping(losses, FASTER if still else STEADY):
        return "", nan
    # No better than a constant and not moving at all: stuck from the beginning, or with a rate that undoes every step.
    if still and loss >= floors.constant - STILL * abs(floors.constant):
        return ("stuck" if loss - floors.constant > NEAR * abs(floors.constant) else name), floors.constant
    falling = not still and falls_steadily(losses)
    for floor in (floors.chance, floors.constant):
        near = all(isclose(value, floor, rel_tol=NEAR) for value in losses)
        if not falling and near and not look.outputs_carry_information():
            return name, floor
    return "", nan
