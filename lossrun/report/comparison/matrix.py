"""Make the cross-loss matrix: every run by every metric that it was scored with, on one part of the data."""

from collections.abc import Iterator, Sequence
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.metrics import ComparedMetric
from lossrun.catalog.metric_names import bare, better
from lossrun.report.comparison.compare_tables import marked_cells, moment, with_units
from lossrun.report.layout.text_table import Column, TextTable

_PARTS: Final = {"test_": "Test data", "val_": "Validation data", "train_": "Training data"}


def matrices(comparison: ComparedRuns, names: Sequence[str], sign: str, *, upright: bool = False) -> list[TextTable]:
    """Make one table for each part of the data that has values, with the deciding metrics first.

    Args:
        names: What to call each run.
        upright: Whether metrics are rows and runs are columns, for narrow terminals.
    """
    tables = []
    for part, title in _PARTS.items():
        shown = [
            metric
            for metric in comparison.metrics
            if metric.name.removesuffix(bare(metric.name)) == part and any(metric.measured.values)
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


def _legend(shown: Sequence[ComparedMetric], sign: str, comparison: ComparedRuns) -> str:
    spreads = [value for metric in shown for value in metric.measured.values if value]
    over_seeds = any(value.deviation is not None for value in spreads)
    over = "seeds on different splits" if comparison.own_splits else "seeds"
    best = ("* best mean" if over_seeds else "* best value") if any(y.measured.best for y in shown) else ""
    spread = f"{sign} standard deviation over {over}" if over_seeds else ""
    return "; ".join(filter(None, (best, spread, *_of_fewer_seeds(shown, comparison))))


def _of_fewer_seeds(shown: Sequence[ComparedMetric], comparison: ComparedRuns) -> Iterator[str]:
    """Yield a note for each run with means over only some of its seeds, because others diverged or stopped."""
    for index, run in enumerate(comparison.runs):
        counts = {len(value.per_seed) for y in shown if (value := y.measured.values[index])} - {len(run.seeds)}
        if counts:
            yield f"{run.letter}: means over {' or '.join(map(str, sorted(counts)))} of {len(run.seeds)} seeds"


def _wide(title: str, shown: Sequence[ComparedMetric], names: Sequence[str], sign: str, note: str) -> TextTable:
    columns = []
    for metric in shown:
        marked = frozenset(metric.measured.best)
        header = f"{with_units(metric, chr(10))}\n{better(metric.goal)}"
        columns.append(Column(header, marked_cells(metric.measured.values, marked, sign), True, marked))
    return TextTable(title, Column("run", tuple(names), right=False), tuple(columns), note)


def _upright(title: str, shown: Sequence[ComparedMetric], names: Sequence[str], sign: str, note: str) -> TextTable:
    columns = [Column("better", tuple(better(metric.goal) for metric in shown), right=False)]
    for index, name in enumerate(names):
        marked = frozenset(row for row, metric in enumerate(shown) if index in metric.measured.best)
        values = [metric.measured.values[index] for metric in shown]
        columns.append(Column(name, marked_cells(values, marked, sign), True, marked))
    return TextTable(title, Column("metric", tuple(map(with_units, shown)), right=False), tuple(columns), note)
