"""`lossrun list`: what a config may name, as declared."""

from collections.abc import Iterator, Sequence

from rich.console import Console

from lossrun.catalog.declaration import REQUIRED, Component, Group, Key, Loss, Metric, Parameter
from lossrun.catalog.lookup import COMPONENTS
from lossrun.report.text_table import print_line, print_pairs

# Kinds that components of another kind name in turn.
_INNER = {"model": ("initializer", "layer"), "dataset": ("noise",)}


def listing(console: Console, kind: str, task: str | None = None) -> None:
    """Every component of a kind: meaning, tasks, parameters with bounds and defaults, other spellings. What several
    have in common is explained once, below them."""
    components = [component for component in COMPONENTS[kind] if task is None or task in component.tasks]
    _print_components(console, components)
    for inner in _INNER.get(kind, ()):
        print_line(console, f"{inner}s", style="bold underline")
        print_line(console, "")
        _print_components(console, COMPONENTS[inner])


def records(kind: str, task: str | None = None) -> list[dict[str, object]]:
    """The same as plain values, for JSON."""
    return [
        {
            "name": component.name,
            "meaning": component.meaning,
            "tasks": list(component.tasks),
            "parameters": [
                {
                    "name": key.name,
                    "default": None if key.default is REQUIRED else key.default,
                    "required": key.default is REQUIRED,
                    "expected": key.expected,
                    "meaning": key.meaning,
                }
                for key in component.parameters
            ],
            "aliases": [alias.spelling for alias in component.aliases],
        }
        for component in COMPONENTS[kind]
        if task is None or task in component.tasks
    ]


def _print_components(console: Console, components: Sequence[Component]) -> None:
    shared = _shared(components)
    for component in components:
        print_pairs(console, [(component.name, component.meaning)], style="bold")
        print_pairs(console, list(_rows(component, shared)), style="cyan", indent=2)
        print_line(console, "")
    if shared:
        print_line(console, "shared parameters", style="bold")
        print_pairs(console, [row for key in shared for row in _parameter(key)], style="cyan", indent=2)
        print_line(console, "")


def _shared(components: Sequence[Component]) -> list[Key]:
    """The parameters declared alike in more than one component; of several declarations of a name, the commonest."""
    every = [key for component in components for key in component.parameters]
    found: dict[str, Key] = {}
    for key in every:
        if every.count(key) > max(1, every.count(found[key.name]) if key.name in found else 1):
            found[key.name] = key
    return list(found.values())


def _rows(component: Component, shared: Sequence[Key]) -> Iterator[tuple[str, str]]:
    if component.kind in ("loss", "metric", "dataset"):
        yield "tasks", ", ".join(component.tasks)
    if isinstance(component, Loss):
        yield "takes", ", ".join(component.accepts)
    if isinstance(component, (Loss, Metric)):
        yield "better", "lower" if component.goal == "min" else "higher"
    for key in component.parameters:
        if key not in shared:
            yield from _parameter(key)
    if common := [key.name for key in component.parameters if key in shared]:
        yield "shared", ", ".join(common)
    if component.aliases:
        yield "also", ", ".join(alias.spelling + _implied(alias.implies) for alias in component.aliases)


def _implied(implies: dict[str, object]) -> str:
    return f" ({', '.join(f'{name}: {value}' for name, value in implies.items())})" if implies else ""


def _parameter(key: Key, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(key, Group):
        for inner in key.parameters:
            yield from _parameter(inner, f"{key.name}.")
        return
    unit = f" [{key.unit}]" if isinstance(key, Parameter) and key.unit else ""
    default = "required" if key.default is REQUIRED else f"default {_word(key.default)}"
    yield prefix + key.name, f"{key.meaning}{unit}; {key.expected}; {default}"


def _word(value: object) -> str:
    """A default as one would write it in YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_word(item)}" for name, item in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
