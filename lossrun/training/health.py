"""How a seed is doing, epoch by epoch: divergence in its three faces, and plateaus that have a name.

What each diagnosis means and what to do about it: `analysis/diagnosis.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isclose, isfinite, nan
from typing import Any, Final

import torch

from lossrun.analysis.diagnosis import DIAGNOSES, Diagnosis
from lossrun.training.floors import LOOKED_AT, Floors, some_outputs
from lossrun.training.replica import Replica
from lossrun.training.session import Session

# So many times the loss of an untrained or of a constant model is no bad start any more.
EXPLODED: Final = 5.0
# Epochs without movement that make a plateau, and how flat and how near a floor it must be, relative to the floor.
PLATEAU: Final = 3
FLAT: Final = 0.01
NEAR: Final = 0.02
# Share of the way from chance down to a mistake's floor that must be covered before it is named.
COVERED: Final = 0.75


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
            seen += f", floor {self.floor:.4g}"
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
    likelihood = session.reading.reads_as == "probabilities"
    last = session.position.epoch >= session.config.epochs
    findings = []
    by_seed = {row["seed"]: row for row in rows}
    for index, replica in enumerate(session.replicas):
        if (row := by_seed.get(replica.seed)) is None:
            continue
        health = replica.health
        if session.position.epoch == 1:
            health.first_loss = float(session.sums.losses[0, index])
        name, floor = _diagnosed(session, replica, row, likelihood=likelihood, last=last)
        step, rate = row["step"], row["learning_rate"]
        if name == "non_finite" and (first_bad := session.sums.first_bad(index)):
            step = (session.position.epoch - 1) * session.steps_per_epoch + first_bad
            rate = session.rates(step - 1)[index]
        norms = (row["grad_norm"], float(session.sums.first_gradient_norm[index]))
        health.gradient_norm = next((norm for norm in norms if isfinite(norm)), health.gradient_norm)
        if not name or name in health.named:
            continue
        health.named.append(name)
        epochs = len(health.losses) if name in ("chance", "constant") else 1
        finding = Finding(
            name, replica.seed, row["epoch"], step, row["train_loss"], rate, health.gradient_norm, floor, epochs
        )
        if finding.diverged:
            replica.diverged_epoch = row["epoch"]
        findings.append(finding)
    return findings


def _diagnosed(
    session: Session, replica: Replica, row: Mapping[str, Any], *, likelihood: bool, last: bool
) -> tuple[str, float]:
    """The name of what the row shows, "" for nothing, and the floor that gave it away.

    `likelihood`: the loss is one of probabilities, and never below 0. `last`: no epoch follows that could confirm a
    suspicion.
    """
    health, loss = replica.health, row["train_loss"]
    before = health.losses[-1] if health.losses else health.first_loss
    health.losses = [*health.losses, loss][-PLATEAU:]
    if not all(isfinite(row[column]) for column in ("train_loss", "val_loss") if column in row):
        return "non_finite", nan
    floors = session.floors(replica)
    suspected = _suspected(session, replica, loss, before, floors)
    confirmed = suspected and (suspected == health.suspected or last)
    health.suspected = suspected
    if suspected:
        return (suspected, floors.constant if floors else nan) if confirmed else ("", nan)
    if likelihood and loss < 0:
        return "impossible", 0.0
    return _plateau(health.losses, floors, last=last) if floors else ("", nan)


def _suspected(session: Session, replica: Replica, loss: float, before: float, floors: Floors | None) -> str:
    """A face of divergence that finite numbers may have."""
    reference = max(abs(replica.health.first_loss), abs(floors.constant) if floors else 0.0)
    if loss > EXPLODED * reference and loss >= before:
        return "exploded"
    # Whoever beats the best constant has outputs that depend on the inputs.
    beaten = floors is not None and loss < floors.constant - NEAR * abs(floors.constant)
    by_design = floors is not None and floors.mistake in ("single_softmax", "squashed")
    if beaten or by_design:
        return ""
    session.step.publish()
    return "dead" if outputs_are_alike(replica) else ""


def _plateau(losses: Sequence[float], floors: Floors, *, last: bool) -> tuple[str, float]:
    """The name and the value of the floor that the loss has come to rest on; "" where there is none."""
    loss = losses[-1]
    if floors.mistake:
        covered = floors.constant - (floors.constant - floors.best) * COVERED if isfinite(floors.best) else -inf
        if (last and floors.certain) or loss <= covered:
            return floors.mistake, floors.best if isfinite(floors.best) else nan
        return "", nan
    # Under label smoothing no loss is lower.
    if isfinite(floors.smoothing) and loss <= floors.smoothing * (1 + NEAR):
        return "smoothing", floors.smoothing
    if len(losses) < PLATEAU and not (last and len(losses) > 1):
        return "", nan
    flat = max(losses) - min(losses) <= FLAT * abs(loss)
    for name, floor in (("chance", floors.chance), ("constant", floors.constant)):
        if flat and all(isclose(value, floor, rel_tol=NEAR) for value in losses):
            return ("chance" if isfinite(floors.chance) else name), floor
    return "", nan


@torch.no_grad()
def outputs_are_alike(replica: Replica) -> bool:
    """Whether the model gives the same to every sample, to the rounding of its numbers."""
    inputs = replica.parts.train.inputs[:LOOKED_AT]
    if len(inputs) < 2 or bool((inputs == inputs[:1]).all()):
        return False
    values = some_outputs(replica)
    spread = float((values.amax(dim=0) - values.amin(dim=0)).max())
    return spread <= 4 * torch.finfo(values.dtype).eps * max(1.0, float(values.abs().max()))
