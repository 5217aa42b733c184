"""Tables that help to choose: every component of a kind in a row, and names from elsewhere that are none of ours."""

from collections.abc import Iterator, Mapping, Sequence

from lossrun.catalog.declaration import Component, Task
from lossrun.catalog.unsupported import NONE_OF_OURS
from lossrun.config.keys import ANSWERS
from lossrun.report.html.markup import Markup, joined
from lossrun.report.manual.prose import codes, link, sentence
from lossrun.report.manual.sections import searched
from lossrun.report.manual.tables import marked_table, table
from lossrun.report.reference.article import Reference
from lossrun.report.reference.listing import choosing_facts, short


def overview_table(components: Sequence[Component], task: Task | None = None) -> Markup:
    """A row for each: its name, what to choose it by, what it is."""
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
    return table(("name", *names, "what it is"), rows, "overview")


def subjects_table(kind: str, meanings: Mapping[str, str], outcomes: Mapping[str, str], heads: Sequence[str]) -> Markup:
    """The same for rules and diagnoses. `outcomes`: what follows."""
    rows = ([link(Reference(kind, name)), outcomes[name], sentence(meaning)] for name, meaning in meanings.items())
    return table(heads, rows, "overview")


def elsewhere(kind: str) -> Iterator[Markup]:
    """Names that people know from other programs, and what to use here; nothing where there are none."""
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
