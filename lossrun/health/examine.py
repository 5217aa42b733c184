"""How a seed is doing, epoch by epoch: divergence in its three faces, and plateaus that have a name.

What each diagnosis means and what to do about it: `catalog/diagnoses.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isclose, isfinite, nan
from typing import Any, Final

from lossrun.catalog.diagnoses import DIAGNOSES, Diagnosis
from lossrun.health.floors import Floors
from lossrun.health.output_checks import (
    carries_information,
    hidden_activation,
    nothing_reaches_the_inputs,
    outputs_are_alike,
)
from lossrun.steps.replica import Replica
from lossrun.training.session import Session

# A loss that lies so many times above that of the best constant is no bad start any more, in units of that constant's
# own loss or of how far the very first one lay above it.
EXPLODED: Final = 3.0
# Epochs in a row after which a loss that is so large, if falling, counts as lost as well.
PATIENCE: Final = 5
# Epochs without movement that make a plateau, and how still, or how flat and how near a floor, it must be, relative to
# the loss.
PLATEAU: Final = 3
STILL: Final = 0.002
FLAT: Final = 0.01
NEAR: Final = 0.02
# Share of the way from chance down to a mistake's floor that must be covered before it is named.
COVERED: Final = 0.75
# What the floor is called where it is no aim.
_COSTS: Final = {"chance": "guessing costs", "constant": "a constant costs", "stuck": "a constant costs"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis of one seed. `step`: the last one, or that in which the loss was first not finite. `loss`: its train
    loss; `floor`: the value that gave it away, nan where there is none; `epochs`: how long it has been so.
    `gradient_norm`: the last finite one."""

    name: str
    seed: int
    epoch: int
    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    floor: float = nan
    epochs: int = 1

    @property
    def diagnosis(self) -> Diagnosis:
        return DIAGNOSES[self.name]

    @property
    def diverged(self) -> bool:
        return self.diagnosis.diverged

    @property
    def text(self) -> str:
        """One sentence with the numbers, and what to do."""
        diagnosis = self.diagnosis
        seen = f"train_loss {self.loss:.4g}"
        if self.epochs > 1:
            seen += f" for {self.epochs} epochs"
        if isfinite(self.floor):
            seen += f", {_COSTS.get(self.name, 'floor')} {self.floor:.4g}"
        mend = diagnosis.remedy if diagnosis.harmless else f"to mend it, {diagnosis.remedy}"
        return f"{diagnosis.meaning} ({seen}): {diagnosis.why}; {mend} [{self.name}]"

    def facts(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "step": self.step,
            "diagnosis": self.name,
            "train_loss": self.loss,
            "learning_rate": self.learning_rate,
            "grad_norm": self.gradient_norm,
        }


