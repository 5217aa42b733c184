"""Rank the runs of a comparison by the metric that decides: the first table where there are many runs."""

import math
from typing import Final

from rich.console import Console

from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.metrics import ComparedMetric
from lossrun.catalog.metric_names import better, sign
from lossrun.report.comparison.compare_tables import marked_cells, moment, seeds_cell
from lossrun.report.layout.console import is_bounded
from lossrun.report.layout.text_table import Column, TextTable, print_pairs, print_table

MANY: Final = 4  # with more runs, a comparison opens with a leaderboard


def print_leaderboard(comparison: ComparedRuns, console: Console, plus_minus: str) -> None:
    """Print the leaderboard; columns that do not fit next to the labels are left out, then the labels follow below."""
    tables = [leaderboard(comparison, plus_minus, metrics=count) for count in range(len(_deciding(comparison)), 0, -1)]
    tables = tables or [leaderboard(comparison, plus_minus)]
    fitting = (table for table in tables if not is_bounded(console) or table.width <= console.width)
    if table := next(fitting, None):
        print_table(console, table)
        return
    print_table(console, leaderboard(comparison, plus_minus, labels=False))
    print_pairs(console, [(run.letter, run.label) for run in comparison.runs])


def leaderboard(
    comparison: ComparedRuns, plus_minus: str, *, labels: bool = True, metrics: int | None = None
) -> TextTable:
    """Make a table of the runs, best first by the first metric that decides; in their order if nothing does.

    Args:
        metrics: The most deciding metrics to show; None for all.
    """
    order = ranking(comparison)
    deciding = _deciding(comparison)
    columns: list[Column] = []
    if labels:
        columns.append(Column("run", tuple(comparison.runs[place].label for place in order), right=False))
    for metric in deciding[:metrics]:
        best = frozenset(row for row, place in enumerate(order) if place in metric.measured.best)
        cells = marked_cells([metric.measured.values[place] for place in order], best, plus_minus)
        columns.append(Column(f"{metric.name}\n{better(metric.goal)}", cells, emphasis=best))
    columns.append(Column("seeds", tuple(seeds_cell(comparison.runs[place]) for place in order)))
    letters = Column("", tuple(comparison.runs[place].letter for place in order), right=False)
    by = f" by {deciding[0].name} at {moment(comparison)}" if deciding else ""
    return TextTable(f"Leaderboard{by}", letters, tuple(columns))


def ranking(comparison: ComparedRuns) -> list[int]:
    """Return the numbers of the runs, best first; a run without a finite value comes last."""
    places = list(range(len(comparison.runs)))
    if not (deciding := _deciding(comparison)) or not comparison.comparable:
        return places
    metric = deciding[0]
    upward = sign(metric.goal or "min")

    def worth(place: int) -> float:
        value = metric.measured.values[place]
        return upward * value.mean if value and math.isfinite(value.mean) else -math.inf

    return sorted(places, key=worth, reverse=True)


def _deciding(comparison: ComparedRuns) -> list[ComparedMetric]:
    return [metric for metric in comparison.metrics if metric.decides and metric.goal]
