"""Find where an increasing function reaches a value, such as a quantile of a distribution function."""

from collections.abc import Callable


def inverse(function: Callable[[float], float], value: float, low: float, high: float) -> float:
    """Return the least x between `low` and `high` with function(x) >= value, to the last bit, by bisection.

    The function must not decrease, and must reach the value by `high`; it is only called between the two.
    """
    while low < (middle := (low + high) / 2) < high:
        if function(middle) < value:
            low = middle
        else:
            high = middle
    return high
