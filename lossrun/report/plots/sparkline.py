"""A curve in a word: a character for each stretch of it, the higher the greater."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, log10
from typing import Final

WIDTH: Final = 32  # characters

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_ASCII: Final = "_.-~=+*#"
_GAP: Final = {True: "·", False: "!"}  # no blank: it would end a line, or look like a low value


def sparkline(values: Sequence[float], width: int = WIDTH, *, unicode: bool = True, log: bool = False) -> str:
    """The values in at most `width` characters, from lowest to greatest: ▇▅▃▂▂▁, in ASCII #+=-._.

    Where there are more values than characters, each is the mean of its stretch. A stretch with a value that is not
    finite, or with `log` not above 0, shows as a dot, in ASCII as an exclamation mark. Values that are all alike lie in
    the middle.
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
