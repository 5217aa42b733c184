"""A comparison for people: what differs, the yardsticks, the losses epoch by epoch, and what to make of it."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console

from lossrun.analysis.compare import Comparison, Curve, Measured, Yardstick
from lossrun.analysis.readings import Spread
from lossrun.report.console import plus_minus
from lossrun.report.numbers import format_difference, format_number, format_spread
from lossrun.report.text_table import Column, TextTable, print_line, print_table

MOST_EPOCHS: Final = 20  # rows of the epoch table

BETTER: Final = {"min": "lower", "max": "higher", None: "-"}
_MARK: Final = " *"


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Everything the comparison found, tables no wider than the terminal."""
    sign = plus_minus(console)
    print_table(console, runs_table(comparison))
    _sentences(console, [f"{run.label}: {remark}" for run in comparison.runs for remark in run.remarks], "Note: ")
    for table in tables(comparison, sign, MOST_EPOCHS):
        print_line(console, "")
        print_table(console, table)
    found = verdicts(comparison)
    if found or comparison.reasons or comparison.refusals or comparison.warnings or comparison.notes:
        print_line(console, "")
    _sentences(console, comparison.reasons, "Not comparable: ")
    _sentences(console, found)
    _sentences(console, comparison.refusals, "Note: ")
    _sentences(console, comparison.notes, "Note: ")
    _sentences(console, comparison.warnings, "Warning: ")


def tables(comparison: Comparison, sign: str, most_epochs: int | None) -> list[TextTable]:
    """All tables but the first: differences, yardsticks at best and at last, epochs (at most `most_epochs` of them)."""
    found = [_differences_table(comparison)] if comparison.differences else []
    if comparison.yardsticks:
        found.append(
            _yardsticks_table(comparison, [y.at_best for y in comparison.yardsticks], "at each run's best", sign)
        )
        found.append(_yardsticks_table(comparison, [y.at_last for y in comparison.yardsticks], "at the last", sign))
    if comparison.curves:
        found.append(_epochs_table(comparison, sign, most_epochs))
    return found


def runs_table(comparison: Comparison) -> TextTable:
    """One row per run: state, epochs, seeds, best epochs."""
    runs = comparison.runs
    columns = [
        Column("status", tuple(run.status for run in runs), right=False),
        Column("epochs", tuple(f"{run.epochs_done}/{run.epochs_asked}" for run in runs)),
        Column("seeds", tuple(str(len(run.seeds)) for run in runs)),
        Column("best epoch", tuple(_epochs(run.best_epochs.values()) for run in runs)),
        Column("chosen by", tuple(run.best_metric for run in runs), right=False),
    ]
    if any(run.label != run.name for run in runs):
        columns.append(Column("directory", tuple(run.name for run in runs), right=False))
    return TextTable("Runs", Column("run", tuple(run.label for run in runs), right=False), tuple(columns))


def verdicts(comparison: Comparison) -> list[str]:
    """One sentence per primary yardstick that ranks the runs, read at each run's best epoch."""
    sentences = []
    for yardstick in comparison.yardsticks:
        measured = yardstick.at_best
        if not (yardstick.primary and measured.best):
            continue
        best = " and ".join(comparison.runs[index].label for index in measured.best)
        others = ", ".join(
            f"{format_number(value.mean)} ({comparison.runs[index].label})"
            for index, value in enumerate(measured.values)
            if value and index not in measured.best
        )
        winner = measured.values[measured.best[0]]
        assert winner is not None
        sentences.append(f"{yardstick.name} is best for {best}: {format_number(winner.mean)} against {others}")
    return sentences


def _differences_table(comparison: Comparison) -> TextTable:
    differences = comparison.differences
    columns = [
        Column(run.label, tuple(difference.values[index] for difference in differences), right=False)
        for index, run in enumerate(comparison.runs)
    ]
    return TextTable("Differences", Column("key", tuple(d.key for d in differences), right=False), tuple(columns))


