"""How soon runs reach a target, and what their learning curves come to."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossrun.analysis.values import readings
from lossrun.analysis.values.groups import RunGroup
from lossrun.analysis.values.readings import Goal, Spread, spread
from lossrun.analysis.values.seconds import at_once, seed_seconds
from lossrun.errors import UsageError
from lossrun.records.files.rows import Row


@dataclass(frozen=True, slots=True)
class Reaching:
    """One run and the target. `epochs`: the first epoch there; `seconds`: the time that one seed took to its end, see
    `analysis/values/seconds.py`; both over the seeds that get there, None where none does. `at_once`: how many seeds
    shared
    these seconds at most, as they trained at once; 1: none did; None: not recorded. `never`: the seeds that do not get
    there. `area`: the mean height of the learning curve over the epochs that all runs have."""

    epochs: Spread | None
    seconds: Spread | None
    at_once: int | None
    never: tuple[int, ...]
    area: Spread | None


@dataclass(frozen=True, slots=True)
class Target:
    """`runs`: in the comparison's order. `epochs`: over how many `area` is taken."""

    metric: str
    goal: Goal
    value: float
    epochs: int
    runs: tuple[Reaching, ...]


def reaching(groups: Sequence[RunGroup], text: str, ranked: Mapping[str, bool]) -> Target:
    """`text`: `val_accuracy=0.97`, or any spelling of a metric of the history. `ranked`: as of `metrics`.

    Raises UsageError where it is not of that form, or the runs do not all have the column.
    """
    runs = [group.run for group in groups]
    name, _, number = text.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(f"target {text}: expected a metric and a number, such as val_accuracy=0.97")
    # A run that broke off before its first epoch shares everything.
    histories = [set().union(*last.values()) for run in runs if (last := readings.last_rows(run))]
    columns = set.intersection(*histories) if histories else set()
    column = readings.meant(name, columns, name.removesuffix(readings.bare(name)) or "val_")
    goal = readings.goal(column)
    if column not in columns or goal is None or not ranked.get(column, True):
        shared = sorted(c for c in columns if c.startswith("val_") and ranked.get(c, True) and readings.goal(c))
        raise UsageError(f"target {text}: expected a column that the runs' histories share: {', '.join(shared)}")
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
            if value >= target if goal == "max" else value <= target:
                reached[seed], seconds[seed] = row["epoch"], passed
                break
    areas = {seed: area for seed, course in rows.items() if (area := _area(course, column, epochs)) is not None}
    never = tuple(seed for seed in rows if seed not in reached)
    return Reaching(spread(reached), spread(seconds), at_once(group.members), never, spread(areas))


def _area(course: Sequence[Row], column: str, epochs: int) -> float | None:
    """The area under the curve from epoch 1 to `epochs`, by trapezoids, divided by its length.

    A seed that was stopped early keeps the value that it stopped with.
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
