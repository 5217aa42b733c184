"""Validate single values: strictly, by pydantic, from a parameter's declaration.

pydantic is imported with the first value, because it takes longer than everything that `explain` and `list` do without
it.
"""

import re
from collections.abc import Mapping
from functools import cache
from math import isfinite
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from lossrun.catalog.parameter import Parameter
from lossrun.config.source import Path
from lossrun.nearby import joined, nearest

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError


def check(parameter: Parameter, value: Any) -> tuple[Any, Path, str]:
    """Validate a value; an integer given for a float becomes a float, unless that would round it.

    Returns:
        The value, or None if it is wrong; the path within the value to the wrong part; and the message, "" if it is
            right.
    """
    from pydantic import ValidationError

    if isinstance(value, str):
        value = parameter.spellings.get(value, value)
    try:
        return _unrounded(value, adapter(parameter).validate_python(value)), (), ""
    except ValidationError as error:
        at, wrong = _innermost(error, value)
        if not at and (reason := _why_not(parameter, str(wrong).lower())):
            return None, at, f"{shown(wrong)} is not allowed: {reason}"
        verdict = _verdict(parameter, wrong)
        ways = (_as_an_integer, _as_a_truth_value, _as_a_number, _completed)
        hints = [way(parameter, wrong) for way in ways]
        hint = next(filter(None, hints), "") or _in_a_list(parameter, value)
        expected = parameter.expected_item if at else parameter.expected
        return None, at, joined(f"{shown(wrong)} {verdict}", f"expected {expected}{hint}")


def _why_not(parameter: Parameter, word: str) -> str:
    """Return why a word that people may expect is not allowed; a framework writes it as nn.ReLU6 or keras.relu6."""
    as_elsewhere = {refused.replace("_", ""): reason for refused, reason in parameter.refused.items()}
    return parameter.refused.get(word) or as_elsewhere.get(word.rpartition(".")[2].replace("_", ""), "")


def _unrounded(given: Any, validated: Any) -> Any:
    """Put back the integers that became other numbers as floats, because those who use them have to know."""
    if isinstance(given, list) and isinstance(validated, list):
        return [_unrounded(*pair) for pair in zip(given, validated, strict=True)]
    return given if type(given) is int and type(validated) is float and given != validated else validated


def _as_a_truth_value(parameter: Parameter, value: Any) -> str:
    """Return how to write a word that means true or false elsewhere, in YAML 1.1 for one."""
    meant = _TRUTHS.get(str(value).lower())
    return "" if meant is None or not _takes(parameter, meant) else f"; write {shown(meant)}"


def _as_a_number(parameter: Parameter, value: Any) -> str:
    """Say how to write a number that is text in YAML: 0,001 has a comma, 20% a sign, and "0.1" quotes."""
    if not isinstance(value, str) or not (found := _NUMBER.fullmatch(value.strip())):
        return ""
    number = float(found["number"].replace(",", ".")) / (100 if found["per_cent"] else 1)
    right = [one for one in (int(number) if number.is_integer() else None, number) if one is not None]
    return next((f"; write {one:.12g}" for one in right if _takes(parameter, one)), "")


def _completed(parameter: Parameter, value: Any) -> str:
    """Return how to write a text that lacks its ending, as 200 does where steps or epochs are meant, or a blank."""
    text = re.sub(r"(?<=[0-9])\s*(?=[a-z])", " ", str(value).strip().lower())
    right = [one for one in (text, *(f"{text}{ending}" for ending in parameter.endings)) if _takes(parameter, one)]
    return f"; write {' or '.join(right)}" if parameter.endings and right else ""


def _takes(parameter: Parameter, value: Any) -> bool:
    try:
        adapter(parameter).validate_python(value)
    except ValueError:  # pydantic's ValidationError is one
        return False
    return True


def _in_a_list(parameter: Parameter, value: Any) -> str:
    """Say how to write a list without brackets, such as 64,64 or (64, 64), or what would be right as the only item.

    Only text and integers are tried as the only item, because lists of other values may need a certain length.
    """
    if not parameter.takes_lists or not isinstance(value, str | int):
        return ""
    items = _unbracketed(str(value))
    if any(read and _takes(parameter, read) for read in (items, _numbers(items))):
        return f"; write it as [{', '.join(items)}]"
    return f"; write it as [{shown(value)}]" if _takes(parameter, [value]) else ""


def _unbracketed(text: str) -> list[str]:
    """Return the items of a list that is written without brackets, or in round ones; blanks only part numbers."""
    inner = text.strip().removeprefix("(").removesuffix(")")
    items = [item for part in re.split("[,;]", inner) if (item := part.strip())]
    if len(items) == 1 and _numbers(words := items[0].split()):
        items = words
    return items if len(items) > 1 or inner != text.strip() else []


def _numbers(items: list[str]) -> list[int | float]:
    """Return the items as numbers; an empty list if one is none."""
    try:
        return [float(item) if re.search("[.e]", item) else int(item) for item in items]
    except ValueError:
        return []


