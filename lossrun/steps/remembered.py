"""Remember a seed's best value so far, and its health, from epoch to epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final


@dataclass(slots=True)
class BestSoFar:
    """The best value of a metric so far, and how many epochs ago it was reached. `epoch` is 0 before the first."""

    metric: str
    mode: str
    min_delta: float = 0.0
    value: float = math.nan
    epoch: int = 0
    step: int = 0
    bad_epochs: int = 0

    def improves(self, value: float) -> bool:
        """Return whether this value is better than the best so far; NaN never is."""
        gain = self.value - value if self.mode == "min" else value - self.value
        return not math.isnan(value) and (self.epoch == 0 or gain > self.min_delta)

    def update(self, value: float, epoch: int, step: int) -> bool:
        """Add the value of an epoch, and return whether it is the best so far."""
        if self.improves(value):
            self.value, self.epoch, self.step, self.bad_epochs = value, epoch, step, 0
            return True
        self.bad_epochs += 1
        return False


@dataclass(frozen=True, slots=True)
class Health:
    """What health checks remember of a seed from epoch to epoch. Checkpoints keep it.

    Attributes:
        first_loss: The loss of the very first step.
        losses: The train losses of the last epochs, newest last; see `health/window.py` for how many.
        recent: The loss towards the end of the last epoch.
        suspicious: Epochs in a row that looked like divergence.
        named: The diagnoses made so far.
        gradient_norm: The last finite one.
        least_validation: The least val_loss so far.
        least_epoch: Its epoch; 0 before the first.
    """

    first_loss: float = math.nan
    losses: Sequence[float] = ()
    recent: float = math.nan
    suspicious: int = 0
    named: Sequence[str] = ()
    gradient_norm: float = math.nan
    least_validation: float = math.nan
    least_epoch: int = 0

    def facts(self) -> dict[str, Any]:
        """Return plain values for a checkpoint; `Health(**facts)` is the way back."""
        # Not by `asdict`, which copies each value deeply, for every seed and checkpoint.
        plain = {name: getattr(self, name) for name in _NAMES}
        return {**plain, "losses": list(self.losses), "named": list(self.named)}


_NAMES: Final = tuple(each.name for each in fields(Health))
