"""Estimate how many seeds, or splits, a fresh comparison needs to find a difference.

The estimate needs the standard deviation of the differences, and that comes from a few seeds. A plan from 5 seeds that
takes their deviation for the true one has the promised power in about two of five cases, because the deviation of so
few is too small in more than half of all cases, and often much too small. So a plan uses the upper confidence limit of
the deviation instead,

    deviation sqrt((n - 1) / q),  q = the 20 % quantile of chi-square with n - 1 degrees of freedom.

Four plans in five then reach the power (Browne, "On the use of a pilot sample for sample size determination", 1995).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lossrun.analysis.distributions.chi_square import chi_square_quantile
from lossrun.analysis.values.evidence import LEAST_FOR_VERDICT
from lossrun.analysis.values.variation import Variation, half_width

POWER: Final = 0.8  # the chance that a fresh comparison finds the difference
CONFIDENCE: Final = 0.8  # the share of pilots whose plans have at least this power
MOST_SEEDS: Final = 1000  # nobody trains more
_ENDLESS: Final = 10**9  # degrees of freedom at which Student's t is normal


@dataclass(frozen=True, slots=True)
class Needed:
    """How many seeds, or splits, a fresh comparison needs.

    Attributes:
        count: The number; None if it is above MOST_SEEDS, or if more data are needed.
        more_data: Whether no number of them is enough.
    """

    count: int | None
    more_data: bool

    @property
    def hopeless(self) -> bool:
        """Whether more would be needed than anybody trains."""
        return self.count is None and not self.more_data


def needed(mean: float, deviation: float, level: float, ratio: float = 0.0, items: Variation | None = None) -> Needed:
    """Estimate how many seeds, or splits, find a mean difference with probability POWER.

    Args:
        mean: The difference.
        deviation: The standard deviation of the differences.
        level: The chance of a false verdict, both sides together.
        ratio: n_test / n_train of splits; 0 on one split.
        items: How the mean varies over test items, if the verdict is over them too.
    """
    if needs_more_data(mean, deviation, level, ratio, items):
        return Needed(None, True)
    return Needed(seeds_to_settle(mean, deviation, level, ratio, items), False)


def seeds_to_settle(
    mean: float, deviation: float, level: float, ratio: float = 0.0, items: Variation | None = None
) -> int | None:
    """Estimate how many seeds, or splits, a fresh comparison needs to find such a difference.

    It is the least n >= 6 with (t(1 - level/2) + t(POWER)) deviation sqrt(1/n + ratio) <= |mean|, with t of n - 1
    degrees of freedom: then the difference is found with probability POWER. With test items, each of the two terms is
    the root of the summed squares of that of the seeds and that of the items. It is only as good as the estimates of
    mean and deviation.

    Args:
        ratio: n_test / n_train of splits; 0 on one split.
        items: How the mean varies over test items, if the verdict is over them too; with more seeds, each item's mean
            over the seeds varies less.

    Returns:
        The number; None if it is above MOST_SEEDS.
    """
    if not mean:
        return None

    def enough(count: int) -> bool:
        seeds = Variation("seeds", count, deviation * math.sqrt(1 / count + ratio))
        return _detectable([seeds, items.with_seeds(count)] if items else [seeds], level) <= abs(mean)

    low, high = LEAST_FOR_VERDICT, MOST_SEEDS
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def needs_more_data(mean: float, deviation: float, level: float, ratio: float, items: Variation | None = None) -> bool:
    """Return whether no number of seeds or splits can find such a difference.

    All splits share samples, so the variance of the mean stays above deviation^2 times `ratio`, however many there are.
    All seeds share the test items, so it stays above the variance that items have if each is averaged over all seeds.
    """
    if not ratio and items is None:
        return False
    splits = Variation("splits", _ENDLESS, deviation * math.sqrt(ratio))
    return _detectable([splits, items.with_seeds(math.inf)] if items else [splits], level) > abs(mean)


def _detectable(parts: Sequence[Variation], level: float) -> float:
    """Return the least difference that is found with probability POWER."""
    both_sides = 2 * (1 - POWER)
    return half_width(parts, level) + half_width(parts, both_sides)


def deviation_limit(deviation: float, count: int) -> float:
    """Return the upper limit that a standard deviation of `count` values has with a confidence of CONFIDENCE."""
    return deviation * math.sqrt((count - 1) / chi_square_quantile(1 - CONFIDENCE, count - 1))