def _yardsticks_table(comparison: Comparison, measured: Sequence[Measured], when: str, sign: str) -> TextTable:
    yardsticks = comparison.yardsticks
    primary = [yardstick.primary for yardstick in yardsticks]
    columns = [Column("better", tuple(BETTER[yardstick.goal] for yardstick in yardsticks), right=False)]
    for index, run in enumerate(comparison.runs):
        marked = frozenset(row for row, m in enumerate(measured) if primary[row] and index in m.best)
        cells = [
            format_spread(m.values[index], sign) + (_MARK if row in marked else "") for row, m in enumerate(measured)
        ]
        columns.append(Column(run.label, _aligned(cells), emphasis=marked))
        if index and comparison.comparable:
            subtracted = [m.differences[index] for m in measured]
            cells = ["-" if value is None else format_difference(value) for value in subtracted]
            header = "difference" if len(comparison.runs) == 2 else "to first"
            columns.append(Column(header, tuple(cells)))
    marked_any = any(m.best for row, m in enumerate(measured) if primary[row])
    return TextTable(
        f"Yardsticks {when} epoch",
        Column("yardstick", tuple(map(_with_units, yardsticks)), right=False),
        tuple(columns),
        note="* best by the yardstick that decides" if marked_any else "",
    )


def _epochs_table(comparison: Comparison, sign: str, most: int | None) -> TextTable:
    curves = comparison.curves
    every = sorted({epoch for curve in curves for epoch in curve.rows})
    best = {epoch for run in comparison.runs for epoch in run.best_epochs.values()}
    shown = every if most is None else pick(every, most, best)
    columns = []
    for curve in curves:
        for index, run in enumerate(comparison.runs):
            values = [_value(curve, epoch, index) for epoch in shown]
            marked = frozenset(row for row, epoch in enumerate(shown) if epoch in run.best_epochs.values())
            cells = [format_spread(value, sign) + (_MARK if row in marked else "") for row, value in enumerate(values)]
            columns.append(Column(f"{curve.name}\n{run.label}", _aligned(cells), emphasis=marked))
    several = any(len(run.seeds) > 1 for run in comparison.runs)
    note = "* the best epoch of a seed" if several else "* the run's best epoch"
    if len(shown) < len(every):
        note += f"; {len(shown)} of {len(every)} epochs are shown, --format csv has all"
    return TextTable("Epoch by epoch", Column("epoch", tuple(map(str, shown))), tuple(columns), note=note)


def pick(epochs: Sequence[int], most: int, wanted: set[int]) -> list[int]:
    """At most `most` of the epochs, evenly spread, the first and the last among them, and as many of `wanted` as
    there is room for."""
    if len(epochs) <= most:
        return list(epochs)
    kept = [*dict.fromkeys([epochs[0], epochs[-1], *sorted(wanted & set(epochs))])][:most]
    room = most - len(kept)
    rest = [epoch for epoch in epochs if epoch not in kept]
    return sorted(kept + [rest[(2 * i + 1) * len(rest) // (2 * room)] for i in range(room)])


def _value(curve: Curve, epoch: int, index: int) -> Spread | None:
    row = curve.rows.get(epoch)
    return row[index] if row else None


def _aligned(cells: Sequence[str]) -> tuple[str, ...]:
    """Room for the mark behind every number of a column that has one, so that the digits stand below each other."""
    if not any(cell.endswith(_MARK) for cell in cells):
        return tuple(cells)
    return tuple(cell if cell.endswith(_MARK) else cell + " " * len(_MARK) for cell in cells)


def _with_units(yardstick: Yardstick) -> str:
    return f"{yardstick.name} [{yardstick.units}]" if yardstick.units else yardstick.name


def _epochs(epochs: Iterable[int]) -> str:
    distinct = sorted(set(epochs))
    if not distinct:
        return "-"
    return str(distinct[0]) if len(distinct) == 1 else f"{distinct[0]}-{distinct[-1]}"


def _sentences(console: Console, sentences: Sequence[str], prefix: str = "") -> None:
    for sentence in sentences:
        print_line(console, prefix + sentence)
