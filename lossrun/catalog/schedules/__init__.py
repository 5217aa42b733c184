"""The schedules of the learning rate that a config may name.

Every length is in epochs; torch counts calls of the scheduler, and Keras counts steps. Every level is a share of the
configured learning rate; their `eta_min` and `end_learning_rate` are rates.
"""

from functools import cache
from typing import Final

from lossrun.catalog.declaration import Schedule
from lossrun.catalog.schedules.by_epoch import BY_EPOCH
from lossrun.catalog.schedules.by_progress import BY_PROGRESS
from lossrun.catalog.schedules.by_result import BY_RESULT

SCHEDULES: Final[tuple[Schedule, ...]] = (*BY_EPOCH, *BY_PROGRESS, *BY_RESULT)


def waits_for_results(name: str) -> bool:
    """Return whether a schedule watches a metric of the run, so that each seed has its own learning rate."""
    return any(schedule.waits_for_results for schedule in SCHEDULES if schedule.name == name)


@cache
def moves(name: str) -> bool:
    """Return whether the rate of a schedule changes at all; a warm-up does not count."""
    return any(schedule.moves for schedule in SCHEDULES if schedule.name == name)
