"""The parts of an article about one topic, which a terminal and a page of HTML can both show."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.catalog.declaration import Component
from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Parameter
from lossrun.report.reference.model_layers import ModelLayers


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference to a topic; as text it is the topic's name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.name


Piece: TypeAlias = str | Reference


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and a text. Line breaks in the text are kept."""

    label: str
    content: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(map(str, self.content))


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """A key of a component or of a mapping.

    Attributes:
        name: Its path within the component or mapping.
        default: The default as YAML; None for a required key.
        aliases: Its other names.
        values: {what a framework calls a value: what it is here}.
    """

    name: str
    meaning: str
    expected: str
    unit: str
    default: str | None
    aliases: tuple[str, ...] = ()
    values: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """Everything except the name, on one line."""
        unit = f" [{self.unit}]" if self.unit else ""
        default = "required" if self.default is None else f"default {self.default}"
        also = f"; also {', '.join(self.aliases)}" if self.aliases else ""
        return f"{self.meaning}{unit}; {self.expected}; {default}{also}"


@dataclass(frozen=True, slots=True)
class Spellings:
    """Other names of a component that mean the same.

    Attributes:
        implied: The parameters that they set, as YAML.
        remark, called: As in `catalog.declaration.Alias`.
    """

    names: tuple[str, ...]
    implied: str = ""
    remark: str = ""
    called: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArticleExample:
    """An example of a topic.

    Attributes:
        lines: Lines of a config; several lines for one key are alternatives.
        options: The same as options of the command line.
    """

    title: str
    lines: tuple[str, ...]
    options: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article about one topic.

    Attributes:
        kind, name: As in `Reference`.
        conventions: What the requested spelling means.
        letters: What the letters of the formula mean.
        lists: The command that lists topics of this kind; "" if there is none.
    """

    kind: str
    name: str
    meaning: str
    conventions: str = ""
    formula: str = ""
    letters: str = ""
    facts: tuple[Fact, ...] = ()
    parameters: tuple[ParameterRow, ...] = ()
    layers: tuple[ModelLayers, ...] = ()
    spellings: tuple[Spellings, ...] = ()
    source: str = ""
    see_also: tuple[Reference, ...] = ()
    lists: str = ""
    examples: tuple[ArticleExample, ...] = ()

    @property
    def noun(self) -> str:
        """The kind of the topic, in words."""
        return {"rule": "lint rule", "key": "key of the config"}.get(self.kind, self.kind)


def fact(label: str, *content: Piece) -> Fact:
    return Fact(label, content)


def told(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return the facts that have a text."""
    return tuple(one for one in facts if one.text)


def listed(references: Iterable[Reference]) -> Iterator[Piece]:
    """Yield the references with commas between them."""
    for place, reference in enumerate(references):
        if place:
            yield ", "
        yield reference


def parameter_rows(key: Key, prefix: str = "") -> Iterator[ParameterRow]:
    """Yield a row for a parameter, or a row for each parameter of a group."""
    if isinstance(key, KeyGroup):
        for inner in key.parameters:
            yield from parameter_rows(inner, f"{prefix}{key.name}.")
        return
    known = key if isinstance(key, Parameter) else None
    yield ParameterRow(
        prefix + key.name,
        key.meaning,
        key.expected,
        known.unit if known else "",
        None if key.default is REQUIRED else yaml_text(key.default),
        key.aliases,
        {yaml_text(word): yaml_text(value) for word, value in known.spellings.items()} if known else {},
    )


def spelling_groups(component: Component) -> tuple[Spellings, ...]:
    """Return all other spellings of the component; those that mean the same are together."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    called: dict[str, dict[str, Any]] = {}
    for alias in component.aliases:
        implied = ", ".join(f"{name}: {yaml_text(value)}" for name, value in alias.implies.items())
        assumed = yaml_text(alias.called)
        called[assumed] = alias.called
        groups.setdefault((implied, alias.remark, assumed), []).append(alias.spelling)
    return tuple(
        Spellings(tuple(names), implied, remark, called[assumed])
        for (implied, remark, assumed), names in groups.items()
    )
