"""Write an article of the reference as a section of the page."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from lossrun.report.html.markup import Markup, element, joined
from lossrun.report.layout.layer_table import HEADS, layer_rows
from lossrun.report.manual.prose import codes, formula, identity, lines, link, prose, sentence
from lossrun.report.manual.tables import table
from lossrun.report.manual.whole_configs import whole_config
from lossrun.report.reference.article import Article, ArticleExample, Fact, ParameterRow, Reference, Spellings
from lossrun.report.reference.model_layers import ModelLayers
from lossrun.shell import command

_EXAMPLE_TITLES: Final = {"in a config": "Example"}


def article_section(told: Article, level: int, *figures: Markup) -> Markup:
    """Return the section of an article; its heading has the `level`, and `figures` are next to the text."""
    reference = Reference(told.kind, told.name)
    text = [element("p", sentence(told.meaning), class_="meaning"), *_formula(told), *_facts(told.facts)]
    body = element("div", *text)
    if figures:
        body = element("div", body, element("div", *figures), class_="with-figures")
    parts = [
        _head(told, reference, level),
        body,
        *_parameters(told.parameters, told.kind, level + 1),
        *_layers(told.layers, level + 1),
        *_spellings(told.spellings, level + 1),
        *_examples(told, level + 1),
        *_sources(told),
    ]
    return element("article", *parts, id=identity(reference), **searched(told.name, told.noun, also_called(told)))


def brief_section(told: Article, level: int) -> Markup:
    """Return a short section for a key of a component; the component's section has the rest."""
    reference = Reference(told.kind, told.name)
    kept = [one for one in told.facts if one.label not in ("belongs to",)]
    owners = [one for one in told.facts if one.label == "belongs to"]
    parts = [
        _head(told, reference, level),
        element("p", sentence(told.meaning), class_="meaning"),
        *_facts([*owners, *kept]),
        *(element("pre", element("code", "\n".join(example.lines))) for example in told.examples),
    ]
    return element(
        "article", *parts, id=identity(reference), class_="brief", **searched(told.name, told.noun, also_called(told))
    )


def searched(title: str, noun: str, also: Sequence[str] = ()) -> dict[str, str | None]:
    """Return the attributes that the search reads in addition to the text."""
    return {"data_title": title, "data_noun": noun, "data_also": "\n".join(also) or None}


def also_called(told: Article) -> list[str]:
    names = [name for group in told.spellings for name in group.names]
    return [*names, *(one for fact in told.facts if fact.label == "also" for one in fact.text.split(", "))]


def _head(told: Article, reference: Reference, level: int) -> Markup:
    name = element("a", told.name, href=f"#{identity(reference)}")
    return element("header", element(f"h{level}", name), element("span", told.noun, class_="noun"))


def _formula(told: Article) -> Iterator[Markup]:
    if told.formula:
        letters = [element("small", prose(told.letters))] if told.letters else []
        yield element("div", element("p", formula(told.formula)), *letters, class_="formula")


def _facts(facts: Sequence[Fact]) -> Iterator[Markup]:
    """Yield labels and texts; each line of a fact is a line on the page."""
    if facts:
        pairs: list[Markup] = []
        for label, alike in groupby(facts, key=lambda fact: fact.label):
            pairs.append(element("dt", label))
            pairs += [element("dd", line) for fact in alike for line in lines(fact.content)]
        yield element("dl", *pairs, class_="facts")


def _parameters(rows: Sequence[ParameterRow], kind: str, level: int) -> Iterator[Markup]:
    if not rows:
        return
    yield element(f"h{level}", "Parameters")
    yield table(("name", "meaning", "takes", "default"), (_parameter(row, kind) for row in rows), "parameters")


def _parameter(row: ParameterRow, kind: str) -> list[Markup]:
    also = element("small", "also ", *codes(row.aliases)) if row.aliases else None
    unit = element("small", f"in {row.unit}") if row.unit else None
    words = [
        element("small", element("code", word), " means ", element("code", meant)) for word, meant in row.values.items()
    ]
    name = element("code", row.name)
    if path := PATHS.get(kind):
        name = element("a", name, href=f"#key-{path}.{row.name}")
    return [
        joined([name, also]),
        sentence(row.meaning),
        joined([row.expected, unit, *words]),
        element("em", "required") if row.default is None else element("code", row.default),
    ]


def _layers(drawn: Sequence[ModelLayers], level: int) -> Iterator[Markup]:
    """Yield a table of layers for each setting that the reference shows."""
    for one in drawn:
        yield element(f"h{level}", f"{one.title[:1].upper()}{one.title[1:]}")
        yield table(HEADS, layer_rows(one.layers), "layers")


# The key of a config that has the parameters of each kind of component.
PATHS: Final = {
    "loss": "loss",
    "optimizer": "optimizer",
    "schedule": "schedule",
    "model": "model",
    "dataset": "dataset",
    "initializer": "model.init",
    "layer": "model.layers",
    "noise": "dataset.noise",
}


def _spellings(groups: Sequence[Spellings], level: int) -> Iterator[Markup]:
    """Yield a list of other names, with what each one sets."""
    if not groups:
        return
    yield element(f"h{level}", "Also known as")
    entries = []
    for group in groups:
        said: list[str] = []
        if group.implied:
            said.append(joined([" with ", element("code", group.implied)]))
        if form := group.called.get("inputs"):
            said.append(f"; called from Python it takes {form} by default")
        if group.remark:
            said.append(joined([". ", sentence(group.remark)]))
        entries.append(element("li", *codes(group.names), *said))
    yield element("ul", *entries, class_="names")


def _examples(told: Article, level: int) -> Iterator[Markup]:
    if told.examples:
        yield element("div", *(_example(one, told.examples, level) for one in told.examples), class_="examples")


def _example(example: ArticleExample, examples: Sequence[ArticleExample], level: int) -> Markup:
    """Return a whole config; lines that no other example has are in bold."""
    others = {line for other in examples if other is not example for line in other.lines}
    own = set(example.lines) - others
    shown = (element("b", line) if line in own else line for line in whole_config(example.lines))
    code = element("code", *(piece for line in shown for piece in (line, "\n")))
    title = _EXAMPLE_TITLES.get(example.title, example.title.capitalize())
    parts = [element(f"h{level}", title), element("pre", code, tabindex="0")]
    if example.options:
        parts.append(element("p", "On the command line: ", element("code", example.options)))
    return element("div", *parts, class_="example")


def _sources(told: Article) -> Iterator[Markup]:
    if told.source:
        yield element("p", "Source: ", prose(told.source), class_="source")
    related = [piece for reference in told.see_also for piece in (", ", link(reference))][1:]
    terminal = element("code", command("explain", told.name))
    yield element("p", *(["See also ", *related, ". "] if related else []), "In the terminal: ", terminal, class_="see")
