"""Columns of the history over the course of training, mean over seeds, in panels whose values mean the same."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from lossrun.analysis.comparison import comparability
from lossrun.analysis.comparison.differences import component_text, config_differences
from lossrun.analysis.comparison.labels import labels, named_by_user
from lossrun.analysis.comparison.remarks import remarks
from lossrun.analysis.values import readings
from lossrun.analysis.values.readings import Goal
from lossrun.analysis.values.seconds import SECONDS, clock, shared
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.errors import UsageError
from lossrun.records.files.rows import Row
from lossrun.records.recorded import RecordedRun
from lossrun.shell import command

XAxis: TypeAlias = Literal["epoch", "step", "seconds"]

DECADES: Final = 2.0  # values that span more are drawn on a logarithmic axis
_MOST_SLICES: Final = 1000  # of a curve; each keeps its extremes, so no picture shows a difference
_POSITIONS: Final = ("epoch", "step", "seed")
_LOSSES: Final = ("val_loss", "train_loss")
_SPELLINGS: Final = {"lr": "learning_rate", "gradient_norm": "grad_norm"}
# What decides how long an epoch takes, besides the config.
_MACHINE: Final = ("host", "device", "threads")


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """A column of one run, a value per epoch. `run`: its place among the runs given; `xs`: epochs, steps or seconds
    of one seed since the start; `means`, `lows`, `highs`: over the seeds that trained in the epoch, NaN where one of
    them is not finite; `seeds`: how many seeds there are."""

    run: int
    column: str
    seeds: int
    xs: tuple[float, ...]
    means: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves that one axis may hold. `name`: a column, or `loss` for val_loss and train_loss together; `loss`: the
    configured one, where it or its gradient is what is drawn; `units`: as in the catalogue, of a regression's
    metrics, "" elsewhere; `log`: whether the axis is to be logarithmic."""

    name: str
    goal: Goal | None
    loss: str
    units: str
    log: bool
    curves: tuple[LearningCurve, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(curve.column for curve in self.curves))


@dataclass(frozen=True, slots=True)
class LearningCurves:
    """`labels`: what to call each run. `notes`: what to keep in mind of the curves, in plain words."""

    x_axis: XAxis
    labels: tuple[str, ...]
    panels: tuple[Panel, ...]
    notes: tuple[str, ...]


def learning_curves(
    runs: Sequence[RecordedRun],
    metrics: Sequence[str] = (),
    *,
    x_axis: XAxis = "epoch",
    log: bool | None = None,
    label: Sequence[str] = (),
    specs: Mapping[str, Path] = MappingProxyType({}),
) -> LearningCurves:
    """The course of each metric: a panel for each, and more where the runs' values do not mean the same.

    `metrics`: columns of the history or metrics in any spelling; `loss` is validation and training loss together;
    by default the task's primary metric on the validation data. `log`: whether the axes are logarithmic, by default
    where all values are above 0 and span more than two decades. `label`, `specs`: what the user calls runs, as
    `named_by_user` takes them. Raises UsageError for a run given twice, a metric that
    no run has, and where there is nothing to draw.
    """
    _check(runs)
    found = [dict.fromkeys(name for row in _sample(run) for name in row if name not in _POSITIONS) for run in runs]
    present = tuple(dict.fromkeys(name for names in found for name in names))
    if not present:
        listed = command("ls", runs_dir=runs[0].path.parent)
        raise UsageError(f"nothing to draw: no epoch is finished yet; plot a run when `{listed}` counts one")
    names = labels(runs, config_differences([run.config for run in runs])) if len(runs) > 1 else (runs[0].name,)
    names = named_by_user(label, [[run] for run in runs], names, specs)
    panels: list[Panel] = []
    notes: dict[str, None] = {}
    for columns in dict.fromkeys(_columns(metric, present) for metric in metrics or [_usual(runs, present)]):
        split, told = _panels(runs, columns, x_axis)
        panels += split
        notes.update(dict.fromkeys(told))
        lacking = [name for name, has in zip(names, found, strict=True) if not any(column in has for column in columns)]
        notes.update((f"{name} has no {' or '.join(columns)}", None) for name in lacking)
    scaled = [_scaled(panel, log) for panel in panels]
    notes.update((note, None) for _, told in scaled for note in told)
    timed = x_axis == "seconds" or any(column in SECONDS for panel in panels for column in panel.columns)
    notes.update(dict.fromkeys(_run_notes(runs, names, timed=timed)))
    return LearningCurves(x_axis, names, tuple(panel for panel, _ in scaled), tuple(notes))


