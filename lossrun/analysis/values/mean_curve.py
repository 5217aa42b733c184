"""A column of one run's history as a curve: the mean over seeds, with the lowest and the highest."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final, Literal, TypeAlias

from lossrun.analysis.values import readings
from lossrun.analysis.values.seconds import SECONDS, clock
from lossrun.records.recorded import RecordedRun

XAxis: TypeAlias = Literal["epoch", "step", "seconds"]

_MOST_SLICES: Final = 1000  # of a curve; each keeps its extremes, so a picture looks the same


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """A column of one run, one value for each epoch.

    Attributes:
        run: The run's place among the runs given.
        seeds: How many seeds there are.
        xs: Epochs, steps, or the seconds of one seed since the start.
        means: The means over the seeds that trained in the epoch; NaN if one of them is not finite.
        lows: The lowest values over these seeds.
        highs: The highest values over these seeds.
    """

    run: int
    column: str
    seeds: int
    xs: tuple[float, ...]
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


def mean_curve(run: RecordedRun, column: str, x_axis: XAxis = "epoch", place: int = 0) -> LearningCurve | None:
    """Return the curve of one column of one run; None if the run does not have it.

    Args:
        place: The run's place among several.
    """
    points = list(_points(run, column, x_axis))
    if not points:
        return None
    kept = _thinned(points) if len(points) > 2 * _MOST_SLICES else points
    xs, means, lows, highs = zip(*kept, strict=True)
    return LearningCurve(place, column, len(run.seeds), xs, means, lows, highs)


def _points(run: RecordedRun, column: str, x_axis: XAxis) -> Iterator[tuple[float, float, float, float]]:
    """Yield x, mean, lowest, and highest value of each epoch."""
    elapsed, its = 0.0, clock(run)
    by_epoch = itemgetter("epoch")
    for epoch, rows in groupby(sorted(run.history.rows, key=by_epoch), key=by_epoch):
        group = list(rows)
        # The seconds of one seed: see analysis/values/seconds.py.
        turns = its.turns(epoch, {row["seed"] for row in group})
        elapsed += group[0].get("seconds", 0.0) / turns
        if column in SECONDS:
            group = [{**row, column: row[column] / turns} for row in group if column in row]
        spread = readings.column({row["seed"]: row for row in group}, column)
        if spread is None:
            continue
        values = spread.per_seed.values()
        x = {"epoch": epoch, "step": max(row["step"] for row in group), "seconds": elapsed}[x_axis]
        if all(map(math.isfinite, values)):
            yield x, spread.mean, min(values), max(values)
        else:
            yield x, math.nan, math.nan, math.nan


def _thinned(points: Sequence[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    """Keep the ends and extremes of each of many slices of a curve: no picture shows more."""
    bounds = [len(points) * number // _MOST_SLICES for number in range(_MOST_SLICES + 1)]
    kept: set[int] = set()
    for start, stop in pairwise(bounds):
        gaps = {place for place in range(start, stop) if math.isnan(points[place][1])}
        places = [place for place in range(start, stop) if place not in gaps]
        kept |= {start, stop - 1} | gaps
        for value in (1, 2, 3) if places else ():
            ordered = sorted(places, key=lambda place: points[place][value])
            kept |= {ordered[0], ordered[-1]}
    return [points[place] for place in sorted(kept)]
