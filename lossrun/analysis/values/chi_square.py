"""Compute quantiles of the chi-square distribution, in plain Python, because SciPy takes long to import.

The distribution function is a regularized incomplete gamma function,

    P(X <= x) = P(n/2, x/2) = (x/2)^a e^(-x/2) / Gamma(a + 1) (1 + y/(a + 1) + y^2/((a + 1)(a + 2)) + ...)

with n degrees of freedom, a = n/2 and y = x/2 (Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964,
26.4.19 with 6.5.29).
"""

import math
from functools import lru_cache
from typing import Final

_EPSILON: Final = 2.0**-53


@lru_cache(maxsize=256)
def chi_square_quantile(p: float, degrees: int) -> float:
    """Return the x with P(X <= x) == p, for `degrees` degrees of freedom.

    Args:
        p: Above 0, and at most 1/2.
    """
    low, high = 0.0, float(degrees)  # the median is below the mean, which is `degrees`
    while low < (middle := (low + high) / 2) < high:
        if _distribution(middle, degrees) < p:
            low = middle
        else:
            high = middle
    return high


def _distribution(x: float, degrees: int) -> float:
    """Return P(X <= x), by its power series, which converges fast for x up to `degrees`."""
    a, y = degrees / 2, x / 2
    total = term = 1.0
    place = a
    while term > _EPSILON * total:
        place += 1
        term *= y / place
        total += term
    return math.exp(a * math.log(y) - y - math.lgamma(a + 1)) * total
