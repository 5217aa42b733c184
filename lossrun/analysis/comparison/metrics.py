"""The metrics of several runs: which of them are shown and which decide, and each run's values."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from lossrun.analysis.values import readings
from lossrun.analysis.values.readings import Goal, Spread
from lossrun.analysis.values.statistics import difference
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import METRICS, PRIMARY_METRICS
from lossrun.errors import UsageError
from lossrun.records.files.rows import Row
from lossrun.records.recorded import RecordedRun

Moment: TypeAlias = Literal["best", "last"] | int  # each run's best epoch, its last, or one of that number

_PARTS: Final = ("test_", "val_", "train_")  # what decides, in this order: the test data chose nothing


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric at one moment of each run. `values`: one per run. `best`: indices of the runs with the best mean,
    none where they cannot be ranked, are not over the same seeds, or are all equal. A run with a seed that diverged is
    never among them; where its other seeds have the best mean, there are none."""

    values: tuple[Spread | None, ...]
    best: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ComparedMetric:
    """`name`: val_<name>, test_<name>, or a loss column that all runs share. `units`: of a
    regression's metrics, "" elsewhere. `primary`: one of the task's, or the one asked for; all runs have it.
    `decides`: verdicts are given on it. `measured`: at the moment of the comparison."""

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
        """Neither one to decide by nor what was minimised: a look at the same outputs through another loss."""
        return not self.primary and readings.bare(self.name) != "loss"


@dataclass(frozen=True, slots=True)
class Moments:
    """The rows of one run: per seed, at its best epoch, at its last, and at the moment of the comparison."""

    best: dict[int, Row]
    last: dict[int, Row]
    shown: dict[int, Row]
    diverged: bool


def moment_of(text: str) -> Moment:
    """`best`, `last`, or the number of an epoch. Raises UsageError for anything else."""
    words: dict[str, Moment] = {"best": "best", "last": "last"}
    if text in words:
        return words[text]
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--at {text}: expected best, last or the number of an epoch") from None


def moments(run: RecordedRun, at: Moment) -> Moments:
    """History rows with the test metrics of the same moment. There are none at an epoch asked for by number, nor
    of a run whose history has lost the moment that they were taken at."""
    best = _tested(readings.best_rows(run), readings.test_rows(run, "test_at_best"))
    last = _tested(readings.last_rows(run), readings.test_rows(run, "test_at_last"))
    shown = best if at == "best" else last if at == "last" else readings.rows_at(run, at)
    return Moments(best, last, shown, bool(readings.diverged_seeds(run)))


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
    """Everything that the runs were scored by, what decides first. `pending`: whose values are not their last word.
    `ranked`: whether each column of the configured loss means the same in all runs, and `refusals` why not. Raises
    UsageError for a metric that they do not share."""
    # A run that broke off, and lacks test values for that, must not keep the others from being judged by theirs.
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


def _tested(rows: Mapping[int, Row], tests: Mapping[int, Row]) -> dict[int, Row]:
    """Each seed's history row at a moment, with its test metrics."""
    return {seed: {**row, **tests.get(seed, {})} for seed, row in rows.items()}


def _common(columns: Sequence[Sequence[str]], ranked: Mapping[str, bool]) -> list[str]:
    """The columns that every run has and whose values mean the same in each."""
    common = [name for name in (columns[0] if columns else ()) if all(name in other for other in columns[1:])]
    return [name for name in common if ranked.get(name, True)]


def _shown(runs: Sequence[RecordedRun], columns: Sequence[Sequence[str]], ranked: Mapping[str, bool]) -> Iterable[str]:
    """Also what only some runs have, such as cross-entropies beside a margin loss, or beside runs of older versions;
    but nothing of a part of the data on which not all were scored."""
    if len({readings.task(run) for run in runs}) > 1:
        return _common(columns, ranked)
    parts = set.intersection(*({_part(name) for name in names} for names in columns)) if columns else set()
    found = dict.fromkeys(name for names in columns for name in names)
    return [name for name in found if _part(name) in parts and ranked.get(name, True)]


def _part(name: str) -> str:
    return name.removesuffix(readings.bare(name))


def _in_order(columns: Iterable[str]) -> list[str]:
    """The configured loss first, then by the catalogue, validation and test side by side."""
    places = {declared.name: place for place, declared in enumerate((*LOSSES, *METRICS))}
    return sorted(columns, key=lambda name: _place(readings.bare(name), places))


def _place(name: str, places: Mapping[str, int]) -> int:
    return -1 if name == "loss" else places.get(name, len(places))


def _primary(
    runs: Sequence[RecordedRun], columns: Sequence[str], metric: str | None, refusals: tuple[str, ...]
) -> tuple[str, ...]:
    """The columns to decide by: as asked for, as all configs say, or as the task has it."""
    configured = {run.config.get("compare_on") for run in runs}
    asked = metric or (configured.pop() if len(configured) == 1 else None)
    if asked is None:
        task = readings.task(runs[0])
        names: tuple[str, ...] = PRIMARY_METRICS[task] if task else ()
        return tuple(column for name in names for column in columns if readings.bare(column) == name)
    name = readings.meant(asked, set(map(readings.bare, columns)), "")
    part = asked.removesuffix(readings.bare(asked))  # "" asks for whichever part decides
    found = tuple(column for column in columns if readings.bare(column) == name and column.startswith(part))
    if not found and metric:
        known = ", ".join(dict.fromkeys(map(readings.bare, columns))) or "none"
        because = f"; {'; '.join(refusals)}" if name == "loss" and refusals else ""
        raise UsageError(f"--metric {metric}: the runs do not all have it{because}; they share: {known}")
    return found


def _metric(
    name: str, rows: Sequence[Moments], primary: bool, decides: bool, *, in_units: bool, comparable: bool
) -> ComparedMetric:
    goal, declared = readings.goal(name), readings.declaration(name)
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
    top = min(candidates.values()) if goal == "min" else max(candidates.values())
    if any((mean < top) == (goal == "min") and difference(mean, top) for mean in finite.values()):
        return Measured(tuple(values), ())  # a mark beside a worse mean would only be asked about
    best = tuple(index for index, mean in candidates.items() if difference(mean, top) == 0)
    return Measured(tuple(values), best if len(best) < len(finite) else ())
