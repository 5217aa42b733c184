"""Match words of the command line with the values of runs, and sort values of any type."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final, TypeGuard

from lossrun.analysis.comparison.differences import component_text, yaml_text
from lossrun.catalog import COMPONENTS, find
from lossrun.errors import ConfigError, UsageError

_WORDS: Final[dict[str, Any]] = {"null": None, "~": None, "": None, "true": True, "false": False}


def matches(found: Any, wanted: str, key: str) -> bool:
    """Return whether the value of a run under `key` is the value that was written.

    Components match by any spelling of their name, text by a pattern, tags by containing the tag, and everything else
    by value.

    Raises:
        UsageError: If `wanted` is not a valid value.
    """
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
    """Read a value as in a config.

    Raises:
        UsageError: For a list or mapping that is not valid YAML.
    """
    if written in _WORDS:
        return _WORDS[written]
    if (as_number := number(written)) is not None:
        return as_number
    if written[0] in "[{":
        from lossrun.config.reader import parse_value  # slow to import, and few listings need it

        try:
            return parse_value(written, "--where")
        except ConfigError:
            raise UsageError(
                f"--where ...{written}: not a list or mapping; expected, for example, [300, 100]"
            ) from None
    return written


def _texts(written: str) -> list[str] | None:
    """Read a list with its items as text, because a column named 1 is not a number; None if it is not a list."""
    if not written.startswith("["):
        return None
    from lossrun.config.reader import parse_value

    try:
        return parse_value(written, "--where", plain=str)  # type: ignore[no-any-return]
    except ConfigError:
        raise UsageError(f"--where ...{written}: not a list; expected, for example, [area, rooms]") from None


def number(written: str) -> float | None:
    """Read a number; None if the text is not a number."""
    try:
        return None if "_" in written else int(written) if written.lstrip("+-").isdecimal() else float(written)
    except ValueError:
        return None


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def rank(found: Any) -> tuple[int, float, str] | None:
    """Return the sort key of a value: numbers first, then words by the alphabet; None for a missing value or NaN."""
    if found is None or (is_number(found) and math.isnan(found)):
        return None
    if is_number(found):
        return 0, found, ""
    return 1, 0.0, component_text("", found) if isinstance(found, Mapping) else yaml_text(found)


def _is_component(name: str, wanted: str, key: str, parameters: Mapping[str, Any]) -> bool:
    """Return whether `wanted` is a spelling of the component.

    A name with a framework's prefix (`keras.RMSprop`) also has to match in the parameters that it implies.
    """
    if fnmatchcase(name, wanted):
        return True
    for kind in (key,) if key in COMPONENTS else COMPONENTS:
        meant = find(kind, wanted)
        if meant and meant.component.name == name:
            implied = meant.implies if "." in wanted else {}
            return all(_same(parameters.get(key, value), value) for key, value in implied.items())
    return False


def _same(found: Any, wanted: Any) -> bool:
    """Compare two values as in a config: numbers as numbers, and True is not 1."""
    if isinstance(found, list | tuple) and isinstance(wanted, list | tuple):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    if is_number(found) and isinstance(wanted, str):  # in a list, YAML 1.1 reads 1e-3 as a word
        wanted = number(wanted)
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if is_number(found) and is_number(wanted) and math.isnan(found) and math.isnan(wanted):
        return True
    return bool(found == wanted)
