"""Compute the axes of the page's figures: places in the drawing and ticks."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lossrun.report.layout.numbers import format_number

_STEPS: Final = (1, 2, 5, 10)
_ROOM: Final = 0.04  # margin beyond the outermost values, as a share of their range


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: values from `low` to `high` are drawn between the places `start` and `end`.

    Attributes:
        log: Whether the axis is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return the place of a value; outside the ends for a value outside the range."""
        low, high, at = (
            (math.log10(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def inside(self, value: float) -> float:
        """Return the place of a value, or the nearer end for a value outside the range or without a place."""
        if self.log and value <= 0:
            return self.start
        low, high = sorted((self.start, self.end))
        return min(max(self.place(value), low), high)

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Return round values within the axis, with their texts."""
        values = _log_ticks(self.low, self.high, most) if self.log else _ticks(self.low, self.high, most)
        return [(value, tick_text(value)) for value in values]


def opened(values: Iterable[float], *, log: bool = False) -> tuple[float, float] | None:
    """Return a range around the finite values (log: those above 0) with some margin; None without values."""
    shown = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not shown:
        return None
    low, high = min(shown), max(shown)
    if log:
        # Logarithms, because the quotient of two large numbers may overflow.
        room = 10 ** (_ROOM * (math.log10(high) - math.log10(low))) if high > low * 1.000001 else 2.0
        return max(low / room, math.ulp(0.0)), min(high * room, 1e308)
    room = (high - low) * _ROOM or abs(low) * 0.1 or 1.0
    return low - room, high + room


def tick_text(value: float) -> str:
    """Write a value without needless digits: 0.5, 20, 1e-5."""
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e5:
        return f"{value:.10g}"
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else format_number(value)


def _ticks(low: float, high: float, most: int) -> list[float]:
    rough = (high - low) / most
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(step * magnitude for step in _STEPS if step * magnitude >= rough * 0.999)
    # Rounded, because 3 * 0.1 is 0.30000000000000004.
    places = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, places) for number in range(first, last + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1, 2, 5), (1, 3), (1,)):
        values = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
        values = [float(f"{value:.1e}") for value in values if low <= value <= high]
        if len(values) <= most:
            return values if len(values) > 1 else _ticks(low, high, most)
    every = -(-len(values) // most)
    return values[::every]
