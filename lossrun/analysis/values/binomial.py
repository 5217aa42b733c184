"""Compute Clopper and Pearson's interval of a probability, in plain Python, because SciPy takes long to import."""

import math
from functools import lru_cache, partial

from lossrun.analysis.values.inverse import inverse


@lru_cache(maxsize=4096)  # a comparison needs many of the same values
def clopper_pearson(successes: int, trials: int, level: float) -> tuple[float, float]:
    """Return the interval that contains the probability of a success with a chance of at least 1 - level.

    Its ends are the probabilities for which so many successes, or so few, have a chance of level / 2.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    1934.
    """
    return _lower(successes, trials, level), 1 - _lower(trials - successes, trials, level)


def _lower(successes: int, trials: int, level: float) -> float:
    """Return the probability p for which `successes` or more have a chance of level / 2."""
    if successes == 0:
        return 0.0
    return inverse(partial(_at_least, successes, trials), level / 2, 0.0, 1.0)


def _at_least(successes: int, trials: int, p: float) -> float:
    """Return the chance of so many successes or more, for a probability p between 0 and 1."""
    log_odds, log_none = math.log(p) - math.log1p(-p), trials * math.log1p(-p)
    log_all = math.lgamma(trials + 1)
    return math.fsum(
        math.exp(log_all - math.lgamma(count + 1) - math.lgamma(trials - count + 1) + count * log_odds + log_none)
        for count in range(successes, trials + 1)
    )
