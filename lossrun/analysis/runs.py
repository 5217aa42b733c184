"""Collect what `ls` prints about runs, one line each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lossrun.analysis.comparison.differences import component_text
from lossrun.analysis.values import readings
from lossrun.analysis.values.readings import Spread
from lossrun.analysis.values.seconds import SECONDS, clock
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.errors import RunError
from lossrun.records.files.json_lines import collector_paused
from lossrun.records.files.rows import Row
from lossrun.records.recorded import RecordedRun
from lossrun.records.status import Status
from lossrun.records.summary import load_summary


@dataclass(frozen=True, slots=True)
class RunRow:
    """A line of `ls`.

    Attributes:
        metric: The task's first primary metric on the validation data, or without these the metric that chose the best
            epochs.
        value: The metric at the best epochs.
        age: Seconds since the run started; None if its ledger does not say.
        started: The time of the start in ISO format; None if its ledger does not say.
        config: The effective config.
        at_best: {seed: everything measured at its best epoch, test metrics included}.
    """

    path: Path
    name: str
    status: Status
    epochs_done: int
    epochs_asked: int
    seeds: int
    loss: str
    optimizer: str
    learning_rate: float
    metric: str | None
    value: Spread | None
    age: float | None
    started: str | None
    config: dict[str, Any]
    at_best: dict[int, Row]


@dataclass(frozen=True, slots=True)
class Listing:
    """The lines of `ls`.

    Attributes:
        problems: Why directories that look like runs could not be read, one sentence each.
        sorted_by: The key or metric that the rows are sorted by; None if they are in the order of their start.
    """

    rows: tuple[RunRow, ...]
    problems: tuple[str, ...]
    sorted_by: str | None = None


def listing(paths: Sequence[Path], now: datetime | None = None) -> Listing:
    """List the runs in `paths`, in their order. A run that cannot be read is reported and hides no other."""
    rows: list[RunRow] = []
    problems: list[str] = []
    texts: dict[str, str] = {}

    def text(kind: str, component: Any) -> str:
        """Return the text of a component; thousands of runs share a few of them."""
        key = f"{kind} {component!r}"
        if key not in texts:
            texts[key] = component_text(kind, component)
        return texts[key]

    with collector_paused():
        for path in paths:
            try:
                run = load_summary(path)
                problems += [f"{run.name}: {edit}" for edit in run.edited]
                if lost := readings.lost_history(run):
                    problems.append(f"{run.name} {lost}")
                rows.append(_row(run, now or datetime.now(UTC), text))
            except (RunError, OSError) as error:
                problems.append(str(error))
    return Listing(tuple(rows), tuple(problems))


def _row(run: RecordedRun, now: datetime, text: Callable[[str, Any], str]) -> RunRow:
    best = readings.best_rows(run)
    tests = readings.test_rows(run, "test_at_best")
    task = readings.task(run)
    names = [*(f"val_{name}" for name in (PRIMARY_METRICS[task] if task else ())), run.config["best"]["metric"]]
    metric = next((name for name in names if readings.column(best, name)), None)
    started = run.ledger[0]["time"] if run.ledger else None
    return RunRow(
        path=run.path,
        name=run.name,
        status=run.status,
        epochs_done=readings.epochs_done(run),
        epochs_asked=run.config["epochs"],
        seeds=len(run.seeds),
        loss=text("loss", run.config["loss"]),
        optimizer=text("optimizer", run.config["optimizer"]),
        learning_rate=run.config["learning_rate"],
        metric=metric,
        value=readings.column(best, metric) if metric else None,
        age=(now - datetime.fromisoformat(started)).total_seconds() if started else None,
        started=started,
        config=run.config,
        at_best={seed: {**row, **tests.get(seed, {})} for seed, row in _of_one_seed(run, best).items()},
    )


def _of_one_seed(run: RecordedRun, best: dict[int, Row]) -> dict[int, Row]:
    """Return the rows with the seconds that one seed took, because runs may be sorted by them."""
    if len(run.seeds) == 1:
        return best
    its = clock(run)
    if its.at_once in (None, len(run.seeds)):
        return best
    active: dict[int, set[int]] = {row["epoch"]: set() for row in best.values()}
    for epoch, seed in zip(run.history.rows.column("epoch"), run.history.rows.column("seed"), strict=True):
        if epoch in active:
            active[epoch].add(seed)
    turns = {epoch: its.turns(epoch, seeds) for epoch, seeds in active.items()}
    return {
        seed: {**row, **{name: row[name] / turns[row["epoch"]] for name in SECONDS if name in row}}
        for seed, row in best.items()
    }
