"""Several runs side by side: what differs, what may be compared, and which is better by which yardstick."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lossrun.analysis import comparability, readings
from lossrun.analysis.curves import CurveRows, EpochIndex
from lossrun.analysis.differences import Difference, config_differences, labels, letters
from lossrun.analysis.readings import Goal, Row, Spread
from lossrun.analysis.remarks import remarks
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import METRICS, PRIMARY_YARDSTICKS
from lossrun.errors import UsageError
from lossrun.records.recorded import RecordedRun
from lossrun.records.status import Status

ROUNDING: Final = 1e-12  # relative


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """`letter`: A, B, C ... in the order given; `label`: what differs. `best_epochs`, by the run's own `best_metric`,
    and `last_epochs` are per seed. `remarks`: what to keep in mind, in plain words."""

    name: str
    letter: str
    label: str
    status: Status
    epochs_done: int
    epochs_asked: int
    seeds: tuple[int, ...]
    best_metric: str
    best_epochs: dict[int, int]
    last_epochs: dict[int, int]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A yardstick at one moment of each run. `values`: one per run. `differences`: each mean minus the first run's,
    None where they must not be subtracted. `best`: indices of the best runs, none where they cannot be ranked or are
    all equal."""

    values: tuple[Spread | None, ...]
    differences: tuple[float | None, ...]
    best: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """`name`: val_<name>, test_<name>, or a loss column that all runs share. `units`: of a
    regression's yardsticks, "" elsewhere. `primary`: one to decide by; all runs have it."""

    name: str
    goal: Goal | None
    units: str
    primary: bool
    at_best: Measured
    at_last: Measured

    @property
    def descriptive(self) -> bool:
        """Neither one to decide by nor what was minimised: a look at the same outputs through another loss."""
        return not self.primary and readings.bare(self.name) != "loss"


