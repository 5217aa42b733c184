"""`ls` and `show` for people."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lossrun.analysis.comparison.differences import component_text, yaml_text
from lossrun.analysis.learning_curves import spans_decades
from lossrun.analysis.runs import Listing, RunFacts, RunRow
from lossrun.analysis.selection import value as value_of
from lossrun.analysis.values import readings
from lossrun.records.files import strict_json
from lossrun.report.comparison.by_class import class_table
from lossrun.report.comparison.compare_tables import BETTER
from lossrun.report.layout.console import is_bounded, note, plus_minus, print_text, warning
from lossrun.report.layout.glyphs import draws_unicode
from lossrun.report.layout.numbers import format_number, format_seconds, format_size, format_spread
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_pairs, print_table
from lossrun.report.plots.sparkline import sparkline
from lossrun.report.reference.names_in_brackets import where_to_read
from lossrun.shell import command, run_command

if TYPE_CHECKING:
    from lossrun.records.leftovers import Leftovers

# Columns of a listing that show what one may sort by.
# What an event holds for other commands to check files against.
_DIGESTS: Final = ("config", "config_digest", "history", "predictions", "best_weights")
_SHOWN: Final = {"run", "status", "epochs_done", "epochs", "seeds", "loss", "optimizer", "learning_rate", "age"}
CSV_HEADER: Final = (
    "run",
    "status",
    "epochs_done",
    "epochs",
    "seeds",
    "loss",
    "optimizer",
    "learning_rate",
    "started",
    "tags",
)


def print_listing(listing: Listing, console: Console, *, nothing: str = "") -> None:
    """A line for each run, in the listing's order, or two where a terminal is too narrow; and what could not be
    read. `nothing`: what to say where there is no run."""
    rows, sign = listing.rows, plus_minus(console)
    if not rows and not listing.problems:
        print_line(console, nothing or f"no runs yet; `{command('train', 'CONFIG')}` makes one")
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
                tuple(f"{row.metric} {format_spread(row.value, sign)}" if row.metric else "-" for row in rows),
                right=False,
            ),
            Column("age", tuple("-" if row.age is None else format_age(row.age) for row in rows)),
            *_sorted_by(listing),
        )
        table = TextTable("", Column("run", tuple(row.name for row in rows), right=False), columns)
        if not is_bounded(console) or table.width <= console.width:
            print_table(console, table)
        else:
            _print_blocks(console, listing, sign)
    for problem in listing.problems:
        warning(console, problem)


def _print_blocks(console: Console, listing: Listing, sign: str) -> None:
    """A run's name, and indented below it the rest in words."""
    extra = _sorted_by(listing)
    for number, row in enumerate(listing.rows):
        age = "" if row.age is None else f", {format_age(row.age)} ago"
        seeds = f", {row.seeds} seeds" if row.seeds > 1 else ""
        facts = [
            f"{row.status} {row.epochs_done}/{row.epochs_asked}{seeds}",
            f"{row.loss}, {row.optimizer}, lr {row.learning_rate:g}",
            *([f"{row.metric} {format_spread(row.value, sign)}"] if row.metric else []),
            *(f"{column.header} {column.cells[number]}" for column in extra if column.cells[number] != "-"),
        ]
        print_line(console, row.name + age)
        for line in _filled(facts, console.width - 2):
            print_line(console, f"  {line}")


def _sorted_by(listing: Listing) -> list[Column]:
    """What the rows are sorted by, where no other column shows it."""
    key, rows = listing.sorted_by, listing.rows
    if key is None or key in _SHOWN or all(row.metric == key for row in rows):
        return []
    cells = []
    for row in rows:
        found = value_of(row, key)
        plain = isinstance(found, float) and key not in row.config
        cells.append("-" if found is None else format_number(found) if plain else component_text(key, found))
    return [Column(key, tuple(cells), right=False)]


def listing_as_json(listing: Listing) -> str:
    """A list with everything about each run, in full precision, as strict JSON."""
    return strict_json.dumps([_record(row) for row in listing.rows], indent=2) + "\n"


def listing_as_csv(listing: Listing) -> str:
    """A line for each run, in full precision: what the table shows, tags, and a column for each metric at the best
    epoch, the mean over seeds. What a run has not is left empty."""
    names = list(dict.fromkeys(name for row in listing.rows for name in readings.metric_columns(row.at_best)))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow((*CSV_HEADER, *names))
    for row in listing.rows:
        seen = [readings.column(row.at_best, name) for name in names]
        facts = (row.name, row.status, row.epochs_done, row.epochs_asked, row.seeds, row.loss, row.optimizer)
        rate, tags = repr(row.learning_rate), " ".join(row.config.get("tags") or ())
        writer.writerow(
            (*facts, rate, row.started or "", tags, *(repr(spread.mean) if spread else "" for spread in seen))
        )
    return buffer.getvalue()


def _record(row: RunRow) -> dict[str, Any]:
    metrics = {name: readings.column(row.at_best, name) for name in readings.metric_columns(row.at_best)}
    return {
        "run": row.name,
        "path": str(row.path),
        "status": row.status,
        "epochs_done": row.epochs_done,
        "epochs": row.epochs_asked,
        "seeds": row.seeds,
        "started": row.started,
        "tags": row.config.get("tags") or [],
        "at_best": {name: asdict(spread) for name, spread in metrics.items() if spread},
        "config": row.config,
    }


