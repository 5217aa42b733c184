"""The tables of a comparison, with the runs called by whatever names the caller has room for."""

from collections.abc import Iterable, Sequence
from typing import Final

from lossrun.analysis.compare import Comparison, Curve, Measured, Yardstick
from lossrun.analysis.readings import Spread
from lossrun.report.numbers import format_difference, format_spread
from lossrun.report.text_table import Column, TextTable

BETTER: Final = {"min": "lower", "max": "higher", None: "-"}
MARK: Final = " *"  # behind the best value


def letters(comparison: Comparison) -> list[str]:
    """The runs' letters: the shortest headers."""
    return [run.letter for run in comparison.runs]


def headers(comparison: Comparison) -> list[str]:
    """`B: loss=mae`; the letter alone where the label is but the directory's name, which the legend has."""
    return [run.letter if run.label == run.name else f"{run.letter}: {run.label}" for run in comparison.runs]


def runs_table(comparison: Comparison, *, labels: bool = True, directories: bool = True) -> TextTable:
    """The legend: letter, what differs, state, epochs, seeds, best epochs, the directory's name."""
    runs = comparison.runs
    by = list(dict.fromkeys(run.best_metric for run in runs))
    columns = [
        Column("status", tuple(run.status for run in runs), right=False),
        Column("epochs", tuple(f"{run.epochs_done}/{run.epochs_asked}" for run in runs)),
        Column("seeds", tuple(str(len(run.seeds)) for run in runs)),
        Column("best epoch", tuple(_epochs(run.best_epochs.values()) for run in runs)),
    ]
    if labels and any(run.label != run.name for run in runs):
        columns.insert(0, Column("label", tuple(run.label for run in runs), right=False))
    if len(by) > 1:
        columns.append(Column("chosen by", tuple(run.best_metric for run in runs), right=False))
    if directories:
        columns.append(Column("directory", tuple(run.name for run in runs), right=False))
    note = f"best epoch: chosen by {by[0]}" if len(by) == 1 else ""
    return TextTable("Runs", Column("run", tuple(letters(comparison)), right=False), tuple(columns), note)


def differences_table(comparison: Comparison, names: Sequence[str]) -> TextTable:
    """The keys of the config that are not the same in all runs."""
    differences = comparison.differences
    columns = [
        Column(name, tuple(difference.values[index] for difference in differences), right=False)
        for index, name in enumerate(names)
    ]
    return TextTable("Differences", Column("key", tuple(d.key for d in differences), right=False), tuple(columns))


def yardsticks_tables(comparison: Comparison, names: Sequence[str], sign: str) -> list[TextTable]:
    """What decides, at the best epochs and at the last (one table where these are the same); then, more quietly, what
    only describes. No table without a row."""
    deciding = [y for y in comparison.yardsticks if not y.descriptive]
    describing = [y for y in comparison.yardsticks if y.descriptive]
    same = all(run.best_epochs == run.last_epochs for run in comparison.runs)
    best = "each run's best epoch" + (", which is its last" if same else "")
    tables = []
    if deciding:
        tables.append(_deciding_table(comparison, deciding, [y.at_best for y in deciding], names, best, sign))
    if deciding and not same:
        last = "each run's last epoch"
        tables.append(_deciding_table(comparison, deciding, [y.at_last for y in deciding], names, last, sign))
    if describing:
        values = [[y.at_best.values[index] for y in describing] for index in range(len(comparison.runs))]
        columns = [Column(name, _marked(found, frozenset(), sign)) for name, found in zip(names, values, strict=True)]
        tables.append(
            TextTable(
                f"Other losses and metrics at {best}",
                _named(describing),
                (_better(describing), *columns),
                note="they describe and do not decide" + ("" if same else "; --format csv has the last epoch's too"),
            )
        )
    return tables


def epochs_table(comparison: Comparison, names: Sequence[str], sign: str, most: int) -> TextTable:
    """The curves epoch by epoch, `most` of the epochs at most."""
    every = sorted({epoch for curve in comparison.curves for epoch in curve.rows})
    best = {epoch for run in comparison.runs for epoch in run.best_epochs.values()}
    shown = pick(every, most, best)
    columns = []
    for curve in comparison.curves:
        for index, run in enumerate(comparison.runs):
            values = [_value(curve, epoch, index) for epoch in shown]
            marked = frozenset(row for row, epoch in enumerate(shown) if epoch in run.best_epochs.values())
            columns.append(
                Column(f"{curve.name}\n{names[index]}", _marked(values, marked, sign), True, marked, curve.name)
            )
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


def _deciding_table(
    comparison: Comparison,
    yardsticks: Sequence[Yardstick],
    measured: Sequence[Measured],
    names: Sequence[str],
    when: str,
    sign: str,
) -> TextTable:
    """`measured`: of each yardstick, at the moment that `when` says."""
    runs = comparison.runs
    columns = [_better(yardsticks)]
    for index, run in enumerate(runs):
        marked = frozenset(row for row, y in enumerate(yardsticks) if y.primary and index in measured[row].best)
        values = [m.values[index] for m in measured]
        columns.append(Column(names[index], _marked(values, marked, sign), True, marked, run.letter))
        if index and comparison.comparable:
            cells = tuple(_difference(m, index) for m in measured)
            columns.append(Column(f"{run.letter} - {runs[0].letter}", cells, group=run.letter))
    marked_any = any(column.emphasis for column in columns)
    note = "* best by the yardstick that decides" if marked_any else ""
    return TextTable(f"Yardsticks at {when}", _named(yardsticks), tuple(columns), note)


def _named(yardsticks: Sequence[Yardstick]) -> Column:
    return Column("yardstick", tuple(map(_with_units, yardsticks)), right=False)


def _better(yardsticks: Sequence[Yardstick]) -> Column:
    return Column("better", tuple(BETTER[yardstick.goal] for yardstick in yardsticks), right=False)


def _difference(measured: Measured, index: int) -> str:
    value = measured.differences[index]
    return "-" if value is None else format_difference(value)


def _marked(values: Sequence[Spread | None], marked: frozenset[int], sign: str) -> tuple[str, ...]:
    """The values as text, the marked ones with a star; the others leave room for it, so that digits stand below
    digits."""
    blank = " " * len(MARK) if marked else ""
    return tuple(format_spread(v, sign) + (MARK if row in marked else blank) for row, v in enumerate(values))


def _value(curve: Curve, epoch: int, index: int) -> Spread | None:
    row = curve.rows.get(epoch)
    return row[index] if row else None


def _with_units(yardstick: Yardstick) -> str:
    return f"{yardstick.name} [{yardstick.units}]" if yardstick.units else yardstick.name


def _epochs(epochs: Iterable[int]) -> str:
    distinct = sorted(set(epochs))
    if not distinct:
        return "-"
    return str(distinct[0]) if len(distinct) == 1 else f"{distinct[0]}-{distinct[-1]}"
