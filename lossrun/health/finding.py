"""A diagnosis of one seed, with the numbers that led to it."""

from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from lossrun.catalog.diagnoses import DIAGNOSES, Diagnosis
from lossrun.digits import apart
from lossrun.shell import set_options


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis of one seed.

    Attributes:
        name: The diagnosis, a key of `DIAGNOSES`.
        step: The last step of the epoch, or the step whose loss was first NaN or infinite.
        loss: The train loss of the epoch.
        learning_rate: The learning rate of that step.
        gradient_norm: The last finite one.
        floor: The value of the loss that revealed the problem; NaN if the problem has no such value.
        epochs: For how many epochs this has been seen.
        why: The cause in this run; "" if only the diagnosis' general reason is known.
        cure: The settings that fix it, as for --set; () if no such setting is known.
        since: The epoch of the best val_loss, if it has risen since.
        validation: The val_loss of the epoch.
    """

    name: str
    seed: int
    epoch: int
    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    floor: float = nan
    epochs: int = 1
    why: str = ""
    cure: tuple[str, ...] = ()
    since: int = 0
    validation: float = nan

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
        if self.name == "overfitting":
            best, now = apart(self.floor, self.validation, digits=4)
            seen += f", val_loss {best} at best in epoch {self.since} and {now} now"
        elif isfinite(self.floor):
            seen += f", {diagnosis.called} {self.floor:.4g}"
        remedy = diagnosis.remedy if diagnosis.harmless else f"to fix it, {self.remedy}"
        return f"{diagnosis.meaning} ({seen}): {self.why or diagnosis.why}; {remedy} [{self.name}]"

    @property
    def remedy(self) -> str:
        """What to do: the settings that fix this run, or what fixes most runs."""
        if not self.cure:
            return self.diagnosis.remedy
        return f"train again with {set_options(*self.cure)}"

    def facts(self) -> dict[str, Any]:
        """Return the finding as plain values, for the ledger."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "step": self.step,
            "diagnosis": self.name,
            "train_loss": self.loss,
            "learning_rate": self.learning_rate,
            "grad_norm": self.gradient_norm,
            **({"cure": list(self.cure)} if self.cure else {}),
        }
