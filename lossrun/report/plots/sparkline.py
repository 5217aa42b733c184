"""Draw a curve in one word, with a character for each part of it."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, log10
from typing import Final

WIDTH: Final = 32  # characters

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_ASCII: Final = "_.-~=+*#"
_GAP: Final = {True: "·", False: "!"}  # not a blank, which would look like a low value


def sparkline(values: Sequence[float], width: int = WIDTH, *, unicode: bool = True, log: bool = False) -> str:
    """Draw values with at most `width` characters, from lowest to highest: ▇▅▃▂▂▁, in ASCII #+=-._.

    If there are more values than characters, each character is the mean of its part. A part with NaN or infinity, or
    with `log` a value of 0 or below, is a dot, in ASCII an exclamation mark. Equal values are drawn in the middle.
    """
    shown = [log10(value) if log and value > 0 else value for value in values]
    if log:
        shown = [level if value > 0 else float("nan") for level, value in zip(shown, values, strict=True)]
    count = min(width, len(shown))
    bounds = [len(shown) * number // count for number in range(count + 1)] if count else []
    means = [sum(shown[start:stop]) / (stop - start) for start, stop in pairwise(bounds)]
    finite = [mean for mean in means if isfinite(mean)]
    levels = _BLOCKS if unicode else _ASCII
    if not finite:
        return _GAP[unicode] * len(means)
    low, high = min(finite), max(finite)

    def level(mean: float) -> int:
        # Halves first: the difference of two huge numbers may be infinite.
        share = (mean / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5
        return min(int(share * len(levels)), len(levels) - 1)

    return "".join(levels[level(mean)] if isfinite(mean) else _GAP[unicode] for mean in means)
