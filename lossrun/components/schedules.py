"""How the learning rate moves: plain arithmetic on positions. Declared in `catalog/schedules.py`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import cos, inf, pi
from typing import Any, Literal


def rate(
    name: str,
    *,
    step: int,
    steps_per_epoch: int,
    epochs: int,
    learning_rate: float,
    warmup_epochs: float = 0.0,
    **parameters: Any,
) -> float:
    """The learning rate of the update that follows `step` others, so `step` counts from 0.

    Step s of a warm-up of w steps gets the share (s + 1) / w of the schedule's rate. reduce_on_plateau is a constant
    here: its reductions are `Plateau.rate`, applied to the result.
    Raises ValueError for an unknown name and TypeError for parameters that the schedule does not take.
    """
    warmup = round(warmup_epochs * steps_per_epoch)
    completed = step // steps_per_epoch
    match name:
        case "constant" | "reduce_on_plateau":
            share = 1.0
        case "step":
            share = stairs(completed, **parameters)
        case "exponential":
            share = exponential(completed, **parameters)
        case "cosine":
            share = cosine(step - warmup, epochs * steps_per_epoch - warmup, **parameters)
        case _:
            raise ValueError(
                f"unknown schedule {name!r}; expected constant, step, exponential, cosine or reduce_on_plateau"
            )
    ramp = (step + 1) / warmup if step < warmup else 1.0
    return learning_rate * share * ramp


def stairs(completed: int, *, every: int, gamma: float) -> float:
    """gamma^(completed // every): a stair down after every so many completed epochs, warm-up included."""
    return float(gamma ** (completed // every))


def exponential(completed: int, *, gamma: float) -> float:
    """gamma^completed, after so many completed epochs, warm-up included."""
    return float(gamma**completed)


def cosine(step: int, steps: int, *, final_fraction: float) -> float:
    """Half a cosine from 1 at step 0 down to final_fraction at `steps`; flat before and beyond.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts.
    """
    progress = min(max(step, 0) / steps, 1.0) if steps > 0 else 0.0
    return final_fraction + (1 - final_fraction) * (1 + cos(pi * progress)) / 2


@dataclass(frozen=True, slots=True)
class PlateauState:
    """Where one seed stands: best value seen, epochs since then without improvement, epochs of cooldown left, and the
    product of all reductions so far."""

    best: float
    bad_epochs: int = 0
    cooldown_left: int = 0
    reduction: float = 1.0

    def numbers(self) -> dict[str, float]:
        """For a checkpoint; `from_numbers` is the way back."""
        return {name: float(value) for name, value in asdict(self).items()}

    @classmethod
    def from_numbers(cls, numbers: Mapping[str, float]) -> "PlateauState":
        return cls(
            best=float(numbers["best"]),
            bad_epochs=int(numbers["bad_epochs"]),
            cooldown_left=int(numbers["cooldown_left"]),
            reduction=float(numbers["reduction"]),
        )


@dataclass(frozen=True, slots=True)
class Plateau:
    """The rule of reduce_on_plateau: torch.optim.lr_scheduler.ReduceLROnPlateau with a relative threshold, but for its
    `eps`: however small, a reduction is made. One rule serves all seeds; each has its own `PlateauState`.

    patience and cooldown in epochs; the other fields as declared.
    """

    factor: float
    patience: int
    threshold: float
    cooldown: int
    min_rate: float
    mode: Literal["min", "max"]

    def start(self) -> PlateauState:
        return PlateauState(best=inf if self.mode == "min" else -inf)

    def after(self, state: PlateauState, value: float) -> PlateauState:
        """The state after an epoch that ended with this value of the watched metric. Not a number is no improvement."""
        better = self._better(value, state.best)
        best = value if better else state.best
        if state.cooldown_left:
            return PlateauState(best, 0, state.cooldown_left - 1, state.reduction)
        bad_epochs = 0 if better else state.bad_epochs + 1
        if bad_epochs > self.patience:
            return PlateauState(best, 0, self.cooldown, state.reduction * self.factor)
        return PlateauState(best, bad_epochs, 0, state.reduction)

    def rate(self, state: PlateauState, learning_rate: float) -> float:
        """The reduced learning rate: never below min_rate, and never above the rate it started from."""
        return min(learning_rate, max(learning_rate * state.reduction, self.min_rate))

    def _better(self, value: float, best: float) -> bool:
        if self.mode == "min":
            return value < best * (1 - self.threshold)
        return value > best * (1 + self.threshold)
