"""The tuning curve: what score to expect from the best of k tried values, with simultaneous 95 % bands.

A pair that was given more tries looks better. The curve says what each pair can be expected to reach with 1, 2, 3 ...
tries, so that pairs can be compared at the same effort. It is the median of the best of k independent draws, and the
band holds for all k at once (Lourie, Cho and He, "Show Your Work with Confidence", 2024): the distribution function of
the scores lies in a band whose limits at the i-th of n sorted scores are quantiles of Beta(i, n + 1 - i) with equal
tails, adjusted so that all hold together with 95 % (Aldor-Noiman and others, "The Power to See", 2013). Monotone
transformations of the band are bands of the curve.

The values of a grid are evenly spaced, not independent draws. Their scores represent the distribution at least as well
as draws do, so for a grid the band is too wide rather than too narrow.

The reference implementation is the package opda, which the tests run. It is not used here because it imports
scipy.stats and scipy.optimize, which takes longer than the rest of a comparison.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lossrun.analysis.distributions.binomial import lower_limit
from lossrun.analysis.sweeps.tuning import PairTuning
from lossrun.analysis.values.evidence import LEVEL
from lossrun.catalog.metric_names import Goal, sign

LEAST: Final = 3  # values tried, for a curve
MOST_EXACT: Final = 40  # values; for more, the wider band of Dvoretzky, Kiefer, Wolfowitz and Massart is used
_STEPS: Final = 20  # of a bisection


@dataclass(frozen=True, slots=True)
class TuningPoint:
    """The best of `tries` draws: its median, and the band of this median.

    A limit is infinite where so few draws do not bound the median.
    """

    tries: int
    median: float
    low: float
    high: float


def tuning_curve(pair: PairTuning, goal: Goal) -> tuple[TuningPoint, ...]:
    """Return a point for each number of tries; empty for fewer than `LEAST` values.

    A value that diverged or failed is worse than all others.
    """
    ended = [trial for trial in pair.trials if trial.ended]
    if len(ended) < LEAST:
        return ()
    upward = sign(goal)
    # As errors: lower is better.
    errors = sorted(math.inf if trial.score is None else -upward * trial.score.mean for trial in ended)
    points = []
    for tries in range(1, len(errors) + 1):
        share = 1 - 0.5 ** (1 / tries)  # the median of the best of k has this quantile
        low, median, high = _quantile(errors, share)
        ends = sorted((-upward * low, -upward * high))
        points.append(TuningPoint(tries, -upward * median, *ends))
    return tuple(points)


def _quantile(values: Sequence[float], share: float) -> tuple[float, float, float]:
    """Return where the distribution function reaches `share`: by its upper limit, by the draws, by its lower limit."""
    lows, highs = cdf_band(len(values))
    count = len(values)
    estimates = [rank / count for rank in range(1, count + 1)]
    # Between two sorted values, the function is at most its upper limit at the next one.
    upper = next((values[i] for i in range(count) if (highs[i + 1] if i + 1 < count else 1.0) >= share), math.inf)
    low = -math.inf if highs[0] >= share else upper
    median = next(value for value, estimate in zip(values, estimates, strict=True) if estimate >= share - 1e-12)
    high = next((value for value, limit in zip(values, lows, strict=True) if limit >= share), math.inf)
    return low, median, high


@lru_cache
def cdf_band(count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the lower and the upper limits of a continuous distribution function at each of `count` sorted draws.

    With a probability of 1 - LEVEL all of them hold together.
    """
    if count > MOST_EXACT:
        half = math.sqrt(math.log(2 / LEVEL) / (2 * count))
        return (
            tuple(max(0.0, rank / count - half) for rank in range(1, count + 1)),
            tuple(min(1.0, (rank - 1) / count + half) for rank in range(1, count + 1)),
        )
    small, large = LEVEL / count, LEVEL  # Bonferroni's level is too small, that of a single limit too large
    for _ in range(_STEPS):
        level = (small + large) / 2
        lows = _limits(count, level)
        if _coverage(lows, _mirrored(lows)) >= 1 - LEVEL:
            small = level
        else:
            large = level
    lows = _limits(count, small)
    return lows, _mirrored(lows)


def _mirrored(lows: Sequence[float]) -> tuple[float, ...]:
    """Return the upper limits: the i-th smallest draw is as far from 0 as the i-th largest is from 1."""
    return tuple(1 - low for low in reversed(lows))


def _limits(count: int, level: float) -> tuple[float, ...]:
    """Return the quantile at level / 2 of Beta(i, count + 1 - i) for each i."""
    return tuple(lower_limit(rank, count, level / 2) for rank in range(1, count + 1))


def _coverage(lows: Sequence[float], highs: Sequence[float]) -> float:
    """Return the probability that each of the sorted uniform draws lies between its limits.

    Walk over all limits from 0 to 1, and keep the probability of each number of draws so far. Just before the lower
    limit of the i-th draw there are at most i - 1 draws, and at its upper limit at least i.
    """
    count = len(lows)
    bounds = sorted(
        [(low, 0, rank) for rank, low in enumerate(lows)] + [(high, 1, rank) for rank, high in enumerate(highs)]
    )
    states, before = [1.0] + [0.0] * count, 0.0
    for at, is_high, rank in bounds:
        share = (at - before) / (1 - before) if before < 1 else 1.0
        new = [0.0] * (count + 1)
        for number, probability in enumerate(states):
            if probability < 1e-18:
                continue
            left = count - number
            term = probability * (1 - share) ** left
            odds = share / (1 - share) if share < 1 else math.inf
            for more in range(left + 1):
                new[number + more] += term
                term *= (left - more) / (more + 1) * odds
        kept = range(rank + 1, count + 1) if is_high else range(rank + 1)
        states = [value if number in kept else 0.0 for number, value in enumerate(new)]
        before = at
    return sum(states)
