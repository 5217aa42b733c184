"""`ls` and `show` for people."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from lossrun.analysis.differences import component_text, text
from lossrun.analysis.runs import Listing, RunFacts
from lossrun.report.compare import BETTER
from lossrun.report.console import plus_minus
from lossrun.report.numbers import format_seconds, format_spread
from lossrun.report.text_table import Column, TextTable, print_line, print_table



def print_listing(listing: Listing, console: Console) -> None:
    """One line per run, in the listing's order, and what could not be read."""
    rows, sign = listing.rows, plus_minus(console)
    if not rows and not listing.problems:
        print_line(console, "no runs yet; `lossrun train CONFIG` makes one")
    if rows:
        columns = (
            Column("status", tuple(row.status for row in rows), right=False),
            Column("epochs", tuple(f"{row.epochs_done}/{row.epochs_asked}" for row in rows)),
            Column("seeds", tuple(str(row.seeds) for row in rows)),
            Column("loss", tuple(row.loss for row in rows), right=False),
            Column("optimizer", tuple(row.optimizer for row in rows), right=False),
            Column("lr", tuple(f"{row.learning_rate:g}" for row in rows)),
            Column(
                "best",
                tuple(f"{row.yardstick} {format_spread(row.value, sign)}" if row.yardstick else "-" for row in rows),
            ),
            Column("age", tuple("-" if row.age is None else format_age(row.age) for row in rows)),
        )
        print_table(console, TextTable("", Column("run", tuple(row.name for row in rows), right=False), columns))
    for problem in listing.problems:
        print_line(console, f"Warning: {problem}")


def print_facts(facts: RunFacts, console: Console) -> None:
    """Everything about one run: state, yardsticks, config, environment, events."""
    print_line(console, facts.name, style="bold")
    lines = {
        "directory": str(facts.path),
        "status": facts.status,
        "epochs": f"{facts.epochs_done} of {facts.epochs_asked}, {format_seconds(facts.seconds)}",
        "seeds": ", ".join(map(str, facts.seeds)),
        f"best {facts.best_metric}": ", ".join(f"epoch {e} (seed {s})" for s, e in facts.best_epochs.items()) or "-",
    }
    _print_pairs(console, list(lines.items()))
    for remark in facts.remarks:
        print_line(console, f"Note: {remark}")
    if facts.yardsticks:
        sign = plus_minus(console)
        columns = (
            Column("better", tuple(BETTER[y.goal] for y in facts.yardsticks), right=False),
            Column("at best", tuple(format_spread(y.at_best, sign) for y in facts.yardsticks)),
            Column("at last", tuple(format_spread(y.at_last, sign) for y in facts.yardsticks)),
        )
        key = Column("yardstick", tuple(y.name for y in facts.yardsticks), right=False)
        print_line(console, "")
        print_table(console, TextTable("Yardsticks", key, columns))
    _print_section(console, "Config", [(key, component_text(key, value)) for key, value in facts.config.items()])
    _print_section(console, "Environment", list(_flat(facts.environment)))
    events = [(f"{event['time']} {event['event']}", _event(event)) for event in facts.events]
    _print_section(console, "Events", events)


def format_age(seconds: float) -> str:
    """A length of time in its largest unit: 12 s, 3 min, 5 h, 20 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _event(event: dict[str, Any]) -> str:
    """The facts of an event in one line; per-seed results and the environment stand elsewhere."""
    changes = [
        f"{key}: {component_text(key, old)} -> {component_text(key, new)}"
        for key, (old, new) in event.get("changes", {}).items()
    ]
    plain = [
        format_seconds(value) if key == "seconds" else f"{key} {value}"
        for key, value in event.items()
        if key not in ("event", "time", "changes", "environment", "seeds") and value is not None
    ]
    return ", ".join(plain + changes)


def _flat(mapping: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, text(value)


def _print_section(console: Console, title: str, pairs: Sequence[tuple[str, str]]) -> None:
    print_line(console, "")
    print_line(console, title, style="bold")
    _print_pairs(console, pairs)


def _print_pairs(console: Console, pairs: Sequence[tuple[str, str]]) -> None:
    width = max((len(key) for key, _ in pairs), default=0)
    for key, value in pairs:
        print_line(console, f"{key:{width}}  {value}".rstrip())
