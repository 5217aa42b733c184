"""`lossrun list`: what a config may name, as declared."""

from collections.abc import Iterator

from rich.console import Console, RenderableType
from rich.console import Group as Lines
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lossrun.catalog.declaration import REQUIRED, Component, Group, Key, Loss, Metric, Parameter
from lossrun.catalog.lookup import COMPONENTS


def listing(console: Console, kind: str, task: str | None = None) -> None:
    """Every component of a kind: meaning, tasks, parameters with bounds and defaults, other spellings."""
    for component in COMPONENTS[kind]:
        if task is None or task in component.tasks:
            console.print(_component(component))
    used = {"model": ("initializer", "layer"), "dataset": ("noise",)}.get(kind, ())
    for inner in used:
        console.print(Text(f"{inner}s", style="bold underline"))
        for component in COMPONENTS[inner]:
            console.print(_component(component))


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


def _component(component: Component) -> RenderableType:
    head = Text.assemble((component.name, "bold"), "  ", component.meaning)
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in _rows(component):
        table.add_row(Text(name, style="cyan"), Text(text))
    return Lines(head, Padding(table, (0, 0, 1, 2)))


def _rows(component: Component) -> Iterator[tuple[str, str]]:
    if component.kind in ("loss", "metric", "dataset"):
        yield "tasks", ", ".join(component.tasks)
    if isinstance(component, Loss):
        yield "takes", ", ".join(component.accepts)
    if isinstance(component, (Loss, Metric)):
        yield "better", "lower" if component.goal == "min" else "higher"
    for key in component.parameters:
        yield from _parameter(key)
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
