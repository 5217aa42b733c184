"""Compute quantiles and p-values of the chi-square distribution, in plain Python: SciPy takes long to import.

The distribution function is a regularized incomplete gamma function,

    P(X <= x) = P(n/2, x/2) = (x/2)^a e^(-x/2) / Gamma(a + 1) (1 + y/(a + 1) + y^2/((a + 1)(a + 2)) + ...)

with n degrees of freedom, a = n/2 and y = x/2 (Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964,
26.4.19 with 6.5.29).
"""

import math
from functools import lru_cache
from typing import Final

from lossrun.analysis.distributions.inverse import inverse

_EPSILON: Final = 2.0**-53


@lru_cache(maxsize=256)
def chi_square_quantile(p: float, degrees: int) -> float:
    """Return the x for which P(X <= x) is p, for `degrees` degrees of freedom.

    Args:
        p: Above 0, and at most 1/2.
    """
    # The median is below the mean, which is `degrees`.
    return inverse(lambda x: _distribution(x, degrees), p, 0.0, float(degrees))


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


def chi_square_tail(x: float, degrees: int) -> float:
    """Return P(X >= x), for x of 0 or above.

    It follows from the probability for two degrees of freedom fewer, Q(a + 1, y) = Q(a, y) + y^a e^(-y) / Gamma(a + 1)
    with a = n/2 and y = x/2 (DLMF 8.8.6), down to one or two degrees, which have closed forms. All terms are positive,
    so no digits are lost where the probability is small.
    """
    y = x / 2
    if y == 0:
        return 1.0
    a, found = (1.0, math.exp(-y)) if degrees % 2 == 0 else (0.5, math.erfc(math.sqrt(y)))
    while a < degrees / 2:
        found += math.exp(a * math.log(y) - y - math.lgamma(a + 1))
        a += 1
    return min(1.0, found)
