"""What the reference says about one topic, in pieces that a terminal and a page of HTML can both show."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.catalog.declaration import Component
from lossrun.catalog.parameter import REQUIRED, Key, KeyGroup, Parameter
from lossrun.report.reference.model_layers import ModelLayers


@dataclass(frozen=True, slots=True)
class Reference:
    """Another topic; as text, its name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return self.name


Piece: TypeAlias = str | Reference


@dataclass(frozen=True, slots=True)
class Fact:
    """A label and what is said under it. A line break in the content begins a line of its own."""

    label: str
    content: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(map(str, self.content))


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """A key inside a component or a mapping, `name` being its path there. `default` is YAML, None for a required one.

    `aliases`: what else it is called. `values`: what frameworks call some of its values, and what these are here.
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
        """All of it but the name, on one line."""
        unit = f" [{self.unit}]" if self.unit else ""
        default = "required" if self.default is None else f"default {self.default}"
        also = f"; also {', '.join(self.aliases)}" if self.aliases else ""
        return f"{self.meaning}{unit}; {self.expected}; {default}{also}"


@dataclass(frozen=True, slots=True)
class Spellings:
    """Other names of a component that carry the same. `implied`: parameters, as YAML; `remark`: how the framework's own
    differs in more than parameters; `called`: what its function assumes when it is called without options."""

    names: tuple[str, ...]
    implied: str = ""
    remark: str = ""
    called: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArticleExample:
    """Lines of a config that show the topic; of several lines for one key each is an alternative. `options`: the same
    on the command line."""

    title: str
    lines: tuple[str, ...]
    options: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """`kind` and `name`: as in `Reference`. `conventions`: what the spelling that was asked for stands for. `letters`:
    what the letters of the formula mean. `lists`: the command that lists topics of this kind, "" where there is none.
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
        """What the topic is, in words."""
        return {"rule": "lint rule", "key": "key of the config"}.get(self.kind, self.kind)


def fact(label: str, *content: Piece) -> Fact:
    return Fact(label, content)


def told(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Those that say something."""
    return tuple(one for one in facts if one.text)


def listed(references: Iterable[Reference]) -> Iterator[Piece]:
    """The references with commas between them."""
    for place, reference in enumerate(references):
        if place:
            yield ", "
        yield reference


def parameter_rows(key: Key, prefix: str = "") -> Iterator[ParameterRow]:
    """One row for a parameter; one for each of a group's."""
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
    """Every other spelling of the component, those that carry the same together."""
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
