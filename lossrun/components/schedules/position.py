"""Where a run stands, in the lengths that schedules count in."""

from dataclasses import dataclass
from math import floor


@dataclass(frozen=True, slots=True)
class SchedulePosition:
    """`step`: updates done so far, warm-up included. `epochs`: of the whole run. `warmup`: its length in steps."""

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
        """Steps of the run that follow the warm-up."""
        return max(self.epochs * self.steps_per_epoch - self.warmup, 0)

    def steps(self, epochs: float) -> int:
        """That many epochs in whole steps, at least one."""
        return max(round(epochs * self.steps_per_epoch), 1)

    def times(self, every: float, staircase: bool) -> float:
        """How often `every` epochs have passed since the start of the run, in whole stairs or exactly."""
        passed = self.step / (every * self.steps_per_epoch)
        return floor(passed) if staircase else passed

    def progress(self, over_epochs: float | None) -> float:
        """From 0 when the warm-up ends to 1 after so many epochs, or at the end of the run; 1 beyond."""
        length = self.left_by_warmup if over_epochs is None else self.steps(over_epochs)
        return min(self.after_warmup / length, 1.0) if length else 0.0