def mean_curve(run: RecordedRun, column: str, x_axis: XAxis = "epoch", place: int = 0) -> LearningCurve | None:
    """One column of one run; None where it has none. `place`: of the run among others."""
    points = list(_points(run, column, x_axis))
    if not points:
        return None
    kept = _telling(points) if len(points) > 2 * _MOST_SLICES else points
    xs, means, lows, highs = zip(*kept, strict=True)
    return LearningCurve(place, column, len(run.seeds), xs, means, lows, highs)


def usual_columns(run: RecordedRun) -> list[str]:
    """The columns that tell most of a run: both losses, then the primary metrics; those that it has."""
    task = readings.task(run)
    present = {name for row in _sample(run) for name in row}
    names = ("train_loss", "val_loss", *(f"val_{name}" for name in (PRIMARY_METRICS[task] if task else ())))
    return [name for name in names if name in present]


def spans_decades(values: Sequence[float], goal: Goal | None) -> bool:
    """Whether a logarithmic axis shows more of the values. What is better higher has a scale of its own, to 1."""
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and goal != "max" and min(finite) > 0 and _decades(finite) > DECADES


def _decades(positive: Sequence[float]) -> float:
    return math.log10(max(positive)) - math.log10(min(positive))


def _check(runs: Sequence[RecordedRun]) -> None:
    paths = [run.path.resolve() for run in runs]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path.name} is given twice; plot needs different runs")


def _sample(run: RecordedRun) -> list[Row]:
    """Rows that have all columns between them: a run that was resumed by another version may have gained some."""
    return [*run.history.rows[:1], *run.history.rows[-1:]]


def _columns(metric: str, present: Sequence[str]) -> tuple[str, ...]:
    """The columns of a metric as somebody may call it."""
    name = _SPELLINGS.get(metric, metric)
    if name in present:
        return (name,)
    if name == "loss" and (losses := tuple(column for column in _LOSSES if column in present)):
        return losses
    if name.startswith("test_"):
        raise UsageError(
            f"--metric {metric}: the test data are scored once, at the end, so they have no curve; "
            "`show` and `compare` show them"
        )
    column = readings.meant(name, present, "train_" if name.startswith("train_") else "val_")
    if column in present:
        return (column,)
    both = ["loss"] if all(column in present for column in _LOSSES) else []
    raise UsageError(f"--metric {metric}: no run has it; expected one of {', '.join([*both, *present])}")


def _usual(runs: Sequence[RecordedRun], present: Sequence[str]) -> str:
    """What all configs say to compare on, else the primary metric, else what chose the best epochs."""
    configured = {run.config.get("compare_on") for run in runs}
    task = readings.task(runs[0])
    names = [*(PRIMARY_METRICS[task] if task else ())]
    if len(configured) == 1 and (asked := configured.pop()):
        names.insert(0, readings.meant(asked, [readings.bare(name) for name in present], ""))
    wanted = [*(f"val_{name}" for name in names), runs[0].config["best"]["metric"], "train_loss"]
    known = [{name for row in _sample(run) for name in row} for run in runs if run.history.rows]
    shared = [name for name in wanted if all(name in columns for columns in known)]
    return next((name for name in (*shared, *wanted) if name in present), present[0])


def _panels(runs: Sequence[RecordedRun], columns: tuple[str, ...], x_axis: XAxis) -> tuple[list[Panel], list[str]]:
    """A panel for each meaning that the first of the columns has, and what is to be said of that."""
    panels = []
    for group in _groups(runs, columns[0]):
        found = [mean_curve(runs[place], column, x_axis, place) for place in group for column in columns]
        curves = tuple(curve for curve in found if curve)
        if not curves:
            continue
        member = runs[curves[0].run]
        bare = readings.bare(columns[0])
        declared = readings.declaration(columns[0])
        in_units = declared and readings.task(member) == "regression" and bare != "loss"
        panels.append(
            Panel(
                name=columns[0] if len(columns) == 1 else bare,
                goal=readings.goal(columns[0]),
                loss=component_text("loss", member.config["loss"]) if bare in ("loss", "grad_norm") else "",
                units=declared.units if declared and in_units else "",
                log=False,
                curves=curves,
            )
        )
    notes = list(comparability.loss_columns(runs)[1]) if set(columns) & set(_LOSSES) else []
    if columns[0].startswith("val_"):
        notes += [f"not comparable: {reason}" for reason in comparability.reasons(_untested(runs), _letters(runs))]
    if len(panels) > 1:
        notes.append(f"{columns[0]} does not mean the same in all runs, so there are {len(panels)} pictures of it")
    return panels, notes


