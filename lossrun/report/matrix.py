"""The cross-loss matrix: every run by every yardstick that it was scored by, on one part of the data."""

from collections.abc import Iterator, Sequence
from typing import Final

from lossrun.analysis.compare import Comparison
from lossrun.analysis.readings import bare
from lossrun.analysis.yardsticks import Yardstick
from lossrun.report.compare_tables import BETTER, marked_cells, moment, with_units
from lossrun.report.text_table import Column, TextTable

_PARTS: Final = {"test_": "Test data", "val_": "Validation data", "train_": "Training data"}


def matrices(comparison: Comparison, names: Sequence[str], sign: str, *, upright: bool = False) -> list[TextTable]:
    """One table per part of the data, what decides in the first columns. No table without a value.

    names: what to call each run. upright: yardsticks as rows and runs as columns, for narrow terminals.
    """
    tables = []
    for part, title in _PARTS.items():
        shown = [
            yardstick
            for yardstick in comparison.yardsticks
            if yardstick.name.removesuffix(bare(yardstick.name)) == part and any(yardstick.measured.values)
        ]
        if shown:
            build = _upright if upright else _wide
            tables.append(
                build(
                    f"{title} at {moment(comparison)}",
                    shown,
                    names,
                    sign,
                    _legend(shown, sign, comparison),
                )
            )
    return tables


def _legend(shown: Sequence[Yardstick], sign: str, comparison: Comparison) -> str:
    spreads = [value for yardstick in shown for value in yardstick.measured.values if value]
    over_seeds = any(value.deviation is not None for value in spreads)
    over = "seeds, each with its own split" if comparison.own_splits else "seeds"
    best = ("* the best mean" if over_seeds else "* the best") if any(y.measured.best for y in shown) else ""
    spread = f"{sign} the standard deviation over {over}" if over_seeds else ""
    return "; ".join(filter(None, (best, spread, *_of_fewer_seeds(shown, comparison))))


def _of_fewer_seeds(shown: Sequence[Yardstick], comparison: Comparison) -> Iterator[str]:
    """For each run whose means are not over all of its seeds, as some have diverged or stopped: over how many."""
    for index, run in enumerate(comparison.runs):
        counts = {len(value.per_seed) for y in shown if (value := y.measured.values[index])} - {len(run.seeds)}
        if counts:
            yield f"{run.letter} over {' or '.join(map(str, sorted(counts)))} of {len(run.seeds)} seeds"


def _wide(title: str, shown: Sequence[Yardstick], names: Sequence[str], sign: str, note: str) -> TextTable:
    columns = []
    for yardstick in shown:
        marked = frozenset(yardstick.measured.best)
        header = f"{with_units(yardstick, chr(10))}\n{BETTER[yardstick.goal]}"
        columns.append(Column(header, marked_cells(yardstick.measured.values, marked, sign), True, marked))
    return TextTable(title, Column("run", tuple(names), right=False), tuple(columns), note)


def _upright(title: str, shown: Sequence[Yardstick], names: Sequence[str], sign: str, note: str) -> TextTable:
    columns = [Column("better", tuple(BETTER[yardstick.goal] for yardstick in shown), right=False)]
    for index, name in enumerate(names):
        marked = frozenset(row for row, yardstick in enumerate(shown) if index in yardstick.measured.best)
        values = [yardstick.measured.values[index] for yardstick in shown]
        columns.append(Column(name, marked_cells(values, marked, sign), True, marked))
    return TextTable(title, Column("yardstick", tuple(map(with_units, shown)), right=False), tuple(columns), note)
