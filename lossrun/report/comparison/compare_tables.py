"""Make the tables of a comparison, with names of the runs that the caller chooses."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRun, ComparedRuns, Curve
from lossrun.analysis.comparison.metrics import ComparedMetric
from lossrun.analysis.comparison.moments import in_words
from lossrun.analysis.values.readings import Spread
from lossrun.analysis.values.seconds import shared
from lossrun.report.layout.numbers import format_number, format_spread
from lossrun.report.layout.text_table import Column, TextTable

MARK: Final = " *"  # after the best value


def letters(comparison: ComparedRuns) -> list[str]:
    """Return the runs' letters: the shortest headers."""
    return [run.letter for run in comparison.runs]


def headers(comparison: ComparedRuns) -> list[str]:
    """Return headers such as `B: loss=mae`; the letter alone if the label only repeats the directory's name."""
    return [run.letter if run.called_by_name else f"{run.letter}: {run.label}" for run in comparison.runs]


def runs_table(comparison: ComparedRuns, *, labels: bool = True, directories: bool = True) -> TextTable:
    """Make the legend: letter, label, status, epochs, seeds, best epochs, and directory of each run."""
    runs = comparison.runs
    by = list(dict.fromkeys(run.best_metric for run in runs))
    columns = [
        Column("status", tuple(run.status for run in runs), right=False),
        Column("epochs", tuple(f"{run.epochs_done}/{run.epochs_asked}" for run in runs)),
        Column("seeds", tuple(map(seeds_cell, runs))),
        Column("best epoch", tuple(epoch_range(run.best_epochs.values()) for run in runs)),
    ]
    if labels and any(not run.called_by_name for run in runs):
        columns.insert(0, Column("label", tuple(run.label for run in runs), right=False))
    if len(by) > 1:
        columns.append(Column("chosen by", tuple(run.best_metric for run in runs), right=False))
    if directories:
        columns.append(Column("directory", tuple(", ".join(run.members) for run in runs), right=False))
    note = f"best epoch: chosen by {by[0]}" if len(by) == 1 else ""
    return TextTable("Runs", Column("run", tuple(letters(comparison)), right=False), tuple(columns), note)


def differences_table(comparison: ComparedRuns, names: Sequence[str]) -> TextTable:
    """Make a table of the keys of the config that differ between the runs."""
    differences = comparison.differences
    columns = [
        Column(name, tuple(difference.values[index] for difference in differences), right=False)
        for index, name in enumerate(names)
    ]
    return TextTable("Differences", Column("key", tuple(d.key for d in differences), right=False), tuple(columns))


def epochs_table(comparison: ComparedRuns, names: Sequence[str], sign: str, most: int) -> TextTable:
    """Make a table of the curves epoch by epoch, with at most `most` epochs."""
    every = sorted({epoch for curve in comparison.curves for epoch in curve.rows})
    best = {epoch for run in comparison.runs for epoch in run.best_epochs.values()}
    shown = pick(every, most, best)
    columns = []
    for curve in comparison.curves:
        for index, run in enumerate(comparison.runs):
            values = [_value(curve, epoch, index) for epoch in shown]
            marked = frozenset(row for row, epoch in enumerate(shown) if epoch in run.best_epochs.values())
            columns.append(
                Column(f"{curve.name}\n{names[index]}", marked_cells(values, marked, sign), True, marked, curve.name)
            )
    several = any(len(run.seeds) > 1 for run in comparison.runs)
    note = "* the best epoch of a seed" if several else "* the run's best epoch"
    if len(shown) < len(every):
        note += f"; {len(shown)} of {len(every)} epochs are shown; --format csv has all of them"
    return TextTable("Epoch by epoch", Column("epoch", tuple(map(str, shown))), tuple(columns), note=note)


