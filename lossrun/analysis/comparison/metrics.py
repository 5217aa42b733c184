"""Choose the metrics of a comparison: which are shown, which decide, and each run's values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lossrun.analysis.comparison.moments import Moments
from lossrun.analysis.values import readings
from lossrun.analysis.values.paired_differences import difference
from lossrun.analysis.values.readings import Spread
from lossrun.catalog import metric_names
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metric_names import Goal, sign
from lossrun.catalog.metrics import METRICS, PRIMARY_METRICS
from lossrun.errors import UsageError
from lossrun.records.recorded import RecordedRun

_PARTS: Final = (
    "test_",
    "val_",
    "train_",
)  # the order in which they decide: test data come first because they chose nothing


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric at one moment of each run.

    Attributes:
        values: One spread for each run; None for a run without a value.
        best: The indices of the runs with the best mean. Empty if the runs cannot be ranked, are over different seeds,
            or are all equal, or if a run with diverged seeds has the best mean. A run with a diverged seed is never in
            it.
    """

    values: tuple[Spread | None, ...]
    best: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """A metric and its values in all runs.

    Attributes:
        name: val_<name>, test_<name>, or a loss column that all runs share.
        goal: Whether lower ("min") or higher ("max") values are better.
        units: The units of a regression metric; "" for others.
        primary: Whether it is a primary metric of the task, or the metric asked for; all runs have it.
        at_best: The values at each run's best epoch.
        at_last: The values at each run's last epoch.
        measured: The values at the moment of the comparison.
        decides: Whether verdicts are based on it.
    """

    name: str
    goal: Goal | None
    units: str
    primary: bool
    at_best: Measured
    at_last: Measured
    measured: Measured
    decides: bool

    @property
    def descriptive(self) -> bool:
        """Whether the metric is only informative: it does not decide, and no run minimized it."""
        return not self.primary and metric_names.bare(self.name) != "loss"


def compared_metrics(
    runs: Sequence[RecordedRun],
    rows: Sequence[Moments],
    *,
    pending: Sequence[bool],
    ranked: Mapping[str, bool],
    refusals: tuple[str, ...],
    metric: str | None,
    comparable: bool,
) -> tuple[ComparedMetric, ...]:
    """Return every metric that the runs were scored with, the deciding ones first.

    Args:
        pending: Which runs do not have their final values yet.
        ranked: {column of the configured loss: whether it means the same in all runs}.
        refusals: Why some do not.
        metric: The metric to decide by; None for the primary metrics.
        comparable: Whether the runs can be ranked.

    Raises:
        UsageError: For a metric that the runs do not share.
    """
    # A run that ended early has no test values; the other runs are still compared by theirs.
    everybody = pending.count(False) < 2
    columns = [
        found
        for moment, unsettled in zip(rows, pending, strict=True)
        if (everybody or not unsettled) and (found := readings.metric_columns(moment.last))
    ]
    primary = _primary(runs, _common(columns, ranked), metric, refusals)
    in_units = all(readings.task(run) == "regression" for run in runs)
    measurable = [name for name in primary if sum(bool(readings.column(moment.shown, name)) for moment in rows) > 1]
    deciding = next((found for part in _PARTS if (found := [n for n in measurable if n.startswith(part)])), [])
    return tuple(
        _metric(name, rows, name in primary, name in deciding, in_units=in_units, comparable=comparable)
        for name in dict.fromkeys((*deciding, *primary, *_in_order(_shown(runs, columns, ranked))))
    )


def _common(columns: Sequence[Sequence[str]], ranked: Mapping[str, bool]) -> list[str]:
    """Return the columns that every run has and that mean the same in every run."""
    common = [name for name in (columns[0] if columns else ()) if all(name in other for other in columns[1:])]
    return [name for name in common if ranked.get(name, True)]


def _shown(runs: Sequence[RecordedRun], columns: Sequence[Sequence[str]], ranked: Mapping[str, bool]) -> Iterable[str]:
    """Return the columns to show, including those that only some runs have.

    Examples are the cross-entropies of runs that are compared with a margin loss or with a run of an older version.
    Columns of a part of the data on which not all runs were scored are left out.
    """
    if len({readings.task(run) for run in runs}) > 1:
        return _common(columns, ranked)
    parts = set.intersection(*({_part(name) for name in names} for names in columns)) if columns else set()
    found = dict.fromkeys(name for names in columns for name in names)
    return [name for name in found if _part(name) in parts and ranked.get(name, True)]


def _part(name: str) -> str:
    return name.removesuffix(metric_names.bare(name))


def _in_order(columns: Iterable[str]) -> list[str]:
    """Sort columns: the configured loss first, then as in the catalog, validation next to test."""
    places = {declared.name: place for place, declared in enumerate((*LOSSES, *METRICS))}
    return sorted(columns, key=lambda name: _place(metric_names.bare(name), places))


def _place(name: str, places: Mapping[str, int]) -> int:
    return -1 if name == "loss" else places.get(name, len(places))


def _primary(
    runs: Sequence[RecordedRun], columns: Sequence[str], metric: str | None, refusals: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the columns that decide: those asked for, those that all configs name, or the task's."""
    configured = {run.config.get("compare_on") for run in runs}
    asked = metric or (configured.pop() if len(configured) == 1 else None)
    if asked is None:
        task = readings.task(runs[0])
        names: tuple[str, ...] = PRIMARY_METRICS[task] if task else ()
        return tuple(column for name in names for column in columns if metric_names.bare(column) == name)
    name = metric_names.meant(asked, set(map(metric_names.bare, columns)), "")
    part = asked.removesuffix(metric_names.bare(asked))  # "": whichever part decides
    found = tuple(column for column in columns if metric_names.bare(column) == name and column.startswith(part))
    if not found and metric:
        known = ", ".join(dict.fromkeys(map(metric_names.bare, columns))) or "no metric"
        why = "; ".join(refusals) if name == "loss" and refusals else "not all runs have this metric"
        raise UsageError(f"--metric {metric}: {why}; they share: {known}")
    return found


def _metric(
    name: str, rows: Sequence[Moments], primary: bool, decides: bool, *, in_units: bool, comparable: bool
) -> ComparedMetric:
    goal, declared = metric_names.goal(name), metric_names.declaration(name)
    unranked = frozenset(index for index, moment in enumerate(rows) if moment.diverged)
    best, last, shown = (
        _measured([readings.column(found, name) for found in each], goal, unranked, comparable)
        for each in zip(*((moment.best, moment.last, moment.shown) for moment in rows), strict=True)
    )
    units = declared.units if declared and in_units else ""
    return ComparedMetric(name, goal, units, primary, best, last, shown, decides)


def _measured(
    values: Sequence[Spread | None], goal: Goal | None, unranked: frozenset[int], comparable: bool
) -> Measured:
    finite = {index: value.mean for index, value in enumerate(values) if value and math.isfinite(value.mean)}
    candidates = {index: mean for index, mean in finite.items() if index not in unranked}
    over = {frozenset(value.per_seed) for index, value in enumerate(values) if value and index in candidates}
    if goal is None or not comparable or len(over) != 1:
        return Measured(tuple(values), ())
    top = max(candidates.values(), key=lambda mean: mean * sign(goal))
    if any(difference(mean, top) * sign(goal) > 0 for mean in finite.values()):
        return Measured(tuple(values), ())  # a mark next to a worse mean would only confuse
    best = tuple(index for index, mean in candidates.items() if difference(mean, top) == 0)
    return Measured(tuple(values), best if len(best) < len(finite) else ())
