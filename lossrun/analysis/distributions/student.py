"""Compute p-values and critical values of Student's t distribution, in plain Python.

The probability of both tails is a regularized incomplete beta function,

    P(|T| >= t) = I_x(n/2, 1/2),  x = n / (n + t^2),  n degrees of freedom

(Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 26.7.1 with 26.5.27), computed from a continued
fraction. Relative errors stay below 1e-12. SciPy has these functions too, but importing it takes longer than a whole
comparison.
"""

import math
from functools import lru_cache
from itertools import count
from typing import Final

_TINY: Final = 1e-300  # replaces 0 in a denominator
_EPSILON: Final = 2.0**-52
_LARGE: Final = 150  # math.gamma overflows at 171.6


def two_sided_p(t: float, degrees: float) -> float:
    """Return the probability that |T| is at least |t|, for `degrees` degrees of freedom (at least 1)."""
    return math.exp(_log_tails(abs(t), degrees)[0])


@lru_cache(maxsize=4096)  # a comparison needs many of the same values
def critical_t(p: float, degrees: float) -> float:
    """Return the t from 0 on for which `two_sided_p(t, degrees)` is p.

    Half of p is in each tail: a 95 % interval needs p = 0.05, and so does a one-sided test at 2.5 %.

    Args:
        p: From 1e-300 to 1.
        degrees: The degrees of freedom, at least 1.
    """
    if p == 1:
        return 0.0
    # The density of log |T| is log-concave, and so are its tails. With logarithms on both axes, Newton's method
    # therefore moves from any point above the solution down to it and never past it. Tails get thinner with more
    # degrees of freedom, so the solution for one degree, which has a closed form, is above all others.
    t, target = 1 / math.tan(math.pi * p / 2), math.log(p)
    while True:
        log_p, slope = _log_tails(t, degrees)
        step = (target - log_p) / slope
        if step <= _EPSILON:  # at the end, rounding makes it negative
            return t
        t *= math.exp(-step)


def _log_tails(t: float, degrees: float) -> tuple[float, float]:
    """Return the logarithm of P(|T| >= t), and how fast it falls with log t."""
    half, ratio = degrees / 2, t / math.sqrt(degrees)
    if ratio == 0:
        return 0.0, 0.0
    # log(1 + ratio^2), also if the square overflows.
    log_sum = math.log1p(ratio * ratio) if ratio < 1e100 else 2 * math.log(ratio)
    x, y = math.exp(-log_sum), -math.expm1(-log_sum)
    # x^a y^b / B(a, b) for a = degrees / 2 and b = 1/2, or the other way round; also t times the density at t.
    log_front = math.log(ratio * _gamma_ratio(half) / math.sqrt(math.pi)) - (half + 0.5) * log_sum
    # Each fraction converges fast on its side of x = (a + 1) / (a + b + 2), see DLMF 8.17(v).
    if x < (half + 1) / (half + 2.5):
        fraction = _beta_fraction(half, 0.5, x, y)
        return log_front + math.log(fraction), 2 / fraction
    front = math.exp(log_front)
    inside = front * _beta_fraction(0.5, half, y, x)
    return math.log1p(-inside), 2 * front / (1 - inside)


def _gamma_ratio(a: float) -> float:
    """Return Gamma(a + 1/2) / Gamma(a); for large a by DLMF 5.11.14, in even powers of 1 / (a - 1/4)."""
    if a < _LARGE:
        return math.gamma(a + 0.5) / math.gamma(a)
    w = a - 0.25
    return math.sqrt(w) * (1 + (1 / 64 - 19 / (8192 * w * w)) / (w * w))


def _beta_fraction(a: float, b: float, x: float, y: float) -> float:
    """Return I_x(a, b) B(a, b) / (x^a y^b) with y = 1 - x, by a continued fraction and Lentz's method.

    It is the even part of the fraction in DLMF 8.17.22, but keeps the digits of a small y.

    Source: DiDonato and Morris, "Algorithm 708: Significant digit computation of the incomplete beta function ratios",
    1992.
    """
    rest = a - (a + b) * x if a < b else (a + b) * y - b  # the same up to rounding
    c = fraction = a * (rest + 1) / (a + 1) or _TINY
    d = 0.0
    for m in count(1):
        above = (a + m - 1) * (a + b + m - 1) * m * (b - m) * (x / (a + 2 * m - 1)) ** 2
        below = m + m * (b - m) * x / (a + 2 * m - 1) + (a + m) * (rest + 1 + m * (1 + y)) / (a + 2 * m + 1)
        c = below + above / c or _TINY
        d = 1 / (below + above * d or _TINY)
        fraction *= c * d
        if abs(c * d - 1) <= _EPSILON:
            break
    return 1 / fraction
