"""Write and read JSON that every reader accepts: NaN and infinity are the strings "nan", "inf", and "-inf"."""

import json
import math
import re
from contextlib import suppress
from types import NoneType
from typing import Any, Final

NON_FINITE: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

# The values of these keys are text or a config, neither of which contains NaN. A run, column or label may be called
# "nan".
_TEXTS: Final = {
    *("name", "tags", "config", "changes", "chosen", "pair", "environment", "classes", "diagnosis", "named", "reason"),
    *("command", "host"),
}

_WRITER: Final = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
_TOO_DEEP: Final = "lists and mappings are nested too deeply"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_AS_THEY_ARE: Final = {float, int, bool, NoneType}
# The standard library reads this many characters in the time it takes to import pydantic's reader. That one is several
# times faster for numbers of 17 digits, with the same results bit for bit.
_WORTH_IMPORTING: Final = 2**20
_read = 0  # by this process so far
# Values in a text that is parsed at once; each takes up to 60 bytes of memory. The largest that lossrun writes is the
# preparation of a table, with some five values for each column.
MOST_VALUES: Final = 2**21


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Write a tree of plain Python values as strict JSON.

    Raises:
        TypeError: For other values.
    """
    if indent is None:
        with suppress(ValueError):  # raised for NaN and infinity, which need a copy
            return _encodable(_WRITER.encode(value))
    return _encodable(json.dumps(_without_non_finite(value), allow_nan=False, ensure_ascii=False, indent=indent))


def loads(text: str | bytes) -> Any:
    """Read what `dumps` wrote, with NaN and infinity as numbers, except under keys whose values are text.

    Raises:
        ValueError: If the text is not strict JSON.
    """
    return restored(loads_plain(text))


def loads_plain(text: str | bytes) -> Any:
    """Read what `dumps` wrote, with NaN and infinity still as strings, for callers whose data contain neither.

    Raises:
        ValueError: If the text is not strict JSON, or has more than MOST_VALUES values.
    """
    global _read
    if len(text) > MOST_VALUES and values_in(text) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES} values")
    _read += len(text)
    if _read > _WORTH_IMPORTING:
        from pydantic_core import from_json

        # It also refuses valid JSON (a lone surrogate, great depth), and the standard library names the place.
        with suppress(ValueError):
            return from_json(text, allow_inf_nan=False, cache_strings="keys")
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def values_in(text: str | bytes) -> int:
    """Return the most values that a JSON text can hold: a small text could otherwise fill the memory."""
    signs: tuple[Any, ...] = (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{")
    return sum(map(text.count, signs))


def restored(value: Any) -> Any:
    """Return `value` with the three strings turned back into numbers, where numbers can stand.

    Raises:
        ValueError: If it is nested more deeply than anything that lossrun writes.
    """
    try:
        return _restored(value)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def _restored(value: Any) -> Any:
    if isinstance(value, str):
        return NON_FINITE.get(value, value)
    if isinstance(value, dict):
        return {
            key: item if key in _TEXTS or type(item) in _AS_THEY_ARE else _restored(item) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_restored(item) for item in value]
    return value


def _encodable(text: str) -> str:
    """Escape the halves of surrogate pairs, which stand for bytes in file names that are not text."""
    return text if text.isascii() else _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_non_finite(item) for item in value]
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not strict JSON")
