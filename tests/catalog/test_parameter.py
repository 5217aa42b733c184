from collections.abc import Iterator
from typing import Any, Literal

import pytest

from lossrun.catalog import COMPONENTS, find
from lossrun.catalog.declaration import Component
from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Nested, Parameter
from lossrun.config.keys import KEYS
from lossrun.config.leaves import check

EVERY = [component for members in COMPONENTS.values() for component in members]


def below(keys: tuple[Key, ...]) -> Iterator[Key]:
    for key in keys:
        yield key
        if isinstance(key, KeyGroup):
            yield from below(key.parameters)


KEY_IDS = [("config", key) for key in below(KEYS)] + [
    (f"{component.kind} {component.name}", key) for component in EVERY for key in below(component.parameters)
]


@pytest.mark.parametrize(("owner", "key"), KEY_IDS, ids=[f"{owner} {key.name}" for owner, key in KEY_IDS])
def test_every_default_is_valid_under_its_own_declaration(owner: str, key: Key) -> None:
    assert key.meaning, f"{owner}: {key.name} has no meaning"
    assert key.expected
    if key.default in (None, REQUIRED):
        return
    if isinstance(key, Parameter):
        value, at, problem = check(key, key.default)
        assert (value, at, problem) == (key.default, (), "")
        # A number is declared as what it is: `0` as the default of a float would be written into configs as 0.
        assert type(value) is type(key.default)
    elif isinstance(key, KeyGroup):
        names = {p.name for p in key.parameters}
        assert set(key.default) <= names
        assert key.short_for is None or key.short_for in names
    elif isinstance(key, Nested) and not key.many:
        assert find(key.kind, key.default if isinstance(key.default, str) else key.default["name"])
    else:
        assert key.default in key.presets


def test_required_is_told_from_none() -> None:
    assert repr(REQUIRED) == "required"


@pytest.mark.parametrize(
    ("annotation", "bounds", "expected"),
    [
        (int, {"at_least": 1}, "an integer of at least 1"),
        (float, {"above": 0, "at_most": 1}, "a number above 0 and at most 1"),
        (float, {"below": 1}, "a number below 1"),
        (bool, {}, "true or false"),
        (str | None, {}, "a string"),
        (list[int], {"at_least": 1}, "a list, each an integer of at least 1"),
        (int | Literal["full"], {"at_least": 1}, "an integer of at least 1, or full"),
        (Literal["a", "b"], {}, "one of a, b"),
        (str, {"form": "a length"}, "a length"),
    ],
)
def test_what_a_right_value_looks_like(annotation: Any, bounds: dict[str, Any], expected: str) -> None:
    assert Parameter("p", annotation, None, "it", **bounds).expected == expected


@pytest.mark.parametrize("component", EVERY, ids=lambda component: f"{component.kind} {component.name}")
def test_examples_are_values_and_stand_in_for_every_missing_default(component: Component) -> None:
    for parameter in component.parameters:
        if isinstance(parameter, Parameter):
            assert parameter.default is not REQUIRED or parameter.example is not None, parameter.name
            assert parameter.example is None or not check(parameter, parameter.example)[2], parameter.name
