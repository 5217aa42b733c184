"""Compute the learning rate of a step: plain arithmetic on positions. Declared in `catalog/schedules/`."""

from typing import Any

from lossrun.catalog.schedules import SCHEDULES
from lossrun.components.lookup import function_of
from lossrun.components.schedules.plateau import Plateau, PlateauState
from lossrun.components.schedules.position import SchedulePosition

__all__ = ["Plateau", "PlateauState", "SchedulePosition", "rate"]


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
    """Return the learning rate of the update after `step` others, so `step` counts from 0.

    Step s of a warm-up of w steps gets the share (s + 1) / w of the schedule's rate. reduce_on_plateau is a constant
    here; `Plateau.rate` reduces the result.

    Raises:
        ValueError: For an unknown name.
        TypeError: For parameters that the schedule does not take.
    """
    try:
        share = function_of("schedule", name)
    except KeyError:
        known = ", ".join(schedule.name for schedule in SCHEDULES)
        raise ValueError(f"unknown schedule {name!r}; expected one of {known}") from None
    warmup = round(warmup_epochs * steps_per_epoch)
    at = SchedulePosition(step, steps_per_epoch, epochs, warmup)
    ramp = (step + 1) / warmup if step < warmup else 1.0
    return learning_rate * float(share(at, **parameters)) * ramp
