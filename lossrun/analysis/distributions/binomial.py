"""Compute Clopper and Pearson's limits of a probability, in plain Python, because SciPy takes long to import."""

import math
from functools import lru_cache, partial
from typing import Final

from lossrun.analysis.distributions.inverse import inverse

_EPSILON: Final = 2.0**-53


@lru_cache(maxsize=4096)  # a comparison needs many of the same values
def clopper_pearson(successes: int, trials: int, level: float) -> tuple[float, float]:
    """Return the interval that contains the probability of a success with a chance of at least 1 - level.

    At its lower end, `successes` or more have a chance of level / 2; at its upper end, `successes` or fewer.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    1934.
    """
    low, high = (lower_limit(count, trials, level / 2) for count in (successes, trials - successes))
    return low, 1 - high


def lower_limit(successes: int, trials: int, chance: float) -> float:
    """Return the probability for which `successes` or more of the trials have this chance, at most 1/2.

    It is the quantile of Beta(successes, trials + 1 - successes) at `chance`; 0 for no success.
    """
    # With the probability successes / trials, the median is `successes`: that number or more has a chance of at least
    # 1/2.
    return inverse(partial(_at_least, successes, trials), chance, 0.0, successes / trials) if successes else 0.0


def _at_least(successes: int, trials: int, p: float) -> float:
    """Return the chance of at least `successes` successes, for a probability p up to successes / trials.

    Each term of the sum is below the one before, so it ends where terms no longer count.
    """
    chances = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
    odds = p / (1 - p)
    total = term = math.exp(chances + successes * math.log(p) + (trials - successes) * math.log1p(-p))
    for count in range(successes, trials):
        term *= (trials - count) / (count + 1) * odds
        total += term
        if term <= _EPSILON * total:
            break
    return total