@dataclass(frozen=True, slots=True)
class Curve:
    """A column of the history, epoch by epoch. `rows`: per epoch one spread per run, None where it has no such epoch.
    `ranked`: whether the runs' values have the same meaning."""

    name: str
    ranked: bool
    rows: Mapping[int, tuple[Spread | None, ...]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`comparable` False: the yardsticks were not taken on the same data, or for the same task, and `reasons` says
    why. `refusals`: single comparisons that would mislead. `warnings`: differences of the environment. `notes`: how
    far the numbers carry."""

    runs: tuple[ComparedRun, ...]
    comparable: bool
    reasons: tuple[str, ...]
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]
    yardsticks: tuple[Yardstick, ...]
    curves: tuple[Curve, ...]


def compare(runs: Sequence[RecordedRun], metric: str | None = None) -> Comparison:
    """Compare two runs or more; the first is what the others are subtracted from.

    `metric` decides instead of the task's primary yardstick: `rmse`, `val_rmse`, any spelling of it. Raises UsageError
    for fewer than two runs, for the same one twice, and for a metric that the runs do not share.
    """
    _check(runs)
    differences = config_differences([run.config for run in runs])
    names, marks = labels(runs, differences), letters(len(runs))
    reasons = comparability.reasons(runs, marks)
    ranked, refusals = comparability.loss_columns(runs)
    best, last = [readings.best_rows(run) for run in runs], [readings.last_rows(run) for run in runs]
    at_best = [_tested(rows, readings.test_rows(run, "test_at_best")) for run, rows in zip(runs, best, strict=True)]
    at_last = [_tested(rows, readings.test_rows(run, "test_at_last")) for run, rows in zip(runs, last, strict=True)]
    columns = [readings.yardstick_columns(rows) for rows in at_last]
    primary = _primary(runs, _common(columns, ranked), metric, refusals)
    in_units = all(readings.task(run) == "regression" for run in runs)
    yardsticks = [
        _yardstick(name, name in primary, at_best, at_last, in_units=in_units, comparable=not reasons)
        for name in dict.fromkeys((*primary, *_in_order(_shown(runs, columns, ranked))))
    ]
    indices = [EpochIndex(run) for run in runs]
    shown = {**ranked, **{name: True for name in primary if name.startswith("val_") and name not in ranked}}
    curves = [Curve(name, same and not reasons, CurveRows(name, indices)) for name, same in shown.items()]
    return Comparison(
        runs=tuple(_compared(*facts) for facts in zip(runs, marks, names, best, last, strict=True)),
        comparable=not reasons,
        reasons=reasons,
        differences=(*differences, *comparability.training_data(runs)),
        warnings=comparability.environment_warnings(runs, marks),
        refusals=refusals,
        notes=comparability.notes(runs),
        yardsticks=tuple(yardsticks),
        curves=tuple(curve for curve in curves if curve.rows),
    )


def _check(runs: Sequence[RecordedRun]) -> None:
    if len(runs) < 2:
        raise UsageError(f"compare needs two runs or more, got {len(runs)}; `lossrun ls` lists the runs there are")
    paths = [run.path.resolve() for run in runs]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path.name} is given twice; compare needs different runs")


def _compared(
    run: RecordedRun, letter: str, label: str, best: Mapping[int, Row], last: Mapping[int, Row]
) -> ComparedRun:
    return ComparedRun(
        name=run.name,
        letter=letter,
        label=label,
        status=run.status,
        epochs_done=readings.epochs_done(run),
        epochs_asked=run.config["epochs"],
        seeds=run.seeds,
        best_metric=run.config["best"]["metric"],
        best_epochs={seed: row["epoch"] for seed, row in best.items()},
        last_epochs={seed: row["epoch"] for seed, row in last.items()},
        remarks=remarks(run),
    )


def _tested(rows: Mapping[int, Row], tests: Mapping[int, Row]) -> dict[int, Row]:
    """Each seed's history row at a moment, with its test yardsticks."""
    return {seed: {**row, **tests.get(seed, {})} for seed, row in rows.items()}


def _common(columns: Sequence[Sequence[str]], ranked: Mapping[str, bool]) -> list[str]:
    """The columns that every run has and whose values mean the same in each."""
    common = [name for name in columns[0] if all(name in other for other in columns[1:])]
    return [name for name in common if ranked.get(name, True)]


def _shown(runs: Sequence[RecordedRun], columns: Sequence[Sequence[str]], ranked: Mapping[str, bool]) -> Iterable[str]:
    """Also what only some runs have, such as cross-entropies beside a margin loss, or beside runs of older versions;
    but nothing of a part of the data on which not all were scored."""
    if len({readings.task(run) for run in runs}) > 1:
        return _common(columns, ranked)
    parts = set.intersection(*({_part(name) for name in names} for names in columns))
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
        names: tuple[str, ...] = PRIMARY_YARDSTICKS[task] if task else ()
        return tuple(column for name in names for column in columns if readings.bare(column) == name)
    declared = readings.declaration(asked)
    name = declared.name if declared else readings.bare(asked)
    found = tuple(column for column in columns if column == asked or readings.bare(column) == name)
    if not found and metric:
        known = ", ".join(dict.fromkeys(map(readings.bare, columns))) or "none"
        because = f"; {'; '.join(refusals)}" if name == "loss" and refusals else ""
        raise UsageError(f"--metric {metric}: the runs do not all have it{because}; they share: {known}")
    return found


def _yardstick(
    name: str,
    primary: bool,
    at_best: Sequence[dict[int, Row]],
    at_last: Sequence[dict[int, Row]],
    *,
    in_units: bool,
    comparable: bool,
) -> Yardstick:
    goal, declared = readings.goal(name), readings.declaration(name)
    moments = [
        _measured([readings.column(rows, name) for rows in moment], goal if comparable else None, comparable)
        for moment in (at_best, at_last)
    ]
    units = declared.units if declared and in_units else ""
    return Yardstick(name, goal, units, primary, *moments)


def _measured(values: Sequence[Spread | None], goal: Goal | None, comparable: bool) -> Measured:
    first = values[0]
    differences = tuple(
        _difference(value.mean, first.mean) if comparable and value and first and index else None
        for index, value in enumerate(values)
    )
    finite = {index: value.mean for index, value in enumerate(values) if value and math.isfinite(value.mean)}
    if goal is None or not finite:
        return Measured(tuple(values), differences, ())
    top = min(finite.values()) if goal == "min" else max(finite.values())
    best = tuple(index for index, mean in finite.items() if _difference(mean, top) == 0)
    return Measured(tuple(values), differences, best if len(best) < len(finite) else ())


def _difference(mean: float, other: float) -> float:
    """0 where only the rounding of the means differs: equal sums of other seeds' values are added up otherwise."""
    return 0.0 if math.isclose(mean, other, rel_tol=ROUNDING) else mean - other
