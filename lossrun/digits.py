"""Write numbers that a sentence sets against each other with enough digits to tell them apart."""

import math
from typing import Final

# With this many significant digits, no two different floats are written alike.
ENOUGH: Final = 17


def apart(*values: float, digits: int = 6) -> tuple[str, ...]:
    """Write numbers with as few significant digits as tell all different ones apart.

    Args:
        digits: The least number of significant digits.
    """
    different = len({repr(float(value)) for value in values})
    for count in range(digits, ENOUGH + 1):
        texts = tuple(f"{value:.{count}g}" for value in values)
        if len(set(texts)) >= different:
            break
    if count == digits:
        return texts
    # 1000000000 to 1000000064 instead of 1e+09 to 1.000000064e+09.
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    count = max(count, min(math.floor(math.log10(largest)) + 1, ENOUGH)) if largest else count
    return tuple(f"{value:.{count}g}" for value in values)


def reach(low: float, high: float, digits: int = 6) -> str:
    """Write a range: "1000000000 to 1000000001"."""
    return " to ".join(apart(low, high, digits=digits))
