"""How much evidence a verdict needs: levels, the least numbers of values, and the correction for several tests."""

from collections.abc import Sequence
from typing import Final

LEVEL: Final = 0.05  # the chance of any false verdict in a comparison; intervals have 1 - LEVEL
LEAST_FOR_INTERVAL: Final = 3  # seeds
LEAST_FOR_VERDICT: Final = 6  # seeds
LEAST_ITEMS: Final = 30  # test items for a verdict; the mean of fewer may be far from normal


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for their number by Holm's step-down method.

    The chance of any false rejection at a level is then at most that level, however the tests depend on each other.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = least
    return corrected