def _groups(runs: Sequence[RecordedRun], column: str) -> list[list[int]]:
    """The places of the runs, those together whose values may be read off one axis."""
    groups: list[list[int]] = []
    for place in range(len(runs)):
        fitting = (group for group in groups if _alike([runs[i] for i in (*group, place)], column))
        group = next(fitting, None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    return groups


def _alike(runs: Sequence[RecordedRun], column: str) -> bool:
    ranked, _ = comparability.loss_columns(runs)
    # The gradient is that of the training loss, and has its size.
    same = ranked.get("train_loss" if column == "grad_norm" else column, True)
    measured_alike = not (column.startswith("val_") and comparability.reasons(_untested(runs), _letters(runs)))
    return same and measured_alike


def _untested(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """The runs without what they say of the test data, which have no part in a curve."""

    def without(run: RecordedRun) -> RecordedRun:
        data = {part: digest for part, digest in run.environment.get("data", {}).items() if part != "test"}
        return replace(run, environment={**run.environment, "data": data})

    return [without(run) for run in runs]


def _letters(runs: Sequence[RecordedRun]) -> list[str]:
    return [run.name for run in runs]


def _points(run: RecordedRun, column: str, x_axis: XAxis) -> Iterator[tuple[float, float, float, float]]:
    """x, mean, lowest and highest value of each epoch."""
    elapsed, its = 0.0, clock(run)
    by_epoch = itemgetter("epoch")
    for epoch, rows in groupby(sorted(run.history.rows, key=by_epoch), key=by_epoch):
        group = list(rows)
        # Of one seed: see analysis/values/seconds.py.
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


def _telling(points: Sequence[tuple[float, float, float, float]]) -> list[tuple[float, float, float, float]]:
    """Of each of many slices of a curve the ends and all extremes: what a picture of less resolution shows."""
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


def _scaled(panel: Panel, log: bool | None) -> tuple[Panel, list[str]]:
    """The panel with its axis chosen, and what to say of it."""
    values = [value for curve in panel.curves for part in (curve.means, curve.lows, curve.highs) for value in part]
    finite = [value for value in values if math.isfinite(value)]
    above = [value for value in finite if value > 0]
    if not finite:
        raise UsageError(
            f"nothing to draw: {panel.name} is NaN or infinity in every epoch; `show` says what happened to the run"
        )
    if log is None:
        if not spans_decades(finite, panel.goal):
            return panel, []
        told = f"{panel.name} spans {_decades(above):.1f} decades, so its axis is logarithmic; --no-log is linear"
        return replace(panel, log=True), [told]
    if not log:
        return panel, []
    if not above:
        raise UsageError(f"--log: no value of {panel.name} is above 0; draw it without --log")
    left_out = len(above) < len(finite)
    return replace(panel, log=True), [f"values of {panel.name} that are not above 0 are left out"] if left_out else []


def _run_notes(runs: Sequence[RecordedRun], names: Sequence[str], *, timed: bool) -> Iterator[str]:
    """`timed`: seconds are drawn, or drawn over."""
    for run, name in zip(runs, names, strict=True):
        if len({row["epoch"] for row in readings.last_rows(run).values()}) > 1:
            yield "where a seed stops, the mean goes on over those that are left"
        yield from (f"{name}: {remark}" if len(runs) > 1 else remark for remark in remarks(run))
        if timed and len(run.seeds) > 1:
            together = shared(clock(run).at_once, len(run.seeds))
            told = f"the wall time that seeds share ({together})" if together else "of one seed, as seeds took turns"
            yield f"{name}: seconds are {told}" if len(runs) > 1 else f"seconds are {told}"
    if timed and any(len({run.environment.get(key) for run in runs}) > 1 for key in _MACHINE):
        yield "the wall times were taken on different machines, devices or numbers of threads"
