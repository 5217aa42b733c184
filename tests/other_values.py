"""Parameter values other than the declared ones, taken from the declaration: a new component is tried at once."""

from collections.abc import Iterator
from math import inf
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from lossrun.catalog.declaration import Component
from lossrun.catalog.parameter import REQUIRED, Parameter
from lossrun.config.leaves import check


def other_values(parameter: Parameter) -> Iterator[Any]:
    """Yield values that the declaration allows and that differ from its default, for plain numbers and words."""
    for value in _candidates(parameter.type, parameter.default):
        if value != parameter.default and not check(parameter, value)[2]:
            yield value


def variants(component: Component, *without: str) -> list[dict[str, Any]]:
    """Return settings in which each parameter but those named is changed once, alone, where a plain value can be."""
    return [
        {parameter.name: value}
        for parameter in component.parameters
        if isinstance(parameter, Parameter) and parameter.name not in without
        if (value := next(other_values(parameter), None)) is not None
    ]


def required(component: Component) -> dict[str, Any]:
    """Return a value for each parameter that has no default."""
    return {
        parameter.name: parameter.example
        for parameter in component.parameters
        if isinstance(parameter, Parameter) and parameter.default is REQUIRED
    }


def _candidates(annotation: Any, default: Any) -> Iterator[Any]:
    if get_origin(annotation) in (UnionType, Union):
        for option in get_args(annotation):
            yield from _candidates(option, default)
    elif get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif annotation is bool:
        yield from (True, False)
    elif annotation is int:
        yield from (2, 3, 1, 0)
    elif annotation is float:
        around = default if isinstance(default, float) and 0 < abs(default) < inf else 0.5
        yield from (around * 0.7, around * 1.5, 0.5, 1.5, -1.0)
    elif get_origin(annotation) is list and isinstance(default, list):
        for item, first in zip(default, [next(_candidates(type(item), item), None) for item in default], strict=True):
            yield [first if other is item else other for other in default]
