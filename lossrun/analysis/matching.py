"""A word of the command line beside what a run has: equality as in a config, and one order for all values."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, TypeGuard

from lossrun.analysis.comparison.differences import component_text, yaml_text
from lossrun.catalog import COMPONENTS, find
from lossrun.errors import ConfigError, UsageError

_WORDS: Final[dict[str, Any]] = {"null": None, "~": None, "": None, "true": True, "false": False}


def matches(found: Any, wanted: str, key: str) -> bool:
    """Whether what a run has under `key` is what was written: a component by any spelling of its name, a text by a
    pattern, a tag by being among the others, all else by its value. Raises UsageError where `wanted` is no value."""
    if key == "tags":
        return wanted in (found or ())
    if isinstance(found, Mapping) and isinstance(found.get("name"), str):
        return _is_component(found["name"], wanted, key, found)
    if key.endswith(".name") and isinstance(found, str):
        return _is_component(found, wanted, key.removesuffix(".name"), {})
    if isinstance(found, str):
        return found == wanted or fnmatchcase(found, wanted)
    if isinstance(found, list | tuple) and any(isinstance(item, str) for item in found):
        return [str(item) for item in found] == _texts(wanted)
    return _same(found, literal(wanted))


def literal(written: str) -> Any:
    """The value that is written there, as in a config. Raises UsageError where a list or mapping is no YAML."""
    if written in _WORDS:
        return _WORDS[written]
    if (as_number := number(written)) is not None:
        return as_number
    if written[0] in "[{":
        from lossrun.config.reader import parse_value  # and with it all of config, which few listings want

        try:
            return parse_value(written, "--where")
        except ConfigError:
            raise UsageError(f"--where ...{written}: no list or mapping; expected for example [300, 100]") from None
    return written


def _texts(written: str) -> list[str] | None:
    """The list that is written there, its items as text: a column called 1 is no number."""
    if not written.startswith("["):
        return None
    from lossrun.config.reader import parse_value

    try:
        return parse_value(written, "--where", plain=str)  # type: ignore[no-any-return]
    except ConfigError:
        raise UsageError(f"--where ...{written}: no list; expected for example [area, rooms]") from None


def number(written: str) -> float | None:
    """The number that is written there, None where it is none."""
    try:
        return None if "_" in written else int(written) if written.lstrip("+-").isdecimal() else float(written)
    except ValueError:
        return None


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def rank(found: Any) -> tuple[int, float, str] | None:
    """What to sort by: numbers first, then words by the alphabet. None for what has no place in the order."""
    if found is None or (is_number(found) and math.isnan(found)):
        return None
    if is_number(found):
        return 0, found, ""
    return 1, 0.0, component_text("", found) if isinstance(found, Mapping) else yaml_text(found)


def _is_component(name: str, wanted: str, key: str, parameters: Mapping[str, Any]) -> bool:
    """Whether `wanted` is a spelling of the component. With a framework's prefix it carries that one's conventions."""
    if fnmatchcase(name, wanted):
        return True
    for kind in (key,) if key in COMPONENTS else COMPONENTS:
        meant = find(kind, wanted)
        if meant and meant.component.name == name:
            implied = meant.implies if "." in wanted else {}
            return all(_same(parameters.get(key, value), value) for key, value in implied.items())
    return False


def _same(found: Any, wanted: Any) -> bool:
    """Equal as a config has it: numbers as numbers, and never a truth value for one."""
    if isinstance(found, list | tuple) and isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if is_number(found) and isinstance(wanted, str):  # YAML 1.1 takes 1e-3 within a list for a word
        wanted = number(wanted)
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if is_number(found) and is_number(wanted) and math.isnan(found) and math.isnan(wanted):
        return True
    return bool(found == wanted)
