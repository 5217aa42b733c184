"""The rule of reduce_on_plateau, the only schedule that waits for results."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Literal


@dataclass(frozen=True, slots=True)
class PlateauState:
    """The state of one seed.

    It holds the best value so far, the epochs without improvement since then, the epochs of cooldown left, and the
    product of all reductions.
    """

    best: float
    bad_epochs: int = 0
    cooldown_left: int = 0
    reduction: float = 1.0

    def numbers(self) -> dict[str, float]:
        """Return the state as numbers, for a checkpoint. `from_numbers` reads them."""
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
    """The rule of reduce_on_plateau, for all seeds; each seed has its own `PlateauState`.

    It is torch.optim.lr_scheduler.ReduceLROnPlateau without its `eps`: even a tiny reduction is made. patience and
    cooldown are in epochs, as PyTorch counts them; the other fields are as declared.
    """

    factor: float
    patience: int
    threshold: float
    cooldown: int
    min_rate: float
    mode: Literal["min", "max"]
    threshold_mode: Literal["rel", "abs"] = "rel"

    def start(self) -> PlateauState:
        return PlateauState(best=inf if self.mode == "min" else -inf)

    def after(self, state: PlateauState, value: float) -> PlateauState:
        """Return the state after an epoch with this value of the watched metric. NaN is not an improvement."""
        better = self._better(value, state.best)
        best = value if better else state.best
        if state.cooldown_left:
            return PlateauState(best, 0, state.cooldown_left - 1, state.reduction)
        bad_epochs = 0 if better else state.bad_epochs + 1
        if bad_epochs > self.patience:
            return PlateauState(best, 0, self.cooldown, state.reduction * self.factor)
        return PlateauState(best, bad_epochs, 0, state.reduction)

    def rate(self, state: PlateauState, learning_rate: float) -> float:
        """Return the reduced learning rate: never below min_rate, and never above the initial rate."""
        return min(learning_rate, max(learning_rate * state.reduction, self.min_rate))

    def _better(self, value: float, best: float) -> bool:
        if self.threshold_mode == "abs":
            return value < best - self.threshold if self.mode == "min" else value > best + self.threshold
        return value < best * (1 - self.threshold) if self.mode == "min" else value > best * (1 + self.threshold)
