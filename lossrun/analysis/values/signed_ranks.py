"""Compare two methods over several datasets by Wilcoxon's signed ranks.

Differences on different datasets differ in size, so only their order counts. Source: Demsar, "Statistical comparisons
of classifiers over multiple data sets", 2006.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SignedRanks:
    """The ranks of the sizes of the differences, summed by sign.

    Attributes:
        positive: The sum of the ranks of differences above 0.
        negative: The sum of the ranks of differences below 0. The ranks of differences of 0 are divided evenly.
        p_value: The two-sided p-value, from the exact distribution of all signs; 1 if all differences are 0.
    """

    positive: float
    negative: float
    p_value: float


def signed_ranks(differences: Sequence[float]) -> SignedRanks:
    """Rank the sizes of the differences; equal sizes share the mean of their ranks."""
    twice = [round(2 * rank) for rank in ranked([abs(value) for value in differences])]  # whole numbers
    zeros = sum(rank for rank, value in zip(twice, differences, strict=True) if value == 0)
    positive = sum(rank for rank, value in zip(twice, differences, strict=True) if value > 0)
    signed = [rank for rank, value in zip(twice, differences, strict=True) if value]
    least = min(positive, sum(signed) - positive)
    # ways[s]: the number of choices of signs for which the ranks of the positive differences add up to s / 2
    ways = [1] + [0] * sum(signed)
    for rank in signed:
        for total in range(len(ways) - 1, rank - 1, -1):
            ways[total] += ways[total - rank]
    p_value = min(1.0, 2 * sum(ways[: least + 1]) / 2 ** len(signed))
    return SignedRanks((positive + zeros / 2) / 2, (sum(signed) - positive + zeros / 2) / 2, p_value if signed else 1.0)


def ranked(values: Sequence[float]) -> list[float]:
    """Return the rank of each value, 1 for the lowest; equal values share the mean of their ranks."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            ranks[place] = (start + 1 + end) / 2
        start = end
    return ranks
