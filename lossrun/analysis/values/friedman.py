"""Compare several methods over datasets at once: Friedman's test of their ranks, and the critical difference.

Source: Demsar, "Statistical comparisons of classifiers over multiple data sets", 2006.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lossrun.analysis.distributions.chi_square import chi_square_tail
from lossrun.analysis.distributions.inverse import inverse

_REACH: Final = 8.5  # standard deviations; the density beyond is below 1e-16
_PANELS: Final = 400  # of Simpson's rule, which then is exact to 1e-13 for so smooth a function


@dataclass(frozen=True, slots=True)
class Friedman:
    """The ranks of all methods, tested together.

    Attributes:
        statistic: Friedman's chi-square, corrected for ties; 0 if all methods are equal on every dataset.
        degrees: Its degrees of freedom: the number of methods less one.
        p_value: From the chi-square distribution, which is approximate for few datasets.
        critical_difference: How far two mean ranks must be apart to differ at the level (Nemenyi's test).
        alike: The groups of methods, by their numbers, whose mean ranks are all within the critical difference; the
            best first; no group is part of another. It is one group of all methods if Friedman's test finds no
            difference.
    """

    statistic: float
    degrees: int
    p_value: float
    critical_difference: float
    alike: tuple[tuple[int, ...], ...]


def friedman(ranks: Sequence[Sequence[float]], level: float) -> Friedman:
    """Test whether the mean ranks of the methods differ.

    With k methods, N datasets and sums of ranks R_j it is 12 / (N k (k + 1)) sum R_j^2 - 3 N (k + 1), divided by
    1 - sum(t^3 - t) / (N k (k^2 - 1)) over all groups of t tied ranks. The critical difference is
    q sqrt(k (k + 1) / (12 N)), q the quantile of the range of k standard normal values.

    Args:
        ranks: For each dataset, the rank of each method; ties share the mean of their ranks.
        level: The chance that any two of several equal methods are told apart.
    """
    datasets, methods = len(ranks), len(ranks[0])
    sums = [sum(column) for column in zip(*ranks, strict=True)]
    raw = 12 / (datasets * methods * (methods + 1)) * sum(one * one for one in sums) - 3 * datasets * (methods + 1)
    tied = sum(row.count(rank) ** 3 - row.count(rank) for row in map(list, ranks) for rank in set(row))
    free = 1 - tied / (datasets * methods * (methods**2 - 1))
    statistic = max(0.0, raw / free) if free > 0 else 0.0
    critical = range_quantile(1 - level, methods) * math.sqrt(methods * (methods + 1) / (12 * datasets))
    degrees = methods - 1
    p_value, mean_ranks = chi_square_tail(statistic, degrees), [one / datasets for one in sums]
    groups = _alike(mean_ranks, critical if p_value <= level else math.inf)
    return Friedman(statistic, degrees, p_value, critical, groups)


def _alike(mean_ranks: Sequence[float], critical: float) -> tuple[tuple[int, ...], ...]:
    """Return the longest groups of two methods or more whose mean ranks are all within the critical difference."""
    order = sorted(range(len(mean_ranks)), key=mean_ranks.__getitem__)
    found: list[tuple[int, ...]] = []
    reached = 0
    for start, first in enumerate(order):
        end = start
        while end < len(order) and mean_ranks[order[end]] - mean_ranks[first] < critical:
            end += 1
        if end > reached and end - start > 1:
            found.append(tuple(order[start:end]))
        reached = max(reached, end)
    return tuple(found)


@lru_cache(maxsize=64)
def range_quantile(p: float, count: int) -> float:
    """Return the q for which P(range <= q) is p, for the range of `count` independent standard normal values.

    It is the studentized range with infinitely many degrees of freedom.
    """
    return inverse(lambda q: _range_distribution(q, count), p, 0.0, 2 * _REACH)


def _range_distribution(q: float, count: int) -> float:
    """Return P(range <= q): count times the integral of density(x) (Phi(x) - Phi(x - q))^(count - 1), x the largest."""
    width = 2 * _REACH / _PANELS

    def inner(x: float) -> float:
        within = (math.erf(x / math.sqrt(2)) - math.erf((x - q) / math.sqrt(2))) / 2
        return math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * within ** (count - 1)

    total = math.fsum((4 if place % 2 else 2) * inner(place * width - _REACH) for place in range(1, _PANELS))
    return count * (total + inner(-_REACH) + inner(_REACH)) * width / 3
