"""JSON that every reader accepts: non-finite numbers travel as the strings "nan", "inf" and "-inf"."""

import json
import math
from typing import Any, Final

NON_FINITE: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def dumps(value: Any, *, indent: int | None = None) -> str:
    """`value`, a tree of plain Python values, as strict JSON. Raises TypeError for anything else."""
    return json.dumps(_without_non_finite(value), allow_nan=False, ensure_ascii=False, indent=indent)


def loads(text: str | bytes) -> Any:
    """The tree that `dumps` wrote, non-finite numbers restored. Raises ValueError where the text is no strict JSON."""
    return restored(loads_plain(text))


def loads_plain(text: str | bytes) -> Any:
    """The same with non-finite numbers still strings, for callers who know that there are none."""
    return json.loads(text, parse_constant=_refuse)


def restored(value: Any) -> Any:
    """`value` with the three strings turned back into numbers, at any depth."""
    if isinstance(value, str):
        return NON_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restored(item) for item in value]
    return value


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_non_finite(item) for item in value]
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no strict JSON")
