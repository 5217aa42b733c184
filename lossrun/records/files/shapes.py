"""Declare what a file that is read back must hold, and name the first key that does not fit.

A shape takes a value and its key, and returns the problem, or "" if the value fits. Keys that a shape does not name are
allowed, because a newer version of the same format may write more.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from lossrun.records.files import strict_json

Shape: TypeAlias = Callable[[Any, str], str]

LARGEST: Final = 2**63 - 1
_SHOWN: Final = 40  # characters of a value in a message
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?\+00:00")


def whole(at_least: int = 0, at_most: int = LARGEST) -> Shape:
    """Accept an integer in a range."""
    bounds = f"an integer of at least {at_least}" if at_most == LARGEST else f"an integer from {at_least} to {at_most}"

    def problem(value: Any, key: str) -> str:
        fits = type(value) is int and at_least <= value <= at_most
        return "" if fits else _not(value, key, bounds)

    return problem


def number(*, at_least: float | None = None) -> Shape:
    """Accept a real number, NaN and infinity included unless there is a bound.

    An integer beyond 64 bits is refused: nobody writes one, and it may be too large for a float.
    """

    def problem(value: Any, key: str) -> str:
        fits = (type(value) is float or (type(value) is int and abs(value) <= LARGEST)) and (
            at_least is None or at_least <= value < inf
        )
        return "" if fits else _not(value, key, "a number" if at_least is None else f"a number from {at_least:g} on")

    if at_least is None:
        _FITTING[problem] = frozenset({float})
    return problem


def text(value: Any, key: str) -> str:
    """Accept a string."""
    return "" if isinstance(value, str) else _not(value, key, "text")


def pattern(expression: str, expected: str) -> Shape:
    """Accept a string that matches a regular expression; `expected` is what it stands for, in words."""
    compiled = re.compile(expression)

    def problem(value: Any, key: str) -> str:
        fits = isinstance(value, str) and compiled.fullmatch(value)
        return "" if fits else _not(value, key, expected)

    return problem


numeral: Final = pattern("0|[1-9][0-9]{0,18}", "a seed")  # a seed as a key


def moment(value: Any, key: str) -> str:
    """Accept a time as it is written: ISO 8601 in UTC, of the years with four digits that every calendar can show."""
    fits = isinstance(value, str) and _MOMENT.fullmatch(value)
    try:
        if fits and 1970 <= datetime.fromisoformat(value).year < 9000:
            return ""
    except ValueError:
        pass
    return _not(value, key, "a time such as 2026-12-01T09:17:38+00:00")


def anything(value: Any, key: str) -> str:  # noqa: ARG001  # a shape takes both
    """Accept any value."""
    return ""


def truth(value: Any, key: str) -> str:
    """Accept true or false."""
    return "" if isinstance(value, bool) else _not(value, key, "true or false")


def mapping(value: Any, key: str) -> str:
    """Accept a mapping with any content."""
    return "" if isinstance(value, dict) else _not(value, key, "a mapping")


_OF_ONE_TYPE: Final[Mapping[Shape, frozenset[type]]] = {
    text: frozenset({str}),
    truth: frozenset({bool}),
    mapping: frozenset({dict}),
}
# {shape: types whose every value fits}, for as long as the shape is in use. It spares most calls of shapes in a listing
# of thousands of runs.
_FITTING: Final = WeakKeyDictionary(_OF_ONE_TYPE)


def one_of(*values: Any) -> Shape:
    """Accept one of a few values."""
    return lambda value, key: "" if value in values else _not(value, key, " or ".join(map(str, values)))


def or_none(shape: Shape) -> Shape:
    """Accept what the shape accepts, or null."""

    def problem(value: Any, key: str) -> str:
        return "" if value is None else shape(value, key)

    _FITTING[problem] = _fitting(shape) | {type(None)}
    return problem


def list_of(shape: Shape, *, length: int | None = None, at_least: int = 0) -> Shape:
    """Accept a list whose items all have one shape."""

    def problem(value: Any, key: str) -> str:
        if not isinstance(value, list):
            return _not(value, key, "a list")
        if length not in (None, len(value)) or len(value) < at_least:
            wanted = f"{length}" if length is not None else f"at least {at_least}"
            return f"{key} has {len(value)} items; expected {wanted}"
        found = (shape(item, f"{key}[{place}]") for place, item in enumerate(value))
        return next(filter(None, found), "")

    return problem


def each(shape: Shape, names: Shape = text) -> Shape:
    """Accept a mapping whose values all have one shape; `names` is the shape of its keys."""

    fitting, fitting_names = _fitting(shape), _fitting(names)

    def problem(value: Any, key: str) -> str:
        if not isinstance(value, dict):
            return _not(value, key, "a mapping")
        for name, item in value.items():
            # A key is put into words only where something is wrong.
            if (type(name) not in fitting_names and names(name, "")) or (type(item) not in fitting and shape(item, "")):
                return names(name, f"a key of {key}") or shape(item, f"{key}.{name}")
        return ""

    return problem


def record(required: Mapping[str, Shape], optional: Mapping[str, Shape] | None = None) -> Shape:
    """Accept a mapping with these keys; what is optional may be missing, and must fit if it is there."""
    every = {name: (_fitting(shape), shape) for name, shape in {**required, **(optional or {})}.items()}

    def problem(value: Any, key: str) -> str:
        if not isinstance(value, dict):
            return _not(value, key, "a mapping")
        prefix = f"{key}." if key else ""
        for name in required:
            if name not in value:
                return f"{prefix}{name} is missing"
        for name, (fitting, shape) in every.items():
            if name in value and type(item := value[name]) not in fitting and shape(item, ""):
                return shape(item, f"{prefix}{name}")
        return ""

    return problem


def _fitting(shape: Shape) -> frozenset[type]:
    return _FITTING.get(shape, frozenset())


def _not(value: Any, key: str, expected: str) -> str:
    try:
        shown = strict_json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        shown = type(value).__name__
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    return f"{key or 'it'} is {shown}; expected {expected}"
