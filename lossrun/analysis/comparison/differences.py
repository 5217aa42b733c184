"""Find what differs between the configs of several runs, and write it in short."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Final

from lossrun.catalog import COMPONENTS, get
from lossrun.catalog.parameter import Key, KeyGroup, Nested

# Text that YAML would cut short, or read as something other than text: a list, a number, null.
_NEEDS_QUOTES: Final = re.compile(
    r"""[,\[\]{}]|:(\s|$)|\s\#|^[\s\#:&*!|>'"%@`~?-]|\s$|^$|^[+.]*\d[\w.+-]*$|^[+-]?\.(inf|nan)$""", re.IGNORECASE
)
# Keys that name a run and change no result.
_NAMES: Final = {"name", "tags"}


@dataclass(frozen=True, slots=True)
class Difference:
    """A key of the config whose value differs between runs.

    Attributes:
        key: The dotted key.
        values: One text for each run; "-" for a run without this key.
        names: The same with components as names only, without their parameters.
    """

    key: str
    values: tuple[str, ...]
    names: tuple[str, ...]


def config_differences(configs: Sequence[Mapping[str, Any]]) -> tuple[Difference, ...]:
    """Return the keys whose values differ between the configs.

    Components with different names are one difference, whatever their parameters.
    """
    trimmed = [{key: value for key, value in config.items() if key not in _NAMES} for config in configs]
    return tuple(_differences("", trimmed))


def letters(count: int) -> tuple[str, ...]:
    """Return short names for `count` runs: A to Z, then A2 to Z2 and so on."""
    rounds = (divmod(index, len(ascii_uppercase)) for index in range(count))
    return tuple(f"{ascii_uppercase[place]}{number + 1 if number else ''}" for number, place in rounds)


def component_text(key: str, value: Any) -> str:
    """Write a component in short: `{name: huber, delta: 1.0}` -> `huber(delta=1.0)`.

    Parameters at their defaults are left out, except the numbers of a loss, which say which loss it is. (Its `eps`,
    which only avoids log(0), is left out too.)

    Args:
        key: The component's key in the config.
    """
    if not _is_component(value):
        return yaml_text(value)
    chosen = [name for name in value if name != "name" and _is_worth_showing(key, value, name)]
    shown = [f"{name}={_parameter_text(key, value, name)}" for name in chosen]
    return f"{value['name']}({', '.join(shown)})" if shown else str(value["name"])


def yaml_text(value: Any) -> str:
    """Write a value as in a config: null, true, 1e-8. Text that YAML would read differently gets quotes."""
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {yaml_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(yaml_text(item) for item in value) + "]"
    return str(value).replace("e-0", "e-") if isinstance(value, float) else str(value)


def _is_plain(text: str) -> bool:
    """Return whether a text needs no quotes in a config, in a list too."""
    return text.isprintable() and not _NEEDS_QUOTES.search(text) and text.lower() not in ("null", "true", "false")


def _quoted(text: str) -> str:
    """Return the text in double quotes, with characters that cannot be printed as their code points."""
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    shown = (char if char.isprintable() else rf"\U{ord(char):08x}" for char in escaped)
    return f'"{"".join(shown)}"'


def _differences(prefix: str, values: Sequence[Mapping[str, Any]]) -> list[Difference]:
    found: list[Difference] = []
    for key in dict.fromkeys(key for value in values for key in value):
        items = [value.get(key, _ABSENT) for value in values]
        path = f"{prefix}{key}"
        # A key that an older version did not have counts as not set.
        if all(item == items[0] for item in items) or all(item is None or item is _ABSENT for item in items):
            continue
        if all(isinstance(item, Mapping) and item.get("name") == items[0].get("name") for item in items):
            found += _differences(f"{path}.", items)
        else:
            names = tuple(str(item["name"]) if _is_component(item) else _shown(path, item) for item in items)
            found.append(Difference(path, tuple(_shown(path, item) for item in items), names))
    return found


_ABSENT: Final = object()


def _shown(path: str, item: Any) -> str:
    return "-" if item is _ABSENT else component_text(path, item)


def _is_component(value: Any) -> bool:
    return isinstance(value, Mapping) and "name" in value


def _declared(kind: str, component: Mapping[str, Any], name: str) -> Key | None:
    """Return the declaration of parameter `name`, or None for the user's own component."""
    try:
        return get(kind, component["name"]).parameter(name) if kind in COMPONENTS else None
    except KeyError:
        return None


def _is_worth_showing(kind: str, component: Mapping[str, Any], name: str) -> bool:
    """Return whether the value of parameter `name` is worth showing."""
    if (kind, name) in (("loss", "inputs"), ("model", "output")):
        return False  # one of these two follows from the other
    declared, value = _declared(kind, component, name), component[name]
    if declared is None:
        return True
    if kind == "loss" and isinstance(value, float) and value and name != "eps":
        return True
    if isinstance(declared, Nested):
        return _parameter_text(kind, component, name) != component_text(declared.kind, declared.default)
    return bool(value != declared.default)


def _parameter_text(kind: str, component: Mapping[str, Any], name: str) -> str:
    """Write the value of parameter `name`, without the parts that have their usual values."""
    declared, value = _declared(kind, component, name), component[name]
    if isinstance(declared, Nested):
        texts = {preset: _components_text(declared.kind, items) for preset, items in declared.presets.items()}
        shown = _components_text(declared.kind, value) if declared.many else component_text(declared.kind, value)
        return next((preset for preset, items in texts.items() if items == shown), shown)
    if isinstance(declared, KeyGroup) and isinstance(value, Mapping):
        usual = {parameter.name: parameter.default for parameter in declared.parameters}
        return yaml_text({key: item for key, item in value.items() if key not in usual or item != usual[key]})
    return yaml_text(value)


def _components_text(kind: str, components: Sequence[Any]) -> str:
    return "[" + ", ".join(component_text(kind, component) for component in components) + "]"
