"""Write numbers for people: short, and of similar width. Numbers are rounded only here."""

import math
from typing import Final

from lossrun.analysis.values.readings import Spread

_LARGE: Final = 1e7  # larger numbers are easier to read as powers of ten
_MOST_DIGITS: Final = 8  # of a mean, so that columns stay narrow


def format_number(value: float, digits: int = 4) -> str:
    """Write a number with `digits` significant digits: 0.1234, 12.35, 1235, 1.234e-7, nan, inf, -inf."""
    if not math.isfinite(value):
        return str(float(value))
    if 10**digits - 0.5 <= abs(value) < _LARGE:
        return f"{value:.0f}"
    mantissa, e, exponent = f"{value:#.{digits}g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if e else mantissa.removesuffix(".")


def format_count(count: float) -> str:
    """Write an integer as it is, and a sum of weights rounded."""
    return str(count) if isinstance(count, int) else format_number(count)


def format_difference(value: float) -> str:
    """Write a number with its sign, plus included."""
    return f"+{format_number(value)}" if value > 0 else format_number(value)


def format_spread(spread: Spread | None, plus_minus: str, digits: int = 4) -> str:
    """Write mean and deviation over seeds; "-" for no value.

    Args:
        plus_minus: The plus-minus sign that the terminal can show.
        digits: The significant digits of the mean; more if the first digit of the deviation would be beyond them.
    """
    if spread is None:
        return "-"
    if spread.deviation is None:
        return format_number(spread.mean, digits)
    if 0 < spread.deviation < abs(spread.mean) < math.inf:
        places = math.floor(math.log10(abs(spread.mean))) - math.floor(math.log10(spread.deviation))
        digits = max(digits, min(places + 1, _MOST_DIGITS))
    mean = format_number(spread.mean, digits)
    deviation = format_number(spread.deviation, 2)
    if abs(spread.mean) >= _LARGE and 1 <= spread.deviation < _LARGE:
        # 3.000e7 +- 1.2e6, not 1200000.
        digit, _, exponent = f"{spread.deviation:.1e}".partition("e")
        deviation = f"{digit}e{int(exponent)}"
    return f"{mean} {plus_minus} {deviation}"


def format_clock(seconds: float) -> str:
    """Write a duration in at most six characters, for columns: 3.1ms, 0.42s, 12.3s, 3m05s, 2h07m, 3d04h."""
    text = format_seconds(seconds)
    return text.replace(" min ", "m").replace(" min", "m").replace(" ", "")


def format_size(size: int) -> str:
    """Write a number of bytes in its largest decimal unit: 512 B, 31.6 kB, 3.21 MB."""
    if size < 1000:
        return f"{size} B"
    value, units = size / 1000, ["kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    return f"{value:.3g} {units[0]}"


def format_seconds(seconds: float) -> str:
    """Write a duration: 3.1 ms, 42 ms, 0.42 s, 12.3 s, 3 min 05 s, 2 h 07 min, 3 d 04 h."""
    if seconds < 0.0995:
        return f"{seconds * 1e3:.1f} ms" if seconds < 0.00995 else f"{seconds * 1e3:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, part, part_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // part:02d} {part_name}"
    raise AssertionError("at least a minute")