def pick(epochs: Sequence[int], most: int, wanted: set[int]) -> list[int]:
    """Choose at most `most` epochs, evenly spread.

    The first and the last are among them, and as many of `wanted` as there is room for.
    """
    if len(epochs) <= most:
        return list(epochs)
    kept = [*dict.fromkeys([epochs[0], epochs[-1], *sorted(wanted & set(epochs))])][:most]
    room = most - len(kept)
    rest = [epoch for epoch in epochs if epoch not in kept]
    return sorted(kept + [rest[(2 * i + 1) * len(rest) // (2 * room)] for i in range(room)])


def target_table(comparison: ComparedRuns, names: Sequence[str], sign: str) -> TextTable:
    """Make a table of how soon each run reaches the target, and the mean height of its learning curve."""
    assert comparison.target is not None
    target, runs = comparison.target, comparison.target.runs
    columns = (
        Column("epochs", tuple(format_spread(run.epochs, sign, 3) for run in runs)),
        Column("seconds", tuple(seconds_cells(comparison, sign))),
        Column(
            "never", tuple(_share(run.never, asked.seeds) for run, asked in zip(runs, comparison.runs, strict=True))
        ),
        Column("mean height", tuple(format_spread(run.area, sign) for run in runs)),
    )
    bound = "at least" if target.goal == "max" else "at most"
    note = (
        f"never: seeds that do not reach the target, left out of the means; mean height: the mean of {target.metric} "
        f"from epoch 1 to {target.epochs}{seconds_note(comparison)}"
    )
    title = f"Until {target.metric} is {bound} {target.value:g}"
    return TextTable(title, Column("run", tuple(names), right=False), columns, note)


def seconds_cells(comparison: ComparedRuns, sign: str) -> Iterator[str]:
    """Yield the seconds to the target, with a label if seeds shared them."""
    assert comparison.target is not None
    for found, run in zip(comparison.target.runs, comparison.runs, strict=True):
        together = shared(found.at_once, len(run.seeds) + len(run.left_out)) if found.seconds else ""
        yield format_spread(found.seconds, sign, 3) + (f" ({together})" if together else "")


def seconds_note(comparison: ComparedRuns) -> str:
    """Explain the seconds of runs with several seeds; "" if every run has one seed."""
    assert comparison.target is not None
    if all(len(run.seeds) + len(run.left_out) == 1 for run in comparison.runs):
        return ""
    pairs = zip(comparison.target.runs, comparison.runs, strict=True)
    labelled = any(found.seconds and shared(found.at_once, len(run.seeds) + len(run.left_out)) for found, run in pairs)
    return "; seconds: for one seed" + (", or with a label for several seeds together" if labelled else "")


def per_seed_rows(comparison: ComparedRuns) -> list[tuple[str, int, str, float, str]]:
    """Return tidy data, one value in a row: run, seed, metric, value at the comparison's moment, label."""
    return [
        (run.name, seed, metric.name, value, run.label)
        for index, run in enumerate(comparison.runs)
        for metric in comparison.metrics
        if (spread := metric.measured.values[index])
        for seed, value in spread.per_seed.items()
    ]


def per_seed_table(comparison: ComparedRuns) -> TextTable:
    """Make the same rows into a table, with the runs' letters."""
    called = {run.name: run.letter for run in comparison.runs}
    rows = per_seed_rows(comparison)
    columns = (
        Column("seed", tuple(str(row[1]) for row in rows)),
        Column("metric", tuple(row[2] for row in rows), right=False),
        Column("value", tuple(format_number(row[3], 6) for row in rows)),
    )
    title = f"Seed by seed at {moment(comparison)}"
    return TextTable(title, Column("run", tuple(called[row[0]] for row in rows), right=False), columns)


def moment(comparison: ComparedRuns) -> str:
    """Name the moment at which the metrics were read."""
    same = comparison.at == "best" and all(run.best_epochs == run.last_epochs for run in comparison.runs)
    return in_words(comparison.at) + (", which is its last" if same else "")


def with_units(metric: ComparedMetric, separator: str = " ") -> str:
    """Write a metric with its units: `val_rmse [targets]`."""
    return f"{metric.name}{separator}[{metric.units}]" if metric.units else metric.name


def marked_cells(values: Sequence[Spread | None], marked: frozenset[int], sign: str) -> tuple[str, ...]:
    """Write values, with a star after the marked ones and room for it after the others."""
    blank = " " * len(MARK) if marked else ""
    return tuple(format_spread(v, sign) + (MARK if row in marked else blank) for row, v in enumerate(values))


def _value(curve: Curve, epoch: int, index: int) -> Spread | None:
    row = curve.rows.get(epoch)
    return row[index] if row else None


def epoch_range(epochs: Iterable[int]) -> str:
    """Write epochs: `7`, or `3-9` for the first and the last of several; "-" for none."""
    distinct = sorted(set(epochs))
    if not distinct:
        return "-"
    return str(distinct[0]) if len(distinct) == 1 else f"{distinct[0]}-{distinct[-1]}"


def seeds_cell(run: ComparedRun) -> str:
    """Write how many seeds a run has, and how many of them are left out or diverged: `6 (1 diverged)`."""
    parts = [
        f"{len(seeds)} {what}" for what, seeds in (("left out", run.left_out), ("diverged", run.diverged)) if seeds
    ]
    return f"{len(run.seeds)} ({', '.join(parts)})" if parts else str(len(run.seeds))


def _share(some: Sequence[int], every: Sequence[int]) -> str:
    return f"{len(some)} of {len(every)}"
