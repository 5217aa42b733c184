"""Check the arguments of the functions against their annotations, before anything is done."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from os import PathLike
from types import NoneType, UnionType
from typing import Any, Final, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from lossrun.api.given import ConfigLike, Overrides, RunLike, SweepLike
from lossrun.config.keys import KEYS
from lossrun.errors import UsageError

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")

# What messages call a type.
_CALLED: Final[Mapping[Any, str]] = {
    ConfigLike: "the path or the name of a config, or a mapping",
    RunLike: "a run, its path or its name",
    SweepLike: "a sweep, its path or its name",
    Overrides: "a text such as 'KEY=VALUE', a list of such texts, or a mapping from keys to values",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "True or False",
    NoneType: "None",
    PathLike: "a path",
    Sequence: "a list of strings",
}
_KEYS: Final = frozenset(name for key in KEYS for name in (key.name, *key.aliases))
_LONGEST: Final = 100  # characters of a value in a message


def checked(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """Return a function that raises UsageError for an argument that does not fit its annotation.

    An annotation in quotes, whose module imports torch, and `Any` are for the function itself to check.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
        for name in kwargs:
            if name in _KEYS and name not in signature.parameters and "overrides" in signature.parameters:
                raise TypeError(
                    f"{function.__name__}() takes no {name}; to change this key of the config, write "
                    f"overrides={{{name!r}: ...}}"
                )
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)  # Python's own message names the function
        for name, value in bound.arguments.items():
            parameter = signature.parameters[name]
            for one in value if parameter.kind is inspect.Parameter.VAR_POSITIONAL else (value,):
                _check(name, one, parameter.annotation)
        return function(*args, **kwargs)

    return call


def _check(name: str, value: Any, expected: Any) -> None:
    if isinstance(expected, str) or expected is inspect.Parameter.empty or _fits(value, expected):
        return
    text = repr(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    several = expected == RunLike and isinstance(value, list | tuple)
    hint = "; pass several runs one by one, as in compare(*runs)" if several else ""
    raise UsageError(f"{name}={text}: expected {_words(expected)}{hint}")


def _fits(value: Any, expected: Any) -> bool:
    """Return whether a value has a type. Integers are numbers, as NumPy's are, but True and False are not."""
    origin = get_origin(expected)
    if expected is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(expected))
    if origin is Literal:
        return any(isinstance(value, type(one)) and value == one for one in get_args(expected))
    if origin is Sequence:
        (item,) = get_args(expected)
        return isinstance(value, Sequence) and not isinstance(value, str | bytes) and all(_fits(v, item) for v in value)
    if expected in (int, float):
        return isinstance(value, Integral if expected is int else Real) and not isinstance(value, bool)
    return isinstance(value, origin or expected)


def _words(expected: Any) -> str:
    if expected in _CALLED:
        return _CALLED[expected]
    origin, parts = get_origin(expected), get_args(expected)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin in (Union, UnionType):
        paths = any(get_origin(part) is PathLike for part in parts)
        return " or ".join(_words(part) for part in parts if not (paths and part is str))
    return _CALLED[origin or expected]
