"""Collect what a page about several runs shows: the comparison and further findings, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from lossrun.analysis.comparison.compare import ComparedRuns, Curve
from lossrun.analysis.held_out import HeldOut, held_out
from lossrun.analysis.held_out_data import HeldOutData
from lossrun.analysis.sweeps.tuning import TuningResult
from lossrun.analysis.values import readings
from lossrun.analysis.values.class_values import ClassValues, class_values
from lossrun.analysis.values.curves import CurveRows, EpochIndex
from lossrun.analysis.values.groups import RunGroup, grouped
from lossrun.analysis.values.shared_seeds import on_shared_seeds
from lossrun.catalog import Task
from lossrun.records.recorded import RecordedRun
from lossrun.shell import PROGRAM

_COURSE: Final = ("learning_rate", "grad_norm")
_ENVIRONMENT: Final = ("lossrun", "torch", "python", "device", "device_name", "threads", "git_commit")
# The beginning of a recorded command line if lossrun was started with `python -m`.
_AS_MODULE: Final = "__main__.py"


@dataclass(frozen=True, slots=True)
class Member:
    """One recorded run.

    Attributes:
        command: The command that started it; "" if not recorded.
        environment: The facts of run.json that a repetition may depend on.
    """

    name: str
    path: Path
    command: str
    tags: tuple[str, ...]
    config: dict[str, Any]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run of the comparison.

    Attributes:
        members: The recorded runs that it consists of; usually one.
        held_out: The evaluation of its predictions.
        by_class: Its metrics for each class.
        images: {id: image of one of its worst examples, uint8 (H, W) or (H, W, 3)}.
    """

    members: tuple[Member, ...]
    held_out: HeldOut
    by_class: ClassValues | None = None
    images: dict[int, np.ndarray] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything on the page.

    Attributes:
        runs: One report for each run, in the comparison's order.
        task: The task; None if the runs have different ones.
        dataset: The name of the dataset; "" if the runs have different ones.
        course: The curves of the learning rate and the gradient norm.
        described: The curves of metrics that do not decide and that all runs have.
        tuning: How a sweep chose the values of the runs; None for any other runs.
        about: Which data the runs have, if a sweep has several: `dataset=moons`.
        pairs: The pair of each run of a sweep, as in `Board.pairs`.
        method: The sentence for a paper: how the runs of a sweep were tuned and compared.
    """

    comparison: ComparedRuns
    runs: tuple[RunReport, ...]
    task: Task | None
    dataset: str
    course: tuple[Curve, ...]
    described: tuple[Curve, ...]
    tuning: TuningResult | None = None
    about: str = ""
    pairs: tuple[str, ...] = ()
    method: str = ""


def report_data(
    runs: Sequence[RecordedRun],
    comparison: ComparedRuns,
    tuning: TuningResult | None = None,
    about: str = "",
    pairs: tuple[str, ...] = (),
    method: str = "",
    configs: Mapping[Path, Mapping[str, Any]] = MappingProxyType({}),
) -> ReportData:
    """Read what the page needs besides the `comparison` of these runs. What cannot be read is reported.

    Args:
        about: Which data the runs have, if a sweep has several.
        pairs: The pair of each run of a sweep.
        method: How these were tuned, in a sentence.
        configs: {directory: config} of runs that are compared under a config other than the one they were trained with.
    """
    groups = on_shared_seeds(grouped(runs))
    indices = [EpochIndex(group.run) for group in groups]
    data = HeldOutData()
    tasks = {readings.task(run) for run in runs}
    datasets = {run.config["dataset"]["name"] for run in runs}
    return ReportData(
        comparison=comparison,
        runs=tuple(_report(group, data, configs) for group in groups),
        task=tasks.pop() if len(tasks) == 1 else None,
        dataset=datasets.pop() if len(datasets) == 1 else "",
        course=_curves(_COURSE, indices),
        described=_curves(_described(comparison), indices) if comparison.comparable else (),
        tuning=tuning,
        about=about,
        pairs=pairs,
        method=method,
    )


def _report(group: RunGroup, data: HeldOutData, configs: Mapping[Path, Mapping[str, Any]]) -> RunReport:
    found = held_out(group.members, data.classes(group.members[0]))
    ids = [example.id for example in found.worst]
    return RunReport(
        members=tuple(_member(run, configs.get(run.path, run.config)) for run in group.members),
        held_out=found,
        by_class=class_values(group.run),
        images=data.images(group.members[0], found.part, ids) if ids else {},
    )


def _member(run: RecordedRun, config: Mapping[str, Any]) -> Member:
    facts = {key: run.environment.get(key) for key in _ENVIRONMENT}
    return Member(
        name=run.name,
        path=run.path,
        command=_command(run.environment.get("command") or ""),
        tags=tuple(map(str, run.config.get("tags") or ())),
        config=dict(config),
        environment={key: str(value) for key, value in facts.items() if value is not None},
    )


def _command(recorded: str) -> str:
    return f"{PROGRAM}{recorded.removeprefix(_AS_MODULE)}" if recorded.startswith(_AS_MODULE) else recorded


def _described(comparison: ComparedRuns) -> list[str]:
    shown = {curve.name for curve in comparison.curves}
    return [
        metric.name
        for metric in comparison.metrics
        if metric.descriptive
        and metric.name.startswith("val_")
        and metric.name not in shown
        and all(metric.at_last.values)
    ]


def _curves(names: Sequence[str], indices: Sequence[EpochIndex]) -> tuple[Curve, ...]:
    curves = (Curve(name, True, CurveRows(name, indices)) for name in names)
    return tuple(curve for curve in curves if curve.rows)
