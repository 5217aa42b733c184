"""Print `ls`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console

from lossrun.analysis.comparison.differences import component_text
from lossrun.analysis.runs import Listing, RunRow
from lossrun.analysis.selection import value as value_of
from lossrun.analysis.sweeps.listing import ListedSweep
from lossrun.analysis.values import readings
from lossrun.report.layout.console import is_bounded, plus_minus, warning
from lossrun.report.layout.for_programs import csv_text, json_text
from lossrun.report.layout.numbers import format_number, format_spread
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_table
from lossrun.shell import command, run_command

# Sort keys that a column of the listing already shows.
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
    """Print a line for each run, in the listing's order; several lines if the terminal is too narrow.

    Args:
        nothing: What to print if there is no run.
    """
    rows, sign = listing.rows, plus_minus(console)
    if not rows and not listing.problems:
        print_line(console, nothing or f"no runs yet; `{command('train', 'CONFIG')}` starts one")
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


def print_sweeps(console: Console, sweeps: Sequence[ListedSweep]) -> None:
    """Make a row for each sweep; return nothing if there are no sweeps."""
    if not sweeps:
        return
    columns = (
        Column("status", tuple(sweep.status for sweep in sweeps), right=False),
        Column("cells", tuple(f"{sweep.ended}/{sweep.planned}" for sweep in sweeps)),
        Column("over", tuple(", ".join(sweep.keys) for sweep in sweeps), right=False),
    )
    print_table(
        console, TextTable("Sweeps", Column("sweep", tuple(sweep.name for sweep in sweeps), right=False), columns)
    )
    newest = sweeps[-1].path
    print_line(
        console,
        f"`{run_command('compare', newest)}` shows what the newest one found, `{run_command('ls', newest)}` its runs",
    )


def print_sweep_line(sweep: ListedSweep, console: Console) -> None:
    """Print the state of a sweep, whose runs are printed below."""
    left = sweep.planned - sweep.ended
    cells = f"{sweep.ended} of {sweep.planned} cells have ended" if left else f"all {sweep.planned} cells have ended"
    print_line(console, f"{sweep.name}: {sweep.status}, {cells}, over {', '.join(sweep.keys)}", style="bold")


def _print_blocks(console: Console, listing: Listing, sign: str) -> None:
    """Print each run's name, with the rest indented below it."""
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
    """Return a column for what the rows are sorted by, unless another column shows it."""
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
    """Write everything about each run as a strict JSON list, in full precision."""
    return json_text([_record(row) for row in listing.rows])


def listing_as_csv(listing: Listing) -> str:
    """Write a line for each run, in full precision.

    The columns are those of the table, the tags, and each metric at the best epoch as a mean over seeds. Missing values
    are empty.
    """
    names = list(dict.fromkeys(name for row in listing.rows for name in readings.metric_columns(row.at_best)))
    lines = []
    for row in listing.rows:
        seen = [readings.column(row.at_best, name) for name in names]
        facts = (row.name, row.status, row.epochs_done, row.epochs_asked, row.seeds, row.loss, row.optimizer)
        rate, tags = repr(row.learning_rate), " ".join(row.config.get("tags") or ())
        means = (repr(spread.mean) if spread else "" for spread in seen)
        lines.append((*facts, rate, row.started or "", tags, *means))
    return csv_text((*CSV_HEADER, *names), lines)


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


def _filled(pieces: Sequence[str], width: int) -> Iterator[str]:
    """Yield the pieces with semicolons between, on as few lines as hold them whole."""
    line = ""
    for piece in pieces:
        if line and cell_len(f"{line}; {piece}") > width:
            yield line
            line = piece
        else:
            line = f"{line}; {piece}" if line else piece
    yield line


def format_age(seconds: float) -> str:
    """Return a length of time in its largest unit: 12 s, 3 min, 5 h, 20 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
