"""The position in a run, in the units that schedules use."""

from dataclasses import dataclass
from math import floor


@dataclass(frozen=True, slots=True)
class SchedulePosition:
    """A position in a run.

    Attributes:
        step: The updates done so far, warm-up included.
        steps_per_epoch: The updates in an epoch.
        epochs: The epochs of the whole run.
        warmup: The length of the warm-up in steps.
    """

    step: int
    steps_per_epoch: int
    epochs: int
    warmup: int

    @property
    def completed_epochs(self) -> int:
        """Warm-up included."""
        return self.step // self.steps_per_epoch

    @property
    def after_warmup(self) -> int:
        """Steps since the warm-up ended; 0 during it."""
        return max(self.step - self.warmup, 0)

    @property
    def left_by_warmup(self) -> int:
        """Steps of the run after the warm-up."""
        return max(self.epochs * self.steps_per_epoch - self.warmup, 0)

    def steps(self, epochs: float) -> int:
        """Return a number of epochs in whole steps, at least one."""
        return max(round(epochs * self.steps_per_epoch), 1)

    def times(self, every: float, staircase: bool) -> float:
        """Return how often `every` epochs have passed since the start: a whole number for a staircase, else exactly."""
        passed = self.step / (every * self.steps_per_epoch)
        return floor(passed) if staircase else passed

    def progress(self, over_epochs: float | None) -> float:
        """Return the progress from 0 at the end of the warm-up to 1 after `over_epochs`, or at the end; 1 later."""
        length = self.left_by_warmup if over_epochs is None else self.steps(over_epochs)
        return min(self.after_warmup / length, 1.0) if length else 0.0