def print_leftovers(leftovers: "Leftovers", console: Console) -> None:
    """What is about to go, a line each, and how much that is."""
    if leftovers.found:
        columns = (
            Column("what", tuple(one.why for one in leftovers.found), right=False),
            Column("size", tuple(format_size(one.size) for one in leftovers.found)),
        )
        runs = Column("run", tuple(one.path.name for one in leftovers.found), right=False)
        table = TextTable("", runs, columns, note=f"together {format_size(leftovers.size)}")
        if not is_bounded(console) or table.width <= console.width:
            print_table(console, table)
        else:
            for one in leftovers.found:
                print_text(console, Text(f"{one.path.name}: {one.why}; {format_size(one.size)}"))
            print_text(console, Text(table.note))
    for sentence in leftovers.passed_over:
        warning(console, sentence)


def _filled(pieces: Sequence[str], width: int) -> Iterator[str]:
    """The pieces with semicolons between, on as few lines as hold them whole."""
    line = ""
    for piece in pieces:
        if line and cell_len(f"{line}; {piece}") > width:
            yield line
            line = piece
        else:
            line = f"{line}; {piece}" if line else piece
    yield line


def print_facts(facts: RunFacts, console: Console) -> None:
    """Everything about one run: state, metrics, saved files, config, environment, events."""
    print_line(console, facts.name, style="bold")
    arranged = f" for {facts.arrangement}" if facts.arrangement else ""
    lines = {
        "directory": str(facts.path),
        "status": facts.status,
        "epochs": f"{facts.epochs_done} of {facts.epochs_asked}, {format_seconds(facts.seconds)}{arranged}",
        "seeds": ", ".join(map(str, facts.seeds)),
        **({"tags": ", ".join(tags)} if (tags := facts.config.get("tags")) else {}),
        f"best {facts.best_metric}": _best(facts.best_epochs),
    }
    print_pairs(console, list(lines.items()))
    for remark in facts.remarks:
        note(console, remark)
    if more := where_to_read(facts.remarks):
        note(console, more)
    if facts.metrics:
        sign = plus_minus(console)
        columns = (
            Column("better", tuple(BETTER[y.goal] for y in facts.metrics), right=False),
            Column("at best", tuple(format_spread(y.at_best, sign) for y in facts.metrics)),
            Column("at last", tuple(format_spread(y.at_last, sign) for y in facts.metrics)),
        )
        key = Column("metric", tuple(y.name for y in facts.metrics), right=False)
        print_line(console, "")
        print_table(console, TextTable("Metrics", key, columns))
    if facts.by_class:
        print_line(console, "")
        title = f"By class, {facts.by_class.part} data at best"
        print_table(console, class_table(facts.by_class, plus_minus(console), title))
    _print_curves(console, facts)
    _print_saved(console, facts)
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
        if key not in ("event", "time", "changes", "environment", "seeds", *_DIGESTS) and value is not None
    ]
    return ", ".join(plain + changes)


def _flat(mapping: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in mapping.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, yaml_text(value)


def _print_section(console: Console, title: str, pairs: Sequence[tuple[str, str]]) -> None:
    print_line(console, "")
    print_line(console, title, style="bold")
    print_pairs(console, pairs)


def _print_curves(console: Console, facts: RunFacts) -> None:
    """Both losses and what to decide by, from the first epoch to the last; nothing of a single epoch."""
    curves = [curve for curve in facts.curves if len(curve.xs) > 1]
    if not curves:
        return
    log = [spans_decades(curve.means, readings.goal(curve.column)) for curve in curves]
    drawn = [
        sparkline(curve.means, unicode=draws_unicode(console), log=is_log)
        for curve, is_log in zip(curves, log, strict=True)
    ]
    columns = (
        Column("first", tuple(format_number(curve.means[0]) for curve in curves)),
        Column("epoch by epoch", tuple(drawn), right=False),
        Column("last", tuple(format_number(curve.means[-1]) for curve in curves)),
        *([Column("scale", tuple("log" if one else "" for one in log), right=False)] if any(log) else []),
    )
    mean = "; means over seeds" if len(facts.seeds) > 1 else ""
    print_line(console, "")
    draws = run_command("plot", facts.path)
    below = f"each from its lowest to its highest value{mean}; `{draws}` draws them with axes"
    key = Column("curve", tuple(curve.column for curve in curves), right=False)
    print_table(console, TextTable("Learning curves", key, columns, note=below))


def _print_saved(console: Console, facts: RunFacts) -> None:
    """The files in checkpoints/, and the best weights of a model of few parameters."""
    if facts.saved:
        columns = (
            Column("step", tuple("-" if file.step is None else str(file.step) for file in facts.saved)),
            Column("epochs", tuple("-" if file.epochs is None else str(file.epochs) for file in facts.saved)),
            Column("size", tuple(format_size(file.size) for file in facts.saved)),
        )
        names = Column("file", tuple(file.name for file in facts.saved), right=False)
        print_line(console, "")
        print_table(console, TextTable("Checkpoints", names, columns, note="step: all of a run; best: weights alone"))
        for file in facts.saved:
            if file.problem:
                warning(console, file.problem)
    if facts.best_weights:
        seeds = tuple(facts.best_weights)
        numbers = tuple(facts.best_weights[seeds[0]])
        values = tuple(
            Column(f"seed {seed}", tuple(format_number(facts.best_weights[seed][name]) for name in numbers))
            for seed in seeds
        )
        print_line(console, "")
        print_table(console, TextTable("Weights at best", Column("weight", numbers, right=False), values))


def _best(epochs: dict[int, int]) -> str:
    if len(epochs) == 1:
        return f"epoch {next(iter(epochs.values()))}"
    return ", ".join(f"epoch {epoch} (seed {seed})" for seed, epoch in epochs.items()) or "-"
