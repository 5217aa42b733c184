"""`lossrun explain`: all that lossrun knows of one name, in the words of its declaration."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from lossrun.analysis.diagnosis import Diagnosis
from lossrun.analysis.differences import yaml_text
from lossrun.catalog.declaration import Component, DatasetDeclaration, Loss, Metric, Optimizer, Schedule
from lossrun.catalog.lookup import COMPONENTS, find
from lossrun.catalog.metrics import PRIMARY_YARDSTICKS, SCALES
from lossrun.catalog.parameter import with_article
from lossrun.config.key_paths import KeyPath
from lossrun.lint.rule import Rule
from lossrun.report.console import is_unicode, wrapped
from lossrun.report.key_topic import key_examples, key_rows
from lossrun.report.listing import PLURALS, number, parameter_rows, spellings
from lossrun.report.loss_facts import loss_rows
from lossrun.report.topics import Topic
from lossrun.shell import command

# Longer lines are hard to read, however wide the terminal. A pipe gets lines of this length.
MEASURE: Final = 100

_LETTERS: Final = {
    "loss": {
        "t": "t target",
        "y": "y output",
        "p": "p probability",
        "e": "e = y - t, the error",
        "K": "K outputs of a sample",
    },
    "optimizer": {
        "w": "w a weight",
        "g": "g its gradient",
        "rate": "rate the learning rate",
    },
}

# How a framework's function takes a yes and a no.
_LABELS: Final = {"signs": "-1 and 1", "either": "0 and 1, or -1 and 1"}
# Names that are also words.
_EVERYDAY: Final = {"step", "constant", "linear"}

# What stands for a value that has no default, in the lines to copy.
_EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "csv": {"path": "houses.csv", "target": "price"},
    "npz": {"path": "houses.npz", "target": "prices"},
    "inline": {"inputs": [[1], [2], [3], [4]], "targets": [3, 5, 7, 9]},
    "multi_step": {"milestones": [10, 20]},
    "piecewise_constant": {"boundaries": [10, 20], "fractions": [0.5, 0.1]},
    "cosine_restarts": {"first_epochs": 10},
}


def print_topic(console: Console, topic: Topic) -> None:
    """Name and meaning, what is known, and lines of YAML to copy: as wide as the terminal, and at most `MEASURE`."""
    subject = topic.subject
    kind = {"rule": "lint rule", "key": "key of the config"}.get(topic.kind, topic.kind)
    _print_heading(console, topic.name, kind)
    _print_paragraph(console, subject.meaning)
    if isinstance(subject, Component):
        if topic.implies or topic.remark or topic.called:
            console.print()
            _print_paragraph(console, _conventions(topic, subject))
        sections = list(_component(subject))
        examples = [*([f"{topic.kind}: {topic.spelling}"] if topic.implies else []), *yaml_lines(subject)]
    elif isinstance(subject, Rule):
        sections, examples = list(_rule(topic.name, subject)), []
    elif isinstance(subject, KeyPath):
        sections, examples = list(key_rows(subject)), key_examples(subject)
    else:
        sections, examples = list(_diagnosis(subject)), []
    if known := [(name, text) for name, text in sections if text]:
        console.print()
        print_sections(console, known)
    if isinstance(subject, Component) and subject.parameters:
        _print_title(console, "parameters")
        print_sections(console, [row for key in subject.parameters for row in parameter_rows(key)], indent=2)
    if examples:
        _print_title(console, "in a config")
        _print_block(console, examples)
    if isinstance(subject, Rule):
        for title, text in (("wrong", subject.example.wrong), ("right", subject.example.right)):
            _print_title(console, title)
            _print_block(console, text.splitlines())
    console.print()


def print_sections(console: Console, sections: Sequence[tuple[str, str]], indent: int = 0) -> None:
    """A name and a text on each line, the texts aligned. Where a long name leaves the text little room, it goes below.

    Lines of a text stay lines; each is wrapped at blanks."""
    width = measure(console)
    column = min(max(len(name) for name, _ in sections) + 2, 16) if sections else 0
    for name, text in sections:
        head = Text(" " * indent + name, style="")
        head.stylize("cyan", indent)
        room = width - indent - column
        lines = [piece for line in text.split("\n") for piece in wrapped(Text(line), room)]
        if len(name) + 2 > column:
            _print(console, head)
            head = Text()
        for row, line in enumerate(lines):
            start = head if row == 0 else Text()
            _print(console, Text.assemble(start, " " * (indent + column - start.cell_len), line))


def examples(name: str) -> dict[str, Any]:
    """Values for the parameters of that component which have no default."""
    return dict(_EXAMPLES.get(name, {}))


def measure(console: Console) -> int:
    """How wide the text may be."""
    return min(console.width, MEASURE)


def yaml_lines(component: Component) -> Iterator[str]:
    """Lines of a config that name the component: as short as may be, then with what is its own to set."""
    needed = ", ".join(f"{key}: {yaml_text(value)}" for key, value in examples(component.name).items())
    name = f"{{name: {component.name}, {needed}}}" if needed else component.name
    own = _own_parameters(component)
    full = f"{{name: {component.name}, {', '.join(filter(None, (needed, own)))}}}" if own else ""
    match component.kind:
        case "metric":
            yield f"compare_on: {component.name}"
            yield f"early_stopping: {{metric: val_{component.name}, patience: 5}}"
        case "initializer":
            yield f"model: {{name: mlp, init: {full or name}}}"
        case "layer":
            others = ", dense" if component.name != "dense" else ""
            yield f"model: {{name: cnn, layers: [{full or name}{others}]}}"
        case "noise":
            yield f"dataset: {{name: synthetic_regression, noise: {full or name}}}"
        case kind:
            yield f"{kind}: {name}"
            if full:
                yield f"{kind}: {full}"


_LESS_TELLING: Final = (
    "label_smoothing",
    "bias",
    "warmup_epochs",
    "split_seed",
    "validation",
    "test",
    "seed",
    "header",
)


def _own_parameters(component: Component) -> str:
    """Those with plain defaults that no other kind of setting overshadows, at their defaults."""
    shown = [
        f"{key.name}: {yaml_text(key.default)}"
        for key in component.parameters
        if isinstance(key.default, (int, float, list))
        and key.default != []
        and key.name
        not in ("label_smoothing", "bias", "warmup_epochs", "split_seed", "validation", "test", "seed", "header")
    ]
    return ", ".join(shown[:3])


def _conventions(topic: Topic, component: Component) -> str:
    """What the spelling brings, and what the plain name has in its place."""
    said = []
    for name, value in _brought(topic, component).items():
        key = component.parameter(name)
        also = f" ({', '.join(key.aliases)})" if key is not None and key.aliases else ""
        instead = f" instead of {yaml_text(key.default)}" if key is not None else ""
        said.append(f"{name}{also} {yaml_text(value)}{instead}")
    text = f"{topic.spelling} is {component.name}"
    text += f" with conventions of its own: {', '.join(said)}." if said else "."
    if form := topic.called.get("inputs"):
        text += f" From Python, lossrun.loss({topic.spelling!r}) takes {form} unless told otherwise; in a config "
        text += "model.output decides."
    if labels := _LABELS.get(topic.called.get("labels", "")):
        text += f" From Python, lossrun.loss({topic.spelling!r}) takes targets of {labels}."
    if topic.remark:
        text += f" {topic.remark}."
    bare = find(topic.kind, topic.spelling.rpartition(".")[2])
    if said and "." in topic.spelling and bare and bare.implies != topic.implies:
        text += f" {topic.spelling.rpartition('.')[2]} alone would not have them."
    return text


def _brought(topic: Topic, component: Component) -> dict[str, Any]:
    """What the spelling carries that the plain name would not have anyway."""
    defaults = {key.name: key.default for key in component.parameters}
    return {name: value for name, value in topic.implies.items() if defaults.get(name) != value}


def _component(component: Component) -> Iterator[tuple[str, str]]:
    yield "formula", _with_letters(component)
    yield "when", component.when
    if isinstance(component, Loss):
        yield from loss_rows(component)
        names = f"val_{component.name} and test_{component.name}"
        yield (
            "shown",
            f"as {names} for {SCALES[component.scale][1]}; for other targets only where the config watches or compares "
            "by it. The loss of a run trained with it is val_loss."
            if component.scale != "any" and component.yardstick
            else "",
        )
    elif isinstance(component, Optimizer):
        low, high = component.usual_rates
        yield "usual rates", f"{number(low)} to {number(high)}; outside of it `check` warns"
        yield (
            "elementwise",
            "yes: each weight is updated from its own gradient alone, so the models of several seeds train as one"
            if component.elementwise
            else "no: weights of a layer are updated together, so the models of several seeds train one by one",
        )
        yield (
            "scale of loss",
            "matters: steps are as large as the gradient, so twice the loss asks for half the rate"
            if component.scales_with_gradient
            else "does not matter: the gradient's size is divided out",
        )
        yield "batches", "batch_size: full only, as its rule asks for" if component.full_batch else ""
    elif isinstance(component, Schedule):
        unless = " (unless over_epochs is set)" if component.parameter("over_epochs") else ""
        yield (
            "over the run",
            f"yes: the rate at a step depends on how many epochs were asked for{unless}, so a run extended by resume "
            "differs from one that was longer from the start"
            if component.depends_on_length
            else "no: the rate at a step is the same however many epochs follow",
        )
    elif isinstance(component, Metric):
        yield "tasks", ", ".join(component.tasks)
        yield "better", "lower" if component.goal == "min" else "higher"
        verdicts = [task for task, names in PRIMARY_YARDSTICKS.items() if component.name in names]
        yield "verdicts", f"`compare` judges {' and '.join(verdicts)} runs by it" if verdicts else ""
    elif isinstance(component, DatasetDeclaration):
        yield "task", component.task or "as the config or the data say"
        yield "samples", component.samples
        shape = component.input_shape
        yield "inputs", f"shape ({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" if shape else ""
    yield "also", spellings(component, "\n")
    yield "source", component.source
    yield "see also", _see_also(component)


def _with_letters(component: Component) -> str:
    """The formula, and below it what its letters stand for."""
    known = _LETTERS.get(component.kind, {})
    words = set(re.findall(r"[A-Za-z]+", component.formula))
    if "e" in words:
        words |= {"t", "y"}
    # A letter that the formula itself explains needs no second word.
    said = [text for letter, text in known.items() if letter in words and f"{letter} = " not in component.formula]
    return component.formula + (f"\n{'; '.join(said)}" if said else "")


def _see_also(component: Component) -> str:
    """The others of its kind that its text names, those whose text names it, and the list."""
    siblings = COMPONENTS[component.kind]

    def names(text: str) -> set[str]:
        return set(re.findall(r"[a-z0-9_]+", text))

    mentioned = [
        other.name
        for other in siblings
        if other is not component
        and not {other.name, component.name} & _EVERYDAY
        and (other.name in names(component.when + component.meaning) or component.name in names(other.when))
    ]
    listed = ""
    if component.kind in ("loss", "optimizer", "schedule", "model", "dataset", "metric"):
        task = component.tasks[0] if isinstance(component, Loss) else None
        listed = command("list", PLURALS.get(component.kind, component.kind + "s"), options={"--task": task})
    return "; ".join(filter(None, (", ".join(mentioned), listed)))


def _rule(name: str, rule: Rule) -> Iterator[tuple[str, str]]:
    yield "why", rule.why
    if not rule.runnable:
        yield "severity", "an error: such a config cannot run"
    else:
        yield "severity", "an error: such a config is not run" if rule.severity == "error" else "a warning"
        other = "warn" if rule.severity == "error" else "error"
        yield "to change it", f"lint: {{{name}: {other}}}, or off, in the config"


def _diagnosis(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "value", diagnosis.formula
    yield "why", diagnosis.why
    yield "what to do", diagnosis.remedy
    ends = "the run (that seed of it) ends: exit code 6" if diagnosis.diverged else "training goes on"
    yield "then", "nothing is wrong, and training goes on" if diagnosis.harmless else ends


def _print_heading(console: Console, name: str, kind: str) -> None:
    line = Text.assemble((name, "bold"), f"  {with_article(kind)}")
    _print(console, line)
    _print(console, Text(("─" if is_unicode(console) else "-") * min(line.cell_len, measure(console)), style="dim"))


def _print_title(console: Console, title: str) -> None:
    console.print()
    _print(console, Text(title, style="bold"))


def _print_paragraph(console: Console, text: str) -> None:
    for line in wrapped(Text(text), measure(console)):
        _print(console, line)


def _print_block(console: Console, lines: Sequence[str]) -> None:
    """YAML, to be copied: a line that is too long is broken at a blank, which a flow mapping allows."""
    for line in lines:
        room = measure(console) - 2
        for row, piece in enumerate(wrapped(Text(line), room if len(line) <= room else room - 4)):
            _print(console, Text.assemble("  " if row == 0 else "      ", piece))


def _print(console: Console, line: Text) -> None:
    line.rstrip()
    console.print(line, soft_wrap=True)
