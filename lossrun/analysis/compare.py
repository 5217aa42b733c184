"""Several runs side by side: what differs, what may be compared, and which is better by which yardstick."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from lossrun.analysis import readings
from lossrun.analysis.differences import Difference, component_text, config_differences, labels
from lossrun.analysis.readings import Goal, Row, Spread
from lossrun.analysis.remarks import remarks
from lossrun.catalog.metrics import PRIMARY_YARDSTICKS
from lossrun.errors import UsageError
from lossrun.records.recorded import RecordedRun
from lossrun.records.status import Status

# What a result may depend on besides the config: facts of run.json, and what to call them.
_ENVIRONMENT: Final = {
    "lossrun": "lossrun",
    "torch": "torch",
    "device": "device",
    "threads": "threads",
    "git_commit": "git commit",
}

# The configured objective: what it means depends on the run.
_LOSS_COLUMNS: Final = ("train_loss", "val_loss", "test_loss")


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """`best_epochs`, by the run's own `best_metric`, and `last_epochs` are per seed. `remarks`: what to keep in
    mind, in plain words."""

    name: str
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
    """`name`: val_<name>, test_<name>, or a loss column that all runs share. `primary`: one to decide by."""

    name: str
    goal: Goal | None
    units: str
    primary: bool
    at_best: Measured
    at_last: Measured


@dataclass(frozen=True, slots=True)
class Curve:
    """A column of the history, epoch by epoch. `rows`: per epoch one spread per run, None where it has no such epoch.
    `ranked`: whether the runs' values have the same meaning."""

    name: str
    ranked: bool
    rows: dict[int, tuple[Spread | None, ...]]


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
    names = labels(runs, differences)
    reasons = _reasons(runs, names)
    ranked, refusals = _loss_columns(runs)
    columns = _yardstick_columns(runs, ranked)
    primary = _primary(runs, columns, metric, refusals)
    at_best, at_last = ([_rows(run, when) for run in runs] for when in ("best", "last"))
    yardsticks = [
        _yardstick(name, name in primary, at_best, at_last, comparable=not reasons)
        for name in sorted(columns, key=lambda name: name not in primary)
    ]
    curves = [_curve(runs, name, ranked[name] and not reasons) for name in ranked]
    curves += [_curve(runs, name, not reasons) for name in primary if name.startswith("val_") and name not in ranked]
    return Comparison(
        runs=tuple(_compared(run, label) for run, label in zip(runs, names, strict=True)),
        comparable=not reasons,
        reasons=reasons,
        differences=(*differences, *_training_data(runs)),
        warnings=_environment_warnings(runs, names),
        refusals=refusals,
        notes=_notes(runs),
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


def _compared(run: RecordedRun, label: str) -> ComparedRun:
    return ComparedRun(
        name=run.name,
        label=label,
        status=run.status,
        epochs_done=readings.epochs_done(run),
        epochs_asked=run.config["epochs"],
        seeds=run.seeds,
        best_metric=run.config["best"]["metric"],
        best_epochs={seed: row["epoch"] for seed, row in readings.best_rows(run).items()},
        last_epochs={seed: row["epoch"] for seed, row in readings.last_rows(run).items()},
        remarks=remarks(run),
    )


def _reasons(runs: Sequence[RecordedRun], names: Sequence[str]) -> tuple[str, ...]:
    """Why the yardsticks of these runs must not be subtracted; empty where they may."""
    tasks = [readings.task(run) for run in runs]
    found = []
    if len(set(tasks)) > 1:
        listed = ", ".join(f"{name}: {task or 'unknown'}" for name, task in zip(names, tasks, strict=True))
        found.append(f"the runs have different tasks ({listed}), so their yardsticks measure different things")
    for part in ("validation", "test"):
        if len({digest for run in runs if (digest := _data_hash(run, part))}) > 1:
            found.append(f"the {part} data differ, so the values were not measured on the same samples")
    return tuple(found)


def _data_hash(run: RecordedRun, part: str) -> str | None:
    return run.environment.get("data", {}).get(part)  # type: ignore[no-any-return]  # JSON


def _training_data(runs: Sequence[RecordedRun]) -> list[Difference]:
    digests = [_data_hash(run, "train") for run in runs]
    if len(set(digests)) == 1:
        return []
    shown = tuple(digest[:12] if digest else "-" for digest in digests)
    return [Difference("training data (SHA-256)", shown, shown)]


def _environment_warnings(runs: Sequence[RecordedRun], names: Sequence[str]) -> tuple[str, ...]:
    found = []
    for key, what in _ENVIRONMENT.items():
        values = [run.environment.get(key) for run in runs]
        if len(set(values)) > 1:
            listed = ", ".join(f"{value} ({name})" for name, value in zip(names, values, strict=True))
            found.append(f"{what} differs: {listed}")
    return tuple(found)


def _loss_columns(runs: Sequence[RecordedRun]) -> tuple[dict[str, bool], tuple[str, ...]]:
    """Whether each column of the configured loss has one meaning in all runs, and in words why not."""
    # `inputs` says in which form the outputs arrive; the loss is the same.
    losses = [{key: value for key, value in run.config["loss"].items() if key != "inputs"} for run in runs]
    if any(loss != losses[0] for loss in losses):
        distinct = list(dict.fromkeys(component_text("loss", loss) for loss in losses))
        if len(distinct) < 2:
            distinct = ["the same loss with other parameters"]
        yardsticks = [
            name for task in {readings.task(run) for run in runs} if task for name in PRIMARY_YARDSTICKS[task]
        ]
        instead = f"; compare yardsticks such as val_{yardsticks[0]}" if yardsticks else ""
        what = " and ".join(filter(None, [", ".join(distinct[:-1]), distinct[-1]]))
        sentence = (
            f"train_loss and val_loss are not ranked: {what} are different losses, "
            f"their values have different meanings{instead}"
        )
        return dict.fromkeys(_LOSS_COLUMNS, False), (sentence,)
    if len({_data_hash(run, "train") for run in runs}) > 1:
        sentence = "train_loss is not ranked: the runs were trained on different data"
        return {**dict.fromkeys(_LOSS_COLUMNS, True), "train_loss": False}, (sentence,)
    return dict.fromkeys(_LOSS_COLUMNS, True), ()


def _rows(run: RecordedRun, when: Literal["best", "last"]) -> dict[int, Row]:
    """Each seed's history row at that moment, with its test yardsticks."""
    rows = readings.best_rows(run) if when == "best" else readings.last_rows(run)
    tests = readings.test_rows(run, "test_at_best" if when == "best" else "test_at_last")
    return {seed: {**row, **tests.get(seed, {})} for seed, row in rows.items()}


def _yardstick_columns(runs: Sequence[RecordedRun], ranked: Mapping[str, bool]) -> list[str]:
    """The columns that every run has and whose values mean the same in each."""
    columns = [readings.yardstick_columns(_rows(run, "last")) for run in runs]
    common = [name for name in columns[0] if all(name in other for other in columns[1:])]
    return [name for name in common if ranked.get(name, True)]


def _primary(
    runs: Sequence[RecordedRun], columns: Sequence[str], metric: str | None, refusals: tuple[str, ...]
) -> tuple[str, ...]:
    """The columns to decide by: as asked for, as all configs say, or as the task has it."""
    configured = {run.config.get("compare_on") for run in runs}
    asked = metric or (configured.pop() if len(configured) == 1 else None)
    if asked is None:
        task = readings.task(runs[0])
        names: tuple[str, ...] = PRIMARY_YARDSTICKS[task] if task else ()
        return tuple(name for name in columns if readings.bare(name) in names)
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
    comparable: bool,
) -> Yardstick:
    goal, declared = readings.goal(name), readings.declaration(name)
    moments = [
        _measured([readings.column(rows, name) for rows in moment], goal if comparable else None, comparable)
        for moment in (at_best, at_last)
    ]
    return Yardstick(name, goal, declared.units if declared else "", primary, *moments)


