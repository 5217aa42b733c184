"""How a mean varies over seeds, splits, or test items, and the interval and p-value that follow.

An interval for new seeds and new test items is the root of the summed squares of two half-widths: Student's over seeds,
and Student's over items, each averaged over the seeds first. Its coverage is at least 94 % whichever of the two varies
more (`tests/analysis/values/test_seeds_and_items.py`); that of one of them alone may be far lower.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from lossrun.analysis.distributions.student import critical_t, two_sided_p
from lossrun.analysis.values.evidence import LEAST_FOR_VERDICT, LEAST_ITEMS

_PRECISION: Final = 1e-12  # relative, of a p-value over two kinds of values
_LEAST_LEVEL: Final = 1e-300


@dataclass(frozen=True, slots=True)
class Variation:
    """How a mean varies over one kind of values.

    Attributes:
        over: What the values are: one for each seed, each split (the mean over its seeds), or each test item (the mean
            over the seeds).
        count: How many there are.
        seeds: Of items: how many seeds each is averaged over.
        floor: Of items: the standard error that is left with any number of seeds; None if one seed cannot tell it.
    """

    over: Literal["seeds", "splits", "items"]
    count: int
    standard_error: float
    seeds: int = 1
    floor: float | None = None

    @property
    def decides(self) -> bool:
        """Whether there are enough values for a verdict."""
        return self.count >= (LEAST_ITEMS if self.over == "items" else LEAST_FOR_VERDICT)

    def half_width(self, level: float) -> float:
        """Return half the width of Student's interval that misses the mean with a chance of `level`."""
        return critical_t(level, self.count - 1) * self.standard_error

    def with_seeds(self, seeds: float) -> "Variation":
        """Return how the mean varies over these items if each is averaged over `seeds` seeds, which may be infinite."""
        if self.floor is None:
            return self
        lasting = self.floor * self.floor
        chance = (self.standard_error * self.standard_error - lasting) * self.seeds
        return replace(self, standard_error=math.sqrt(lasting + chance / seeds))


def half_width(parts: Sequence[Variation], level: float) -> float:
    """Return the root of the summed squares of the half-widths of all parts."""
    return math.hypot(*(part.half_width(level) for part in parts))


def p_value(parts: Sequence[Variation], mean: float) -> float:
    """Return the least level whose interval excludes 0; at least one part must vary.

    Of several parts it is above the p-value of each alone. It is found where the half-width, which falls as the level
    rises, equals the mean: by the Illinois method (Dowell and Jarratt 1971) on the logarithm of the level.
    """
    varying = [part for part in parts if part.standard_error]
    alone = [two_sided_p(mean / part.standard_error, part.count - 1) for part in varying]

    def excess(log_level: float) -> float:
        return half_width(varying, math.exp(log_level)) - abs(mean)

    low, high = math.log(max(*alone, _LEAST_LEVEL)), 0.0
    above, below = excess(low), -abs(mean)
    # If the other parts are 0 up to rounding, the p-value of the remaining part is the answer.
    if len(varying) == 1 or above <= _PRECISION * abs(mean):
        return max(alone)
    side = 0
    while high - low > _PRECISION * max(1.0, -low) and above > 0 > below:
        middle = (low * below - high * above) / (below - above)
        found = excess(middle)
        if abs(found) <= _PRECISION * abs(mean):
            return math.exp(middle)
        if found > 0:
            low, above, below, side = middle, found, below / 2 if side > 0 else below, 1
        else:
            high, below, above, side = middle, found, above / 2 if side < 0 else above, -1
    return math.exp(high)
