"""`lossrun list rules` and `list diagnoses`: what lossrun checks before a run and while it trains."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from lossrun.catalog.diagnoses import DIAGNOSES
from lossrun.lint.rules import RULES
from lossrun.report.layout.console import wrapped
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_pairs, print_table
from lossrun.report.reference.listing import LEAST_ROOM
from lossrun.shell import command


def print_advice(console: Console, kind: str, *, full: bool) -> None:
    """Print a row for each rule or diagnosis: its name, what follows, and what it looks for; or `full` texts."""
    if full:
        for name, sections in _details(kind).items():
            print_pairs(console, [(name, _subjects(kind)[name])], style="bold")
            print_pairs(console, _lines(sections), style="cyan", indent=2)
            print_line(console, "")
        return
    subjects = _subjects(kind)
    outcomes = {name: severity(name) if kind == "rule" else outcome(name) for name in subjects}
    heads = ("rule", "severity", "requirement") if kind == "rule" else ("diagnosis", "effect", "meaning")
    key = Column(heads[0], tuple(subjects), right=False)
    effects = Column(heads[1], tuple(outcomes.values()), right=False)
    room = max(console.width - TextTable("", key, (effects,)).width - 2, LEAST_ROOM)
    texts = tuple("\n".join(line.plain for line in wrapped(Text(text), room)) for text in subjects.values())
    print_table(console, TextTable("", key, (effects, Column(heads[2], texts, right=False))))
    print_line(console, "")
    print_line(console, f"details: {command('explain', next(iter(subjects)))}")


def _subjects(kind: str) -> dict[str, str]:
    """Return what each rule or diagnosis looks for, in a sentence."""
    subjects = RULES if kind == "rule" else DIAGNOSES
    return {name: subject.meaning for name, subject in subjects.items()}


def _details(kind: str) -> dict[str, list[tuple[str, str]]]:
    if kind == "rule":
        return {
            name: [
                ("severity", severity(name)),
                ("why", rule.why),
                ("wrong", rule.example.wrong),
                ("right", rule.example.right),
            ]
            for name, rule in RULES.items()
        }
    return {
        name: [("effect", outcome(name)), ("sign", found.formula), ("why", found.why), ("what to do", found.remedy)]
        for name, found in DIAGNOSES.items()
    }


def advice_records(kind: str) -> list[dict[str, object]]:
    """Return the rules or diagnoses as plain values, for JSON."""
    if kind == "diagnosis":
        return [asdict(found) for found in DIAGNOSES.values()]
    return [
        {
            "name": name,
            "meaning": rule.meaning,
            "why": rule.why,
            "severity": rule.severity,
            "can_be_turned_off": rule.runnable,
            "wrong": rule.example.wrong,
            "right": rule.example.right,
        }
        for name, rule in RULES.items()
    ]


def severity(name: str) -> str:
    return "error" if RULES[name].severity == "error" else "warning"


def outcome(name: str) -> str:
    found = DIAGNOSES[name]
    return "the run ends" if found.diverged else "nothing is wrong" if found.harmless else "training continues"


def _lines(sections: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a row for each line of a text, so that an example keeps its lines."""
    return [
        (name if number == 0 else "", line) for name, text in sections for number, line in enumerate(text.splitlines())
    ]
