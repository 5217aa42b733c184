"""Prepare columns of the history for plots: means over seeds, in panels whose values mean the same."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from lossrun.analysis.comparison import comparability
from lossrun.analysis.comparison.differences import component_text, config_differences
from lossrun.analysis.comparison.labels import labels, named_by_user
from lossrun.analysis.comparison.remarks import remarks
from lossrun.analysis.given_runs import check_different
from lossrun.analysis.values import readings
from lossrun.analysis.values.mean_curve import LearningCurve, XAxis, mean_curve
from lossrun.analysis.values.seconds import SECONDS, clock, shared
from lossrun.catalog import metric_names
from lossrun.catalog.metric_names import Goal
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.errors import UsageError
from lossrun.records.files.rows import Row
from lossrun.records.recorded import RecordedRun
from lossrun.shell import command

DECADES: Final = 2.0  # values that span more get a logarithmic axis
_POSITIONS: Final = ("epoch", "step", "seed")
_LOSSES: Final = ("val_loss", "train_loss")
_SPELLINGS: Final = {"lr": "learning_rate", "gradient_norm": "grad_norm"}
# Facts, besides the config, that decide how long an epoch takes.
_MACHINE: Final = ("host", "device", "threads")


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves that may share one axis.

    Attributes:
        name: A column, or `loss` for val_loss and train_loss together.
        goal: Whether lower ("min") or higher ("max") values are better.
        loss: The configured loss, if the panel draws it or its gradient; otherwise "".
        units: The units of a regression metric; "" for others.
        log: Whether the axis is logarithmic.
    """

    name: str
    goal: Goal | None
    loss: str
    units: str
    log: bool
    curves: tuple[LearningCurve, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the curves, each once."""
        return tuple(dict.fromkeys(curve.column for curve in self.curves))


@dataclass(frozen=True, slots=True)
class LearningCurves:
    """The panels of a plot.

    Attributes:
        labels: What to call each run.
        notes: What to keep in mind about the curves, one sentence each.
    """

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
    """Prepare a panel for each metric, or several where its values differ in meaning between runs.

    Args:
        metrics: Columns of the history, or metrics in any spelling; `loss` means both val_loss and train_loss. By
            default the task's primary metric on the validation data.
        log: Whether the axes are logarithmic; by default if all values are above 0 and span more than two decades.
        label: What to call the runs, as `named_by_user` takes it.
        specs: {what a run was called on the command line: its directory}.

    Raises:
        UsageError: For a run given twice, a metric that no run has, or if there is nothing to draw.
    """
    check_different(runs, "plot")
    found = [dict.fromkeys(name for row in _sample(run) for name in row if name not in _POSITIONS) for run in runs]
    present = tuple(dict.fromkeys(name for names in found for name in names))
    if not present:
        listed = command("ls", runs_dir=runs[0].path.parent)
        raise UsageError(f"nothing to draw: no epoch is finished yet; `{listed}` shows the finished epochs of each run")
    names = labels(runs, config_differences([run.config for run in runs])) if len(runs) > 1 else (runs[0].name,)
    names = named_by_user(label, [[run] for run in runs], names, specs)
    panels: list[Panel] = []
    notes: dict[str, None] = {}
    for columns in dict.fromkeys(_columns(metric, present) for metric in metrics or [_usual(runs, present)]):
        split, found_notes = _panels(runs, columns, x_axis)
        panels += split
        notes.update(dict.fromkeys(found_notes))
        lacking = [name for name, has in zip(names, found, strict=True) if not any(column in has for column in columns)]
        notes.update((f"{name} has no {' or '.join(columns)}", None) for name in lacking)
    scaled = [_scaled(panel, log) for panel in panels]
    notes.update((note, None) for _, of_axis in scaled for note in of_axis)
    timed = x_axis == "seconds" or any(column in SECONDS for panel in panels for column in panel.columns)
    notes.update(dict.fromkeys(_run_notes(runs, names, timed=timed)))
    return LearningCurves(x_axis, names, tuple(panel for panel, _ in scaled), tuple(notes))


def usual_columns(run: RecordedRun) -> list[str]:
    """Return the columns that say most about a run: both losses, then the primary metrics, if it has them."""
    task = readings.task(run)
    present = {name for row in _sample(run) for name in row}
    names = ("train_loss", "val_loss", *(f"val_{name}" for name in (PRIMARY_METRICS[task] if task else ())))
    return [name for name in names if name in present]


def spans_decades(values: Sequence[float], goal: Goal | None) -> bool:
    """Return whether a logarithmic axis shows more of these values.

    Metrics for which higher is better end at 1, so they keep a linear axis.
    """
    finite = [value for value in values if math.isfinite(value)]
    return bool(finite) and goal != "max" and min(finite) > 0 and _decades(finite) > DECADES


def _decades(positive: Sequence[float]) -> float:
    return math.log10(max(positive)) - math.log10(min(positive))


def _sample(run: RecordedRun) -> list[Row]:
    """Return rows that together have all columns: a run resumed by another version may have gained some."""
    return [*run.history.rows[:1], *run.history.rows[-1:]]


def _columns(metric: str, present: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that a user's name for a metric means."""
    name = _SPELLINGS.get(metric, metric)
    if name in present:
        return (name,)
    if name == "loss" and (losses := tuple(column for column in _LOSSES if column in present)):
        return losses
    if name.startswith("test_"):
        raise UsageError(
            f"--metric {metric}: the test data are scored only once, at the end, so there is no curve; "
            "`show` and `compare` show test metrics"
        )
    column = metric_names.meant(name, present, "train_" if name.startswith("train_") else "val_")
    if column in present:
        return (column,)
    both = ["loss"] if all(column in present for column in _LOSSES) else []
    raise UsageError(f"--metric {metric}: no run has this metric; expected one of {', '.join([*both, *present])}")


def _usual(runs: Sequence[RecordedRun], present: Sequence[str]) -> str:
    """Return the default metric: what all configs name, else the primary one, else what chose the best epochs."""
    configured = {run.config.get("compare_on") for run in runs}
    task = readings.task(runs[0])
    names = [*(PRIMARY_METRICS[task] if task else ())]
    if len(configured) == 1 and (asked := configured.pop()):
        names.insert(0, metric_names.meant(asked, [metric_names.bare(name) for name in present], ""))
    wanted = [*(f"val_{name}" for name in names), runs[0].config["best"]["metric"], "train_loss"]
    known = [{name for row in _sample(run) for name in row} for run in runs if run.history.rows]
    shared = [name for name in wanted if all(name in columns for columns in known)]
    return next((name for name in (*shared, *wanted) if name in present), present[0])


def _panels(runs: Sequence[RecordedRun], columns: tuple[str, ...], x_axis: XAxis) -> tuple[list[Panel], list[str]]:
    """Return a panel for each meaning that the first column has, and notes about it."""
    panels = []
    for group in _groups(runs, columns[0]):
        found = [mean_curve(runs[place], column, x_axis, place) for place in group for column in columns]
        curves = tuple(curve for curve in found if curve)
        if not curves:
            continue
        member = runs[curves[0].run]
        bare = metric_names.bare(columns[0])
        declared = metric_names.declaration(columns[0])
        in_units = declared and readings.task(member) == "regression" and bare != "loss"
        panels.append(
            Panel(
                name=columns[0] if len(columns) == 1 else bare,
                goal=metric_names.goal(columns[0]),
                loss=component_text("loss", member.config["loss"]) if bare in ("loss", "grad_norm") else "",
                units=declared.units if declared and in_units else "",
                log=False,
                curves=curves,
            )
        )
    notes = list(comparability.loss_columns(runs)[1]) if set(columns) & set(_LOSSES) else []
    if columns[0].startswith("val_"):
        notes += [
            f"not comparable: {reason}" for reason in comparability.reasons(_untested(runs), [run.name for run in runs])
        ]
    if len(panels) > 1:
        notes.append(f"{columns[0]} does not mean the same in all runs, so it is drawn in {len(panels)} separate plots")
    return panels, notes


def _groups(runs: Sequence[RecordedRun], column: str) -> list[list[int]]:
    """Return the places of the runs, grouped by which may share an axis."""
    groups: list[list[int]] = []
    for place in range(len(runs)):
        fitting = (group for group in groups if _share_axis([runs[i] for i in (*group, place)], column))
        group = next(fitting, None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    return groups


def _share_axis(runs: Sequence[RecordedRun], column: str) -> bool:
    """Return whether the runs' values of a column may be read off one axis."""
    ranked, _ = comparability.loss_columns(runs)
    # The gradient is the gradient of the training loss, so its size depends on the loss.
    same = ranked.get("train_loss" if column == "grad_norm" else column, True)
    same_data = not (column.startswith("val_") and comparability.reasons(_untested(runs), [run.name for run in runs]))
    return same and same_data


def _untested(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """Return the runs without the hashes of their test data, because these have no curves."""

    def without(run: RecordedRun) -> RecordedRun:
        data = {part: digest for part, digest in run.environment.get("data", {}).items() if part != "test"}
        return replace(run, environment={**run.environment, "data": data})

    return [without(run) for run in runs]


def _scaled(panel: Panel, log: bool | None) -> tuple[Panel, list[str]]:
    """Choose the panel's axis; also return notes about it."""
    values = [value for curve in panel.curves for part in (curve.means, curve.lows, curve.highs) for value in part]
    finite = [value for value in values if math.isfinite(value)]
    above = [value for value in finite if value > 0]
    if not finite:
        raise UsageError(f"nothing to draw: {panel.name} is NaN or infinity in every epoch; `show` says why")
    if log is None:
        if not spans_decades(finite, panel.goal):
            return panel, []
        text = f"{panel.name} spans {_decades(above):.1f} decades, so its axis is logarithmic (linear: --no-log)"
        return replace(panel, log=True), [text]
    if not log:
        return panel, []
    if not above:
        raise UsageError(
            f"--log: no value of {panel.name} is above 0, so a logarithmic axis cannot show it; leave out --log"
        )
    left_out = len(above) < len(finite)
    return replace(panel, log=True), [f"values of {panel.name} that are 0 or below are left out"] if left_out else []


def _run_notes(runs: Sequence[RecordedRun], names: Sequence[str], *, timed: bool) -> Iterator[str]:
    """Yield notes about the runs.

    Args:
        timed: Whether seconds are drawn, on either axis.
    """
    for run, name in zip(runs, names, strict=True):
        if len({row["epoch"] for row in readings.last_rows(run).values()}) > 1:
            yield "after a seed stops, the mean is over the remaining seeds"
        yield from (f"{name}: {remark}" if len(runs) > 1 else remark for remark in remarks(run))
        if timed and len(run.seeds) > 1:
            together = shared(clock(run).at_once, len(run.seeds))
            which = f"shared wall time ({together})" if together else "for one seed: the seeds trained in turn"
            yield f"{name}: seconds are {which}" if len(runs) > 1 else f"seconds are {which}"
    if timed and any(len({run.environment.get(key) for run in runs}) > 1 for key in _MACHINE):
        yield "the wall times were measured on different machines, devices, or numbers of threads"
