"""Single values out of a recorded run: at a seed's best epoch, at its last, and what several seeds make together."""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal, TypeAlias

from lossrun.catalog import Task, find, get
from lossrun.catalog.declaration import TASKS, DatasetDeclaration, Loss, Metric
from lossrun.catalog.metrics import OF_SEVERAL
from lossrun.records.files.rows import Row
from lossrun.records.recorded import RecordedRun

Goal: TypeAlias = Literal["min", "max"]

# Columns of the history that measure no quality.
_BOOKKEEPING: Final = {"epoch", "step", "seed", "learning_rate", "grad_norm", "seconds", "train_seconds"}


@dataclass(frozen=True, slots=True)
class Spread:
    """One quantity over the seeds of a run. `deviation`: of the sample (n - 1), None for a single seed."""

    per_seed: dict[int, float]
    mean: float
    deviation: float | None


def spread(per_seed: Mapping[int, float]) -> Spread | None:
    """Mean and standard deviation over seeds; None where there is no value at all."""
    if not per_seed:
        return None
    values = list(per_seed.values())
    if len(values) == 1:
        return Spread(dict(per_seed), values[0], None)
    # Equal values have exactly that mean; the rounding of a sum would show a deviation where there is none.
    mean = values[0] if len(set(values)) == 1 else sum(values) / len(values)
    # Products, because ** raises OverflowError where the numbers of a diverging run should become infinite.
    squares = sum((value - mean) * (value - mean) for value in values)
    return Spread(dict(per_seed), mean, math.sqrt(squares / (len(values) - 1)))


def best_rows(run: RecordedRun) -> dict[int, Row]:
    """Each seed's row at its best epoch: the first with the least (or greatest) value of the config's `best.metric`.

    A seed without a single finite value has none.
    """
    metric = run.config["best"]["metric"]
    sign = 1 if run.config["best"]["mode"] == "min" else -1
    best: dict[int, int] = {}
    least: defaultdict[int, float] = defaultdict(lambda: math.inf)
    rows = run.history.rows
    for place, seed, value in zip(count(), rows.column("seed"), rows.column(metric), strict=False):
        if value is not None and sign * value < least[seed] and math.isfinite(value):
            best[seed], least[seed] = place, sign * value
    return {seed: rows[best[seed]] for seed in last_rows(run) if seed in best}


def last_rows(run: RecordedRun) -> dict[int, Row]:
    """Each seed's row at its last epoch, seeds in the config's order."""
    last: dict[int, Row] = {}
    for row in reversed(run.history.rows):
        last.setdefault(row["seed"], row)
        if len(last) == len(run.seeds):  # mostly after one epoch of what may be a million rows
            break
    return {seed: last[seed] for seed in run.seeds if seed in last}


def test_rows(run: RecordedRun, when: Literal["test_at_best", "test_at_last"]) -> dict[int, Row]:
    """test_<name> per seed, as the last `finished` event has them; empty before the end, where the run has gone on
    since, and where the history has lost the epochs that they belong to."""
    end = next((event for event in reversed(run.ledger) if event["event"] in ("finished", "resumed")), None)
    seeds = end["seeds"] if end and end["event"] == "finished" and not is_short(run) else {}
    return {int(seed): facts[when] for seed, facts in seeds.items() if facts.get(when)}


def is_short(run: RecordedRun) -> bool:
    """Whether the history of a finished run lacks epochs that its end speaks of: lines were lost since."""
    return bool(lost_epochs(run))


def lost_epochs(run: RecordedRun) -> dict[int, tuple[int, int]]:
    """{seed: (epochs left, epochs trained)} of the seeds that have lost some."""
    if run.status != "finished" or run.finished is None:
        return {}
    last = last_rows(run)
    ends = {
        int(seed): facts.get("stopped_epoch") or facts.get("diverged_epoch") or run.finished.get("epoch", 0)
        for seed, facts in run.finished["seeds"].items()
    }
    left = {seed: last[seed]["epoch"] if seed in last else 0 for seed in ends}
    return {seed: (left[seed], epoch) for seed, epoch in ends.items() if left[seed] < epoch}


def lost_history(run: RecordedRun) -> str:
    """What to say of a finished run whose history has lost rows since; empty if it has not."""
    lost = lost_epochs(run)
    if not lost:
        return ""
    left = [f"{some} of {all_} epochs" for some, all_ in lost.values()]
    if set(lost) == set(run.seeds) and len(set(left)) == 1:
        which = f"{left[0]} are left"
    else:
        which = ", ".join(f"of seed {seed} {some} are left" for seed, some in zip(lost, left, strict=True))
    return f"has lost a part of its history since it finished: {which}"


def rows_at(run: RecordedRun, epoch: int) -> dict[int, Row]:
    """Each seed's row at one epoch, for the seeds that have it."""
    rows = run.history.rows
    places = [place for place, value in enumerate(rows.column("epoch")) if value == epoch]
    return {row["seed"]: row for row in map(rows.__getitem__, places)}


def diverged_seeds(run: RecordedRun) -> tuple[int, ...]:
    """The seeds that diverged and were not taken up again from an earlier step."""
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
    """The values of one column, over the seeds that have it."""
    return spread({seed: row[name] for seed, row in rows.items() if name in row})


def metric_columns(rows: Mapping[int, Row]) -> list[str]:
    """The columns that measure quality, in the order of the rows."""
    return list(dict.fromkeys(name for row in rows.values() for name in row if name not in _BOOKKEEPING))


def bare(name: str) -> str:
    """`val_rmse` -> `rmse`."""
    for prefix in ("val_", "test_", "train_"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def declaration(name: str) -> Loss | Metric | None:
    """What the catalogue says of a metric, by any spelling, with or without its val_ or test_."""
    found = find("metric", bare(name)) or find("loss", bare(name))
    component = found.component if found else None
    return component if isinstance(component, Loss | Metric) else None


def meant(asked: str, columns: Collection[str], part: str) -> str:
    """The column that somebody calls `asked`, of the part `val_` and so on: by its canonical name, and of several
    classes by the name that it has there, if only that is among `columns`."""
    declared = declaration(asked)
    name = declared.name if declared else bare(asked)
    of_several = OF_SEVERAL.get(name, name)
    return part + (of_several if part + name not in columns and part + of_several in columns else name)


def goal(name: str) -> Goal | None:
    """Which way a column is better; None where nobody knows."""
    if bare(name) == "loss":
        return "min"
    declared = declaration(name)
    return declared.goal if declared else None


def task(run: RecordedRun) -> Task | None:
    """The run's task: as recorded, as configured, or as the dataset is declared."""
    dataset = run.config["dataset"]
    stated = run.environment.get("task") or dataset.get("task")
    if stated in TASKS:
        return stated  # type: ignore[no-any-return]  # one of the literals, by the line above
    try:
        declared = get("dataset", dataset["name"])
    except KeyError:
        return None
    return declared.task if isinstance(declared, DatasetDeclaration) else None


def epochs_done(run: RecordedRun) -> int:
    return max(run.history.rows.column("epoch"), default=0)