def _as_an_integer(parameter: Parameter, value: Any) -> str:
    """Say how to write a float that would be right as an integer: 1e3 and 1000.0 are floats in YAML."""
    if not isinstance(value, float) or not value.is_integer() or abs(value) >= LARGEST:
        return ""
    whole = int(value)
    return f"; write {whole}" if _takes(parameter, whole) or _takes(parameter, [whole]) else ""


def _innermost(error: "ValidationError", value: Any) -> tuple[Path, Any]:
    """Return the first wrong item of a list or mapping, or else the whole value.

    For a union, the branch that matched furthest was probably meant.
    """
    return max((_followed(e["loc"], value) for e in error.errors()), key=lambda found: len(found[0]))


def _followed(location: Path, value: Any) -> tuple[Path, Any]:
    """Follow pydantic's location, which also names the branches of unions, to the place in `value`."""
    at: Path = ()
    for part in location:
        is_place = 0 <= part < len(value) if isinstance(value, list) and isinstance(part, int) else _is_key(part, value)
        if is_place:
            at, value = (*at, part), value[part]
    return at, value


def _is_key(part: str | int, value: Any) -> bool:
    return isinstance(value, Mapping) and part in value


def _as_word(key: Any) -> Any:
    """Read a key such as 1 as a word, although YAML reads it as a number."""
    return str(key) if isinstance(key, (int, float)) and not isinstance(key, bool) else key


@cache
def adapter(parameter: Parameter) -> "TypeAdapter[Any]":
    """Return pydantic's validator: strict, so no bool for a number, no number for a string, no NaN, no infinity."""
    from pydantic import TypeAdapter

    return TypeAdapter(_bounded(parameter.type, parameter))


def _bounded(annotation: Any, p: Parameter) -> Any:
    """Move the bounds of `p` into every number of the annotation, and its pattern into every string."""
    from pydantic import AllowInfNan, BeforeValidator, Field

    origin = get_origin(annotation)
    if annotation in (int, float):
        bounds = Field(strict=True, gt=p.above, ge=p.at_least, lt=p.below, le=p.at_most)
        return Annotated[annotation, bounds, AllowInfNan(False)] if annotation is float else Annotated[int, bounds]
    if annotation is bool:
        return Annotated[bool, Field(strict=True)]
    if annotation is str:
        return Annotated[str, Field(strict=True, pattern=f"^({p.pattern})$" if p.pattern else None)]
    if origin is list:
        return list[_bounded(get_args(annotation)[0], p)]  # type: ignore[misc]
    if origin is dict:
        _, item = get_args(annotation)
        word = Annotated[str, Field(strict=True), BeforeValidator(_as_word)]
        return dict[word, _bounded(item, p)]  # type: ignore[misc]
    if origin in (UnionType, Union):
        return Union[tuple(_bounded(option, p) for option in get_args(annotation))]  # noqa: UP007
    return annotation


def shown(value: Any) -> str:
    """Write a value as in YAML, cut to a line, for a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_NUMBER: Final = re.compile(r"(?P<number>[+-]?[0-9]*[.,]?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(?P<per_cent>%?)")
# The YAML reader turns larger integers into floats.
LARGEST: Final = 10**20
_TRUTHS: Final = {
    **dict.fromkeys(("yes", "y", "on", "true", "1"), True),
    **dict.fromkeys(("no", "n", "off", "false", "0"), False),
}
# Words of other programs and the words here.
_ELSEWHERE: Final = {
    "gpu": "cuda",
    **dict.fromkeys(("single", "full"), "float32"),
    "all": "full",
    "maximize": "max",
    "minimize": "min",
    "classification": "multiclass",
    "categorical": "multiclass",
    "binary_classification": "binary",
}


def _verdict(parameter: Parameter, value: Any) -> str:
    """Say what is wrong with a value: its type if that may be surprising, or that it is out of bounds."""
    known = words(parameter.type)
    if isinstance(value, str) and known:
        meant = _ELSEWHERE.get(value.lower())
        near = meant if meant in known else nearest(value, known)
        return "is not known" + (f"; did you mean {near}?" if near else "")
    if isinstance(value, bool):
        return "is a boolean"
    if isinstance(value, str) and parameter.pattern:
        return "is not allowed"
    if isinstance(value, int | float) and parameter.pattern and not _takes_integers(parameter.type):
        return "is a number"
    if isinstance(value, float) and not isfinite(value):
        return "is not a finite number"
    if isinstance(value, int | float) and abs(value) >= LARGEST and _takes_integers(parameter.type):
        return "is too large" if value > 0 else "is not allowed"
    kinds = {dict: "is a mapping", list: "is a list", str: "is a string", type(None): "is empty"}
    return kinds.get(type(value), "is not allowed")


def _takes_integers(annotation: Any) -> bool:
    """Return whether numbers in the annotation are integers, in lists too."""
    options = get_args(annotation)
    if get_origin(annotation) is Literal:
        return False
    return annotation is int or (any(map(_takes_integers, options)) and float not in options)


def words(annotation: Any) -> list[str]:
    """Return the words that may be the whole value."""
    if get_origin(annotation) in (list, dict):
        return []
    if get_origin(annotation) is Literal:
        return [word for word in get_args(annotation) if isinstance(word, str)]
    return [word for option in get_args(annotation) for word in words(option)]
