"""`lossrun list`: print the components of a kind, as an overview or in full."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from lossrun.catalog.declaration import (
    CLASS_TASKS,
    TASKS,
    Component,
    DatasetDeclaration,
    Loss,
    Metric,
    Optimizer,
)
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.catalog.metric_names import better
from lossrun.catalog.parameter import REQUIRED, Key
from lossrun.report.layout.console import is_bounded, wrapped
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_pairs, print_table
from lossrun.report.reference.article import Spellings, parameter_rows, spelling_groups
from lossrun.report.reference.loss_facts import last_layer, robust_to
from lossrun.shell import command

LEAST_ROOM: Final = 24  # cells for a sentence in a column

# Kinds that only components of another kind name.
INNER: Final = {"model": ("activation", "initializer", "layer"), "dataset": ("noise",)}
_PLURALS: Final = {"loss": "losses", "diagnosis": "diagnoses"}  # the others only add an s

TASK_HEADINGS: Final = {
    "regression": "regression: targets are numbers",
    "binary": "binary: two classes",
    "multiclass": "multiclass: one of several classes",
    "multilabel": "multilabel: several labels, each true or false",
}
# The columns of the tables of losses, and what they mean.
LOSS_COLUMNS: Final = {
    "last layer": "the activation that model.output: auto chooses",
    "robust to outliers": "a target far from the output has limited influence",
    "robust to labels": "a wrong label has limited influence",
}


def plural(kind: str) -> str:
    """Return the word of a kind for several, as `lossrun list` takes it: `losses` of `loss`."""
    return _PLURALS.get(kind, f"{kind}s")


def overview(console: Console, kind: str, task: str | None = None) -> None:
    """Print a row for each component: its name, how to choose it, and what it is.

    Losses have a table for each task, with the usual loss first.
    """
    if kind == "loss":
        for heading in (task,) if task else TASKS:
            print_table(console, _table(console, _by_use(heading), heading, TASK_HEADINGS[heading]))
            print_line(console, "")
        print_line(console, ". ".join(f"{name}: {meaning}" for name, meaning in LOSS_COLUMNS.items()) + ".")
    else:
        print_table(console, _table(console, _fitting(kind, task), task))
        for inner in INNER.get(kind, ()):
            print_line(console, "")
            print_table(console, _table(console, COMPONENTS[inner], None, plural(inner)))
    print_line(console, "")
    first = USUAL_LOSSES[task or "regression"] if kind == "loss" else _fitting(kind, task)[0].name
    print_line(console, f"details: {command('explain', first)}")
    if any(component.parameters for component in COMPONENTS[kind]):
        print_line(console, f"parameters of all: {command('list', plural(kind), '--full')}")


def listing(console: Console, kind: str, task: str | None = None) -> None:
    """Print every component of a kind: meaning, tasks, parameters with bounds and defaults, other spellings.

    Parameters that several components share are explained once, at the end.
    """
    _print_components(console, _fitting(kind, task))
    for inner in INNER.get(kind, ()):
        print_line(console, plural(inner), style="bold underline")
        print_line(console, "")
        _print_components(console, COMPONENTS[inner])


def records(kind: str, task: str | None = None) -> list[dict[str, object]]:
    """Return the components of a kind as plain values, for JSON."""
    return [
        {
            "name": component.name,
            "meaning": component.meaning,
            "formula": component.formula,
            "when": component.when,
            "source": component.source,
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
        for component in _fitting(kind, task)
    ]


def short(meaning: str) -> str:
    """Return the first part of a meaning, which makes sense alone."""
    sentence = meaning.partition("; ")[0]
    beginning = sentence.partition(": ")[0]
    # Cutting at a colon within brackets would leave a bracket open.
    return beginning if beginning.count("(") == beginning.count(")") else sentence


def _fitting(kind: str, task: str | None) -> list[Component]:
    return [component for component in COMPONENTS[kind] if task is None or task in component.tasks]


def _by_use(task: str) -> list[Loss]:
    """Return the losses of a task: the usual one, then losses of logits or numbers, then losses of probabilities."""
    losses = [component for component in _fitting("loss", task) if isinstance(component, Loss)]
    return sorted(
        losses, key=lambda loss: (loss.name != USUAL_LOSSES[task], last_layer(loss, task) in ("softmax", "sigmoid"))
    )


def _table(console: Console, components: Sequence[Component], task: str | None, title: str = "") -> TextTable:
    """Return the overview as a table. On a terminal the last column is wrapped to fit; in a pipe nothing is wrapped."""
    facts = [choosing_facts(component, task) for component in components]
    names = list(dict.fromkeys(name for fact in facts for name, text in fact.items() if text))
    key = Column("name", tuple(component.name for component in components), right=False)
    columns = tuple(Column(name, tuple(fact[name] or "-" for fact in facts), right=False) for name in names)
    what = tuple(short(component.meaning) for component in components)
    room = console.width - TextTable(title, key, columns).width - 2
    if is_bounded(console) and room >= LEAST_ROOM:
        what = tuple("\n".join(line.plain for line in wrapped(Text(text), room)) for text in what)
    return TextTable(title, key, (*columns, Column("meaning", what, right=False)))


def choosing_facts(component: Component, task: str | None) -> dict[str, str]:
    """Return facts that help to choose a component, in the order of the columns."""
    if isinstance(component, Loss) and task:
        twice = f" x {component.outputs_per_target}" if component.outputs_per_target > 1 else ""
        return {"last layer": last_layer(component, task) + twice, "robust to": robust_to(component, task)}
    if isinstance(component, Optimizer):
        return {"usual rates": " to ".join(number(rate) for rate in component.usual_rates)}
    if isinstance(component, Metric):
        return {"better": better(component.goal)}
    if isinstance(component, DatasetDeclaration):
        several = "classes" if component.tasks == CLASS_TASKS else "any"
        return {"task": component.task or several, "samples": component.samples}
    return {}


def _print_components(console: Console, components: Sequence[Component]) -> None:
    shared = _shared(components)
    for component in components:
        print_pairs(console, [(component.name, component.meaning)], style="bold")
        print_pairs(console, list(_rows(component, shared)), style="cyan", indent=2)
        print_line(console, "")
    if shared:
        print_line(console, "shared parameters", style="bold")
        print_pairs(console, [row for key in shared for row in _parameter_rows(key)], style="cyan", indent=2)
        print_line(console, "")


def _shared(components: Sequence[Component]) -> list[Key]:
    """Return the parameters that several components declare equally; for each name the commonest declaration."""
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
        yield "better", better(component.goal)
    for key in component.parameters:
        if key not in shared:
            yield from _parameter_rows(key)
    if common := [key.name for key in component.parameters if key in shared]:
        yield "shared", ", ".join(common)
    if component.aliases:
        yield "also", spellings(spelling_groups(component))


def _parameter_rows(key: Key) -> Iterator[tuple[str, str]]:
    for row in parameter_rows(key):
        yield row.name, row.text


def spellings(groups: Sequence[Spellings], between: str = "; ") -> str:
    """Return all other spellings as text; groups that imply different parameters are separated by `between`."""
    found: dict[str, list[str]] = {}
    for group in groups:
        found.setdefault(group.implied, []).extend(group.names)
    return between.join(", ".join(names) + (f" ({implied})" if implied else "") for implied, names in found.items())


def number(value: float) -> str:
    """Return a number with up to six digits, without the zero that Python puts into an exponent: 1e-8."""
    return f"{value:g}".replace("e-0", "e-")