def examine(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What is new about the seeds, from their rows of the epoch that has just ended; takes note of the epoch.

    Whoever diverged is frozen.
    """
    findings = []
    by_seed = {row["seed"]: row for row in rows}
    for index, replica in enumerate(session.replicas):
        if (row := by_seed.get(replica.seed)) is None:
            continue
        health, sums = replica.health, session.sums
        if session.position.epoch == 1:
            health.first_loss = sums.first(index)
        name, floor = _diagnosed(session, replica, row, now=sums.recent(index), last=_ends(session, replica, row))
        step, rate = row["step"], row["learning_rate"]
        if name == "non_finite" and (first_bad := sums.first_bad(index)):
            step = (session.position.epoch - 1) * session.steps_per_epoch + first_bad
            rate = session.rates(step - 1)[index]
        norms = (row["grad_norm"], float(sums.first_gradient_norm[index]))
        health.gradient_norm = next((norm for norm in norms if isfinite(norm)), health.gradient_norm)
        if not name or name in health.named:
            continue
        health.named.append(name)
        epochs = len(health.losses) if name in ("chance", "constant", "stuck") else 1
        finding = Finding(
            name, replica.seed, row["epoch"], step, row["train_loss"], rate, health.gradient_norm, floor, epochs
        )
        if finding.diverged:
            replica.diverged_epoch = row["epoch"]
        findings.append(finding)
    return findings


def _ends(session: Session, replica: Replica, row: Mapping[str, Any]) -> bool:
    """Whether this was the seed's last epoch, so that no other can confirm a suspicion."""
    early, patience = session.config.early_stopping, replica.stopping
    stops = early and patience and not patience.improves(row[patience.metric])
    return session.position.epoch >= session.config.epochs or bool(
        stops and early and patience and patience.bad_epochs + 1 >= early.patience
    )


def _diagnosed(
    session: Session, replica: Replica, row: Mapping[str, Any], *, now: float, last: bool
) -> tuple[str, float]:
    """The name of what the row shows, "" for nothing, and the floor that gave it away.

    `now`: the loss towards the end of the epoch. `last`: no epoch follows that could confirm a suspicion.
    """
    health, loss = replica.health, row["train_loss"]
    before, health.recent = health.recent, now
    health.losses = [*health.losses, loss][-PLATEAU:]
    if not all(isfinite(row[column]) for column in ("train_loss", "val_loss") if column in row):
        return "non_finite", nan
    floors = session.floors(replica)
    suspected = _suspected(session, replica, now, floors)
    # Of a large loss in the course of the epoch the state at its end may still be a consequence.
    if suspected or _exploded(replica, loss, floors):
        health.suspicious += 1
        # What may be dead cannot get better; what has exploded may come down again.
        lasting = suspected == "dead" or now >= before or health.suspicious >= PATIENCE
        again = health.suspicious > 1
        confirmed = (again and last) or (suspected and (last or (again and lasting)))
        return (suspected or "exploded", floors.constant if floors else nan) if confirmed else ("", nan)
    health.suspicious = 0
    # Of a user's own loss nobody knows where it ends.
    if session.reading.reads_as == "probabilities" and not session.config.loss.is_plugin and loss < 0:
        return "impossible", 0.0
    if floors is None:
        return "", nan
    return _mistake(session, replica, loss, floors, last=last) or _plateau(session, replica, floors, last=last)


def _suspected(session: Session, replica: Replica, now: float, floors: Floors | None) -> str:
    """A face of divergence that finite numbers may have."""
    constant = floors.constant if floors else nan
    # Whoever beats the best constant has outputs that depend on the inputs.
    beaten = now < constant - NEAR * abs(constant)
    if not beaten and not _bad_by_design(floors):
        session.step.publish()
        if outputs_are_alike(replica) and nothing_reaches_the_inputs(replica):
            return "dead"
    return "exploded" if _exploded(replica, now, floors) else ""


def _exploded(replica: Replica, loss: float, floors: Floors | None) -> bool:
    first = replica.health.first_loss
    base = floors.constant if floors and isfinite(floors.constant) else first
    return not _bad_by_design(floors) and loss - base > EXPLODED * max(abs(base), abs(first - base))


def _bad_by_design(floors: Floors | None) -> bool:
    """A mistake that is known keeps the outputs alike, or the loss high."""
    return floors is not None and floors.mistake in ("single_softmax", "squashed", "clipped", "impossible")


def _mistake(
    session: Session, replica: Replica, loss: float, floors: Floors, *, last: bool
) -> tuple[str, float] | None:
    """A mistake in which the loss has come down most of the way that it can, or that is known and unnamed at the end.

    None where there is none to name, or not yet.
    """
    name, best, certain = floors.mistake, floors.best, True
    if not name and session.config.model.is_plugin and isfinite(floors.doubled):
        session.step.publish()
        name, best = hidden_activation(replica, session.reading), floors.doubled
        certain = name == "double_softmax"
    if not name:
        return None
    covered = floors.constant - (floors.constant - best) * COVERED if isfinite(best) else -inf
    if (last and certain) or loss <= covered:
        return name, best if isfinite(best) else nan
    return None


def _plateau(session: Session, replica: Replica, floors: Floors, *, last: bool) -> tuple[str, float]:
    """The name and the value of the floor that the loss has come to rest on; "" where there is none."""
    losses, loss = replica.health.losses, replica.health.losses[-1]
    told_apart = not isclose(floors.smoothing, floors.chance, rel_tol=NEAR)
    # Under label smoothing no loss is lower.
    if isfinite(floors.smoothing) and told_apart and loss <= floors.smoothing * (1 + NEAR):
        return "smoothing", floors.smoothing
    if floors.mistake or (len(losses) < PLATEAU and not (last and len(losses) > 1)):
        return "", nan
    name = "chance" if isfinite(floors.chance) else "constant"
    moved, size = max(losses) - min(losses), abs(loss)
    still = moved <= STILL * size
    # No better than a constant, and not moving at all: so from the beginning, or with a rate that tears it about.
    if still and loss >= floors.constant - STILL * abs(floors.constant):
        return ("stuck" if loss - floors.constant > NEAR * abs(floors.constant) else name), floors.constant
    falling = not still and all(one > other for one, other in pairwise(losses))
    for floor in (floors.chance, floors.constant):
        if moved <= FLAT * size and not falling and all(isclose(value, floor, rel_tol=NEAR) for value in losses):
            session.step.publish()
            if not carries_information(replica, session.reading):
                return name, floor
    return "", nan
