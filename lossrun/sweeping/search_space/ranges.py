"""Compute the values of a range: evenly spaced or drawn, all different, with few digits."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, TypeAlias

from lossrun.config.source import Path

Number: TypeAlias = int | float

LEAST_DIGITS: Final = 3
_MOST_DIGITS: Final = 17  # enough for any double
_OFF_GRID: Final = 0.1  # how far rounding may move an evenly spaced value, as a share of the gap between two values
_OFF_DRAW: Final = 0.001  # how far rounding may move a drawn value, as a share of the width of the range
_REDRAWS: Final = 1_000  # of one combination, as long as only known ones are drawn


@dataclass(frozen=True, slots=True)
class Span:
    """A key whose values are drawn between `low` and `high`.

    Attributes:
        log: Whether they are spread evenly on a logarithmic scale.
        whole: Whether they are integers.
        origin: The place of the range in the config.
    """

    key: str
    low: float
    high: float
    log: bool
    whole: bool = False
    origin: Path = ()

    @property
    def ends(self) -> tuple[Number, Number]:
        """The smallest and the largest value."""
        return (int(self.low), int(self.high)) if self.whole else (self.low, self.high)

    def different(self, count: int) -> int:
        """Return how many of `count` drawn values can be different."""
        return min(count, int(self.high) - int(self.low) + 1) if self.whole else count

    def draw(self, generator: random.Random) -> float:
        """Draw a value, with all of its digits."""
        if self.log:
            return math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        return generator.uniform(self.low, self.high)

    def settled(self, value: float, digits: int = LEAST_DIGITS) -> Number:
        """Round a drawn value to `digits` significant digits or more, within the range."""
        if self.whole:
            return int(min(max(round(value), self.low), self.high))
        width = value * log_ratio(self.low, self.high) if self.log else self.high - self.low
        return min(max(readable(value, _OFF_DRAW * width, digits), self.low), self.high)


def draws(spans: Sequence[Span], count: int, seed: int) -> Iterator[dict[str, Number]]:
    """Draw different combinations of values at random; fewer if there are not enough integers."""
    generator = random.Random(seed)
    seen: set[tuple[Number, ...]] = set()
    for _ in range(count):
        for _ in range(_REDRAWS):
            if (found := unseen(spans, [span.draw(generator) for span in spans], seen)) is not None:
                yield found
                break


def unseen(spans: Sequence[Span], values: Sequence[float], seen: set[tuple[Number, ...]]) -> dict[str, Number] | None:
    """Round drawn values to the fewest digits that make a new combination, and add it to `seen`; None if none does."""
    for digits in range(LEAST_DIGITS, _MOST_DIGITS + 1):
        found = tuple(span.settled(value, digits) for span, value in zip(spans, values, strict=True))
        if found not in seen:
            seen.add(found)
            return {span.key: value for span, value in zip(spans, found, strict=True)}
    return None


def spaced(low: float, high: float, points: int, *, log: bool, whole: bool) -> list[Number]:
    """Return evenly spaced values from `low` to `high`; fewer than `points` if there are not enough integers."""
    shares = [number / (points - 1) for number in range(points)]
    if log:
        exact = [math.exp(math.log(low) + log_ratio(low, high) * share) for share in shares]
    else:
        exact = [low + (high - low) * share for share in shares]
    if whole:
        return list(dict.fromkeys(int(min(max(round(value), low), high)) for value in exact))
    gaps = [after - before for before, after in pairwise(exact)]
    inside = zip(exact[1:-1], pairwise(gaps), strict=True)
    return [low, *(readable(value, _OFF_GRID * min(nearest)) for value, nearest in inside), high]


def beyond(edge: float, factor: float, step: float, *, up: bool, whole: bool) -> Number:
    """Return the value that follows the edge of a range: `factor` times it, or `step` further where the factor is 0."""
    value = edge * factor ** (1 if up else -1) if factor else edge + (step if up else -step)
    if whole:
        away = max(abs(round(value - edge)), 1)
        return int(edge) + away if up else int(edge) - away
    return readable(value, _OFF_GRID * abs(value - edge))


def log_ratio(low: float, high: float) -> float:
    """Return the natural logarithm of `high` / `low`, because the quotient itself may be too large."""
    return math.log(high) - math.log(low)


def readable(value: float, within: float, digits: int = LEAST_DIGITS) -> float:
    """Round to the fewest significant digits, but at least `digits`, that move the value by at most `within`."""
    for count in range(digits, _MOST_DIGITS):
        rounded = float(f"{value:.{count}g}")
        if abs(rounded - value) <= within:
            return rounded
    return value