def _measured(values: Sequence[Spread | None], goal: Goal | None, comparable: bool) -> Measured:
    first = values[0]
    differences = tuple(
        value.mean - first.mean if comparable and value and first and index else None
        for index, value in enumerate(values)
    )
    finite = {index: value.mean for index, value in enumerate(values) if value and math.isfinite(value.mean)}
    if goal is None or len(set(finite.values())) < 2:
        return Measured(tuple(values), differences, ())
    best = min(finite.values()) if goal == "min" else max(finite.values())
    return Measured(tuple(values), differences, tuple(index for index, mean in finite.items() if mean == best))


def _curve(runs: Sequence[RecordedRun], name: str, ranked: bool) -> Curve:
    by_epoch: list[dict[int, dict[int, Any]]] = []
    for run in runs:
        epochs: dict[int, dict[int, Any]] = {}
        for row in run.history.rows:
            if name in row:
                epochs.setdefault(row["epoch"], {})[row["seed"]] = row[name]
        by_epoch.append(epochs)
    every = sorted({epoch for epochs in by_epoch for epoch in epochs})
    rows = {epoch: tuple(readings.spread(epochs.get(epoch, {})) for epochs in by_epoch) for epoch in every}
    return Curve(name, ranked, rows)


def _notes(runs: Sequence[RecordedRun]) -> tuple[str, ...]:
    notes = []
    if any(len(run.seeds) == 1 for run in runs):
        notes.append("a run of one seed: a difference may be chance; train with `seeds: 5` to see the spread")
    if len({frozenset(run.seeds) for run in runs}) > 1:
        notes.append("the runs do not have the same seeds, so they do not pair seed by seed")
    if len({run.config["epochs"] for run in runs}) > 1:
        notes.append("the runs were asked for different numbers of epochs")
    return tuple(notes)
