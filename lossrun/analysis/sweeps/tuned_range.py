"""How wide the range of a tuned value is in which it works, and whether a better value may lie beyond those tried."""

import math
from collections.abc import Sequence
from typing import Final

from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.values.metric_names import Goal

# A tuned value works where the error it leads to is at most so many times the best one's.
WORKING: Final = 1.1


def is_on_edge(key: str, chosen: Trial, trials: Sequence[Trial]) -> bool:
    """Return whether values beyond those tried may be better: not where one inside the range is as good."""
    numbers = sorted({trial.values[key] for trial in trials if isinstance(trial.values[key], int | float)})
    edges = numbers[:1] + numbers[-1:]
    best = chosen.score.mean if chosen.score else math.nan
    tied = any(trial.score and trial.score.mean == best and trial.values[key] not in edges for trial in trials)
    return len(numbers) > 2 and chosen.values[key] in edges and not tied


def working_decades(chosen: Trial, trials: Sequence[Trial], goal: Goal) -> float | None:
    """Return the width of the range of values around the best one that work, as a power of ten.

    The error is the score, or 1 - score of a metric that is better high. None if the best value has no score, if its
    error is below 0, because a ratio of errors then means nothing, or if not all values are numbers above 0.
    """
    (key,) = chosen.values
    if not all(isinstance(trial.values[key], int | float) and trial.values[key] > 0 for trial in trials):
        return None

    def error(trial: Trial) -> float:
        if trial.score is None:
            return math.inf
        return trial.score.mean if goal == "min" else 1 - trial.score.mean

    best = error(chosen)
    if not 0 <= best < math.inf:
        return None
    ascending = sorted(trials, key=lambda trial: trial.values[key])
    low = high = ascending.index(chosen)
    while low > 0 and error(ascending[low - 1]) <= WORKING * best:
        low -= 1
    while high < len(ascending) - 1 and error(ascending[high + 1]) <= WORKING * best:
        high += 1
    return math.log10(ascending[high].values[key] / ascending[low].values[key])
