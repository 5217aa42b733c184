"""Measure how soon runs reach a target, and the mean height of their learning curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossrun.analysis.values import readings
from lossrun.analysis.values.groups import RunGroup
from lossrun.analysis.values.readings import Spread, spread
from lossrun.analysis.values.seconds import at_once, seed_seconds
from lossrun.catalog import metric_names
from lossrun.catalog.metric_names import Goal, sign
from lossrun.errors import UsageError
from lossrun.records.files.rows import Row


@dataclass(frozen=True, slots=True)
class Reaching:
    """How one run reaches the target.

    Attributes:
        epochs: The first epoch at the target, over the seeds that reach it; None if no seed does.
        seconds: The time that one seed took until the end of that epoch, see `analysis/values/seconds.py`.
        at_once: The most seeds that shared these seconds because they trained at once; 1 if each had its own, None if
            not recorded.
        never: The seeds that do not reach the target.
        area: The mean height of the learning curve over the epochs that all runs have.
    """

    epochs: Spread | None
    seconds: Spread | None
    at_once: int | None
    never: tuple[int, ...]
    area: Spread | None


@dataclass(frozen=True, slots=True)
class Target:
    """A target and how each run reaches it.

    Attributes:
        goal: Whether lower ("min") or higher ("max") values are better.
        epochs: The number of epochs that each run's `area` is over.
        runs: One result for each run, in the comparison's order.
    """

    metric: str
    goal: Goal
    value: float
    epochs: int
    runs: tuple[Reaching, ...]


def reaching(groups: Sequence[RunGroup], text: str, ranked: Mapping[str, bool]) -> Target:
    """Measure how soon each run reaches a target.

    Args:
        text: `val_accuracy=0.97`, with any spelling of a metric of the history.
        ranked: {column of the configured loss: whether it means the same in all runs}.

    Raises:
        UsageError: If the text has another form, or not all runs have the column.
    """
    runs = [group.run for group in groups]
    name, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"target {text}: expected a metric and a number, such as val_accuracy=0.97")
    # A run without a finished epoch limits nothing.
    histories = [set().union(*last.values()) for run in runs if (last := readings.last_rows(run))]
    columns = set.intersection(*histories) if histories else set()
    column = metric_names.meant(name, columns, name.removesuffix(metric_names.bare(name)) or "val_")
    goal = metric_names.goal(column)
    if column not in columns or goal is None or not ranked.get(column, True):
        shared = sorted(c for c in columns if c.startswith("val_") and ranked.get(c, True) and metric_names.goal(c))
        raise UsageError(
            f"target {text}: expected a metric that every run recorded in its history: {', '.join(shared)}"
        )
    if value > (most := metric_names.largest(column)):
        raise UsageError(f"target {text}: {metric_names.bare(column)} lies between 0 and {most:g}; 97 % is 0.97")
    epochs = min(map(readings.epochs_done, runs))
    return Target(column, goal, value, epochs, tuple(_reaching(group, column, goal, value, epochs) for group in groups))


def _reaching(group: RunGroup, column: str, goal: Goal, target: float, epochs: int) -> Reaching:
    rows: dict[int, list[Row]] = {seed: [] for seed in group.run.seeds}
    took = seed_seconds(group.members)
    for row in group.run.history.rows:
        rows.setdefault(row["seed"], []).append(row)
    reached: dict[int, int] = {}
    seconds: dict[int, float] = {}
    for seed, course in rows.items():
        passed = 0.0
        for row in course:
            passed += took[seed][row["epoch"]]
            value = row.get(column, math.nan)
            if value * sign(goal) >= target * sign(goal):
                reached[seed], seconds[seed] = row["epoch"], passed
                break
    areas = {seed: area for seed, course in rows.items() if (area := _area(course, column, epochs)) is not None}
    never = tuple(seed for seed in rows if seed not in reached)
    return Reaching(spread(reached), spread(seconds), at_once(group.members), never, spread(areas))


def _area(course: Sequence[Row], column: str, epochs: int) -> float | None:
    """Return the area under the curve from epoch 1 to `epochs`, by trapezoids, divided by its length.

    A seed that stopped early keeps its last value.
    """
    values = {row["epoch"]: row[column] for row in course if column in row}
    if not values or epochs < 1 or min(values) > 1:
        return None
    heights: list[float] = []
    for epoch in range(1, epochs + 1):
        heights.append(values.get(epoch, heights[-1] if heights else math.nan))
    if len(heights) == 1:
        return heights[0]
    return (sum(heights) - (heights[0] + heights[-1]) / 2) / (len(heights) - 1)
