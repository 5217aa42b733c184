"""Read single values from a recorded run: at a seed's best or last epoch, and their spread over seeds."""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Literal

from lossrun.catalog import Task, get
from lossrun.catalog.declaration import TASKS, DatasetDeclaration
from lossrun.catalog.metric_names import sign
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.records.files.rows import Row
from lossrun.records.recorded import RecordedRun


@dataclass(frozen=True, slots=True)
class Spread:
    """One quantity over the seeds of a run.

    Attributes:
        per_seed: {seed: value}.
        deviation: The standard deviation of the sample (n - 1); None for a single seed.
    """

    per_seed: dict[int, float]
    mean: float
    deviation: float | None


def spread(per_seed: Mapping[int, float]) -> Spread | None:
    """Compute mean and standard deviation over seeds; None if there is no value."""
    if not per_seed:
        return None
    values = list(per_seed.values())
    if len(values) == 1:
        return Spread(dict(per_seed), values[0], None)
    # If all values are equal, the mean is exactly that value; rounding would show a deviation.
    mean = values[0] if len(set(values)) == 1 else sum(values) / len(values)
    # Products, because ** raises OverflowError; the large numbers of a diverging run must become infinity.
    squares = sum((value - mean) * (value - mean) for value in values)
    return Spread(dict(per_seed), mean, math.sqrt(squares / (len(values) - 1)))


def best_rows(run: RecordedRun) -> dict[int, Row]:
    """Return each seed's row at its best epoch: the first with the best value of the config's `best.metric`.

    A seed without a finite value has no row.
    """
    metric = run.config["best"]["metric"]
    upward = sign(run.config["best"]["mode"])
    best: dict[int, int] = {}
    highest: defaultdict[int, float] = defaultdict(lambda: -math.inf)
    rows = run.history.rows
    for place, seed, value in zip(count(), rows.column("seed"), rows.column(metric), strict=False):
        if value is not None and upward * value > highest[seed] and math.isfinite(value):
            best[seed], highest[seed] = place, upward * value
    return {seed: rows[best[seed]] for seed in last_rows(run) if seed in best}


def last_rows(run: RecordedRun) -> dict[int, Row]:
    """Return each seed's row at its last epoch, with the seeds in the config's order."""
    last: dict[int, Row] = {}
    for row in reversed(run.history.rows):
        last.setdefault(row["seed"], row)
        if len(last) == len(run.seeds):  # usually after the rows of one epoch
            break
    return {seed: last[seed] for seed in run.seeds if seed in last}


def test_rows(run: RecordedRun, when: Literal["test_at_best", "test_at_last"]) -> dict[int, Row]:
    """Return the test metrics of each seed, from the event `finished`.

    Empty before the run ends, if the run was resumed since, or if its history has lost the epochs that they belong to.
    """
    seeds = run.finished["seeds"] if run.finished and not is_short(run) else {}
    return {int(seed): facts[when] for seed, facts in seeds.items() if facts.get(when)}


def is_short(run: RecordedRun) -> bool:
    """Return whether the history of a finished run lacks epochs that were trained."""
    return bool(lost_epochs(run))


def lost_epochs(run: RecordedRun) -> dict[int, tuple[int, int]]:
    """Return {seed: (epochs left, epochs trained)} for the seeds that have lost some."""
    if run.whole or run.status != "finished" or run.finished is None:
        return {}
    last = last_rows(run)
    ends = {
        int(seed): facts.get("stopped_epoch") or facts.get("diverged_epoch") or run.finished.get("epoch", 0)
        for seed, facts in run.finished["seeds"].items()
    }
    left = {seed: last[seed]["epoch"] if seed in last else 0 for seed in ends}
    return {seed: (left[seed], epoch) for seed, epoch in ends.items() if left[seed] < epoch}


def lost_history(run: RecordedRun) -> str:
    """Return what a finished run has lost of its history since, or "" if it has lost nothing."""
    lost = lost_epochs(run)
    if not lost:
        return ""
    left = [f"{some} of {all_} epochs" for some, all_ in lost.values()]
    if set(lost) == set(run.seeds) and len(set(left)) == 1:
        which = f"{left[0]} are left"
    else:
        which = ", ".join(f"seed {seed} has {some} left" for seed, some in zip(lost, left, strict=True))
    return f"has lost part of its history since it finished: {which}"


def rows_at(run: RecordedRun, epoch: int) -> dict[int, Row]:
    """Return each seed's row at one epoch, for the seeds that have it."""
    rows = run.history.rows
    places = [place for place, value in enumerate(rows.column("epoch")) if value == epoch]
    return {row["seed"]: row for row in map(rows.__getitem__, places)}


def diverged_seeds(run: RecordedRun) -> tuple[int, ...]:
    """Return the seeds that diverged and were not resumed from an earlier step."""
    steps: dict[int, float] = {}
    for event in run.ledger:
        match event["event"]:
            case "diverged":
                found = [event["seed"]] if "seed" in event else run.seeds
                steps |= dict.fromkeys(found, event.get("step", -math.inf))
            case "resumed":
                steps = {seed: step for seed, step in steps.items() if step <= event.get("step", math.inf)}
            case "finished":
                steps |= {int(seed): -math.inf for seed, end in event["seeds"].items() if end.get("diverged_epoch")}
    return tuple(seed for seed in run.seeds if seed in steps)


def column(rows: Mapping[int, Row], name: str) -> Spread | None:
    """Return the spread of one column over the seeds that have it."""
    return spread({seed: row[name] for seed, row in rows.items() if name in row})


def metric_columns(rows: Mapping[int, Row]) -> list[str]:
    """Return the columns that measure quality, in the order of the rows: `train_loss`, and what held-out data score."""
    every = dict.fromkeys(name for row in rows.values() for name in row)
    return [name for name in every if name == "train_loss" or name.startswith(("val_", "test_"))]


def task(run: RecordedRun) -> Task | None:
    """Return the run's task: as recorded, as configured, or as the dataset is declared."""
    dataset = run.config["dataset"]
    stated = run.environment.get("task") or dataset.get("task")
    if stated in TASKS:
        return stated  # type: ignore[no-any-return]  # one of the literals, by the line above
    try:
        declared = get("dataset", dataset["name"])
    except KeyError:
        return None
    return declared.task if isinstance(declared, DatasetDeclaration) else None


def primary_scores(run: RecordedRun) -> dict[str, Spread]:
    """Return the task's primary metrics at the best epoch, on test data if there are scores of them."""
    known = task(run)
    tested = test_rows(run, "test_at_best")
    part, rows = ("test", tested) if tested else ("val", best_rows(run))
    names = [f"{part}_{name}" for name in (PRIMARY_METRICS[known] if known else ())]
    return {name: value for name in names if (value := column(rows, name))}


def epochs_done(run: RecordedRun) -> int:
    """Return the number of the last epoch in the history; 0 if there is none."""
    return max(run.history.rows.column("epoch"), default=0)
