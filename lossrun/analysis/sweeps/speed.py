"""Find how soon each pair, with the values that it got, reaches a score that every pair reaches."""

import math
from typing import Final

from lossrun.analysis.sweeps.tuned_range import as_error, bound
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult
from lossrun.catalog.metric_names import Goal, sign

_SUM_ROUNDING: Final = 1e-12  # relative; the effect of adding up scores in another order


def target_of(tuning: TuningResult) -> float | None:
    """Return a score that every pair with a score has reached: the speeds of reaching it can be compared.

    It is a score that works about as well as that of the worst pair.
    """
    scores = [pair.score.mean for pair in tuning.pairs if pair.score]
    worst = max((as_error(score, tuning.goal) for score in scores), default=None)
    return None if worst is None else as_error(bound(worst), tuning.goal)


def epochs_to(target: float, pair: PairTuning, goal: Goal) -> int | None:
    """Return after how many epochs the chosen runs would have had the target as their score; None for never.

    A seed that has stopped keeps its score, so a run reaches its own score at its last epoch at the latest.
    """
    courses = pair.courses
    upward = sign(goal)
    for epoch in range(max(map(len, courses), default=0)):
        mean = sum(course[min(epoch, len(course) - 1)] for course in courses) / len(courses)
        if upward * mean >= upward * target or math.isclose(mean, target, rel_tol=_SUM_ROUNDING):
            return epoch + 1
    return None
