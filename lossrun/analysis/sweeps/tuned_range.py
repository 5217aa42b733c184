"""Measure how wide the range of working values is, and whether the best value is on the edge of those tried."""

import math
from collections.abc import Sequence
from typing import Final

from lossrun.analysis.sweeps.trials import Trial
from lossrun.catalog.metric_names import Goal

# A tuned value works if its error is at most this many times the error of the best value.
WORKING: Final = 1.1


def as_error(score: float, goal: Goal) -> float:
    """Return a score as an error: 1 - score if higher scores are better. The function is its own inverse."""
    return score if goal == "min" else 1 - score


def bound(error: float) -> float:
    """Return the largest error that works about as well as this one. Below 0, a share of its size is added."""
    return error + (WORKING - 1) * abs(error)


def working_range(errors: Sequence[float], best: int) -> tuple[int, int]:
    """Return the first and the last place of the errors around the best one that all work."""
    return row_around(best, [error <= bound(errors[best]) for error in errors])


def row_around(best: int, works: Sequence[bool]) -> tuple[int, int]:
    """Return the first and the last place of the row of values that work, with no gap in it, around the best one."""
    low = high = best
    while low > 0 and works[low - 1]:
        low -= 1
    while high < len(works) - 1 and works[high + 1]:
        high += 1
    return low, high


def is_on_edge(key: str, chosen: Trial, trials: Sequence[Trial]) -> bool:
    """Return whether the best value is the smallest or the largest one tried, and no value inside is as good."""
    numbers = sorted({trial.values[key] for trial in trials if isinstance(trial.values[key], int | float)})
    edges = numbers[:1] + numbers[-1:]
    best = chosen.score.mean if chosen.score else math.nan
    tied = any(trial.score and trial.score.mean == best and trial.values[key] not in edges for trial in trials)
    return len(numbers) > 2 and chosen.values[key] in edges and not tied


def working_decades(chosen: Trial, trials: Sequence[Trial], goal: Goal) -> float | None:
    """Return the width of the range of values around the best one that work, as a power of ten.

    The error is the score, or 1 - score of a metric that is better high. None if the best value has no score, if its
    error is below 0, because a ratio of errors then means nothing, if not all values are numbers above 0, or if there
    is a single value.
    """
    (key,) = chosen.values
    if len(trials) < 2 or not all(
        isinstance(trial.values[key], int | float) and trial.values[key] > 0 for trial in trials
    ):
        return None

    ascending = sorted(trials, key=lambda trial: trial.values[key])
    errors = [as_error(trial.score.mean, goal) if trial.score else math.inf for trial in ascending]
    best = ascending.index(chosen)
    if not 0 <= errors[best] < math.inf:
        return None
    low, high = working_range(errors, best)
    return math.log10(ascending[high].values[key] / ascending[low].values[key])
