"""Collect what `show` prints about one run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossrun.analysis.checkpoint_listing import SavedFile, best_weights, saved_files
from lossrun.analysis.comparison.remarks import remarks
from lossrun.analysis.learning_curves import usual_columns
from lossrun.analysis.values import readings
from lossrun.analysis.values.class_values import ClassValues, class_values
from lossrun.analysis.values.mean_curve import LearningCurve, mean_curve
from lossrun.analysis.values.readings import Spread
from lossrun.analysis.values.seconds import clock
from lossrun.catalog import metric_names
from lossrun.catalog.metric_names import Goal
from lossrun.records.recorded import UNVERIFIED, RecordedRun
from lossrun.records.status import Status


@dataclass(frozen=True, slots=True)
class ShownMetric:
    """A metric of one run, at its best and at its last epochs."""

    name: str
    goal: Goal | None
    at_best: Spread | None
    at_last: Spread | None


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Everything that `show` prints.

    Attributes:
        seconds: The wall time of all finished epochs, for all seeds together.
        arrangement: How the seeds trained, in words.
        by_class: The metrics for each class at the best epochs; None with a single output.
        best_weights: {seed: {name: weight}} of a model small enough to print.
    """

    path: Path
    name: str
    status: Status
    remarks: tuple[str, ...]
    epochs_done: int
    epochs_asked: int
    seeds: tuple[int, ...]
    best_metric: str
    best_epochs: dict[int, int]
    seconds: float
    arrangement: str
    metrics: tuple[ShownMetric, ...]
    by_class: ClassValues | None
    curves: tuple[LearningCurve, ...]
    config: dict[str, Any]
    environment: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    saved: tuple[SavedFile, ...]
    best_weights: dict[int, dict[str, float]]


def facts(run: RecordedRun) -> RunFacts:
    """Collect everything about one run."""
    best, last = readings.best_rows(run), readings.last_rows(run)
    tests_at_best, tests_at_last = (readings.test_rows(run, when) for when in ("test_at_best", "test_at_last"))
    metrics = [
        ShownMetric(name, metric_names.goal(name), readings.column(at_best, name), readings.column(at_last, name))
        for at_best, at_last in ((best, last), (tests_at_best, tests_at_last))
        for name in readings.metric_columns(at_last)
    ]
    rows = run.history.rows
    seconds_per_epoch = dict(zip(rows.column("epoch"), rows.column("seconds"), strict=True))
    return RunFacts(
        path=run.path,
        name=run.name,
        status=run.status,
        remarks=(*remarks(run), *(() if run.verified else (UNVERIFIED,))),
        epochs_done=readings.epochs_done(run),
        epochs_asked=run.config["epochs"],
        seeds=run.seeds,
        best_metric=run.config["best"]["metric"],
        best_epochs={seed: row["epoch"] for seed, row in best.items()},
        seconds=sum(filter(None, seconds_per_epoch.values())),
        arrangement=clock(run).arrangement,
        metrics=tuple(metrics),
        by_class=class_values(run),
        curves=tuple(curve for name in usual_columns(run) if (curve := mean_curve(run, name))),
        config=run.config,
        environment=run.environment,
        events=run.ledger,
        saved=saved_files(run.path, run.seeds),
        best_weights=best_weights(run),
    )
