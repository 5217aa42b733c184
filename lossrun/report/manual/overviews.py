"""Tables that help to choose: a row for each component of a kind, and names of other programs."""

from collections.abc import Iterator, Mapping, Sequence

from lossrun.catalog.declaration import Component, Task
from lossrun.catalog.unsupported import NONE_OF_OURS
from lossrun.config.habits import ANSWERS
from lossrun.report.html.markup import Markup, joined
from lossrun.report.manual.prose import codes, link, sentence
from lossrun.report.manual.sections import searched
from lossrun.report.manual.tables import marked_table, table
from lossrun.report.reference.article import Reference
from lossrun.report.reference.listing import choosing_facts, short


def overview_table(components: Sequence[Component], task: Task | None = None) -> Markup:
    """Return a table with a row for each component: its name, how to choose it, and what it is."""
    facts = [choosing_facts(component, task) for component in components]
    names = list(dict.fromkeys(name for fact in facts for name, text in fact.items() if text))
    rows = [
        [
            link(Reference(component.kind, component.name)),
            *(fact[name] or "–" for name in names),
            sentence(short(component.meaning)),
        ]
        for component, fact in zip(components, facts, strict=True)
    ]
    return table(("name", *names, "meaning"), rows, "overview")


def subjects_table(kind: str, meanings: Mapping[str, str], outcomes: Mapping[str, str], heads: Sequence[str]) -> Markup:
    """Return the same table for rules and diagnoses; `outcomes`: the consequence of each."""
    rows = ([link(Reference(kind, name)), outcomes[name], sentence(meaning)] for name, meaning in meanings.items())
    return table(heads, rows, "overview")


def elsewhere(kind: str) -> Iterator[Markup]:
    """Yield a table of names from other programs and what to use instead, if there are such names."""
    reasons = ANSWERS if kind == "key" else NONE_OF_OURS.get(kind, {})
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    if by_reason:
        rows = [
            (
                [joined(codes(names)), sentence(reason)],
                {"id": f"elsewhere-{kind}-{names[0]}", **searched(names[0], f"{kind} of other programs", names[1:])},
            )
            for reason, names in by_reason.items()
        ]
        yield marked_table(("name there", "here"), rows, "elsewhere")
