"""What a sweep has found: each pair's tuning, the values that it got, and the runs that are compared."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lossrun.analysis.comparison.compare import ComparedRuns, compare
from lossrun.analysis.values import readings
from lossrun.analysis.values.metric_names import Goal, goal, sign
from lossrun.analysis.values.readings import Spread
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.errors import RunError, UsageError
from lossrun.records import ledger, recorded
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_plan

# A tuned value works where the error it leads to is at most so many times the best one's.
WORKING: Final = 1.1


@dataclass(frozen=True, slots=True)
class Trial:
    """One tuning run. `score`: of the tuning metric at each seed's best epoch; None if a seed diverged, or the run
    failed."""

    cell: PlannedCell
    values: Mapping[str, Any]
    score: Spread | None


@dataclass(frozen=True, slots=True)
class PairTuning:
    """The tuning of one pair. `trials`: in the order of the tuned values. `chosen`: the best one, None if none has a
    score. `on_edge`: the tuned keys whose best value is the smallest or the largest one tried. `decades`: width of the
    range of values around the best that work (`WORKING`); None where more than one key is tuned."""

    pair: Mapping[str, Any]
    trials: tuple[Trial, ...]
    chosen: Trial | None
    on_edge: tuple[str, ...]
    decades: float | None


@dataclass(frozen=True, slots=True)
class TuningResult:
    """`metric`: what chose, None where no run has been scored yet."""

    metric: str | None
    goal: Goal
    pairs: tuple[PairTuning, ...]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """`tuning`: None for a plain grid. `final`: the runs that are compared, the best first. `comparison`: None for
    fewer than two of them. `unfinished`: cells that are not finished. `failed`: cells without a run that can be read.
    `seeds`: of the final runs."""

    name: str
    tuning: TuningResult | None
    final: tuple[RecordedRun, ...]
    labels: tuple[str, ...]
    comparison: ComparedRuns | None
    unfinished: int
    cells: int


def words(changes: Mapping[str, Any]) -> str:
    """What a cell changes: `loss=mse optimizer=sgd`."""
    return " ".join(f"{key}={word(value)}" for key, value in changes.items())


def word(value: Any) -> str:
    """A value of a config as a short text."""
    if isinstance(value, Mapping):
        name = value.get("name")
        others = ",".join(f"{key}={word(one)}" for key, one in value.items() if key != "name")
        return f"{name}({others})" if name and others else str(name or f"({others})")
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(word, value)) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "none"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def tuning_of(sweep: SweepDirectory, metric: str | None) -> TuningResult | None:
    """The tuning as far as it has been run. `metric`: None for the task's primary metric on validation data.

    Returns None for a plain grid. Raises UsageError where the runs do not have the metric.
    """
    cells = [cell for cell in read_plan(sweep) if cell.phase == "tune"]
    if not cells:
        return None
    runs = {cell.directory: run for cell in cells if (run := loaded(sweep, cell)) is not None}
    name = metric or _usual_metric(list(runs.values()))
    direction = (goal(name) if name else None) or "min"
    pairs: dict[str, list[PlannedCell]] = {}
    for cell in cells:
        pairs.setdefault(json.dumps(dict(cell.pair), sort_keys=True), []).append(cell)
    scored = [
        _tuned([_trial(cell, runs.get(cell.directory), name) for cell in members], direction)
        for members in pairs.values()
    ]
    if name and runs and not any(trial.score for pair in scored for trial in pair.trials) and metric:
        columns = sorted(
            {column for run in runs.values() for column in readings.metric_columns(readings.last_rows(run))}
        )
        if name not in columns:
            raise UsageError(f"tune.metric: no run has {name}; expected one of {', '.join(columns) or 'none yet'}")
    return TuningResult(name, direction, tuple(scored))


def loaded(sweep: SweepDirectory, cell: PlannedCell) -> RecordedRun | None:
    """The cell's run; None where it has not begun or cannot be read."""
    if not sweep.is_begun(cell):
        return None
    try:
        return recorded.load(sweep.run(cell))
    except RunError:
        return None


def result_of(sweep: SweepDirectory) -> SweepResult:
    """Everything that the sweep has found so far. Raises RunError for a damaged plan or ledger."""
    plan = read_plan(sweep)
    facts = ledger.read(sweep.ledger_path)[0]
    tuning = tuning_of(sweep, facts.get("metric"))
    final = [cell for cell in plan if cell.phase == "final"]
    runs = [(cell, run) for cell in final if (run := loaded(sweep, cell)) is not None]
    finished = [(cell, run) for cell, run in runs if run.status in ("finished", "diverged")]
    ordered = _best_first([run for _, run in finished])
    cells = {run.path: cell for cell, run in finished}
    labels = tuple(words(cells[run.path].changes) for run in ordered)
    ended = sum(1 for cell in plan if (run := loaded(sweep, cell)) and run.status in ("finished", "diverged"))
    return SweepResult(
        sweep.name,
        tuning,
        tuple(ordered),
        labels,
        compare(ordered, label=labels) if len(ordered) > 1 else None,
        len(plan) - ended,
        len(plan),
    )


def sweep_records(sweep: SweepDirectory) -> list[dict[str, Any]]:
    """One dict per cell and seed: cell, phase, status, seed, epoch, the changes, and the metrics at the best epoch."""
    records = []
    for cell in read_plan(sweep):
        changes = {
            key: value if isinstance(value, int | float | str) else word(value) for key, value in cell.changes.items()
        }
        if (run := loaded(sweep, cell)) is None:
            records.append({"cell": cell.directory, "phase": cell.phase, "status": "absent", **changes})
            continue
        tested = readings.test_rows(run, "test_at_best")
        best = readings.best_rows(run)
        for seed in run.seeds:
            row = {**best.get(seed, {}), **tested.get(seed, {}), "seed": seed}
            head = {"cell": cell.directory, "phase": cell.phase, "status": run.status}
            records.append({**head, **row, **changes})
    return records


def _usual_metric(runs: Sequence[RecordedRun]) -> str | None:
    """The task's primary metric on validation data, of those that all runs have."""
    if not runs or (task := readings.task(runs[0])) is None:
        return None
    for name in PRIMARY_METRICS[task]:
        column = f"val_{name}"
        if any(column in row for run in runs for row in readings.last_rows(run).values()):
            return column
    return None


def _trial(cell: PlannedCell, run: RecordedRun | None, metric: str | None) -> Trial:
    values = {key: value for key, value in cell.changes.items() if key not in cell.pair}
    score = None
    if run is not None and metric and run.status == "finished" and not readings.diverged_seeds(run):
        score = readings.column(readings.best_rows(run), metric)
        if score is not None and not math.isfinite(score.mean):
            score = None
    return Trial(cell, values, score)


def _tuned(trials: Sequence[Trial], goal: Goal) -> PairTuning:
    scored = [trial for trial in trials if trial.score is not None]
    # Of equal scores the first one, so that the choice does not depend on which run ended first.
    chosen = max(scored, key=lambda trial: sign(goal) * (trial.score.mean if trial.score else math.nan), default=None)
    edges: tuple[str, ...] = ()
    decades = None
    if chosen is not None:
        edges = tuple(key for key in chosen.values if _is_on_edge(key, chosen, trials))
        if len(chosen.values) == 1:
            decades = _working_decades(chosen, trials, goal)
    return PairTuning(trials[0].cell.pair, tuple(trials), chosen, edges, decades)


def _is_on_edge(key: str, chosen: Trial, trials: Sequence[Trial]) -> bool:
    numbers = sorted({trial.values[key] for trial in trials if isinstance(trial.values[key], int | float)})
    return len(numbers) > 2 and chosen.values[key] in (numbers[0], numbers[-1])


def _working_decades(chosen: Trial, trials: Sequence[Trial], goal: Goal) -> float | None:
    (key,) = chosen.values
    if not all(isinstance(trial.values[key], int | float) and trial.values[key] > 0 for trial in trials):
        return None

    def error(trial: Trial) -> float:
        if trial.score is None:
            return math.inf
        return trial.score.mean if goal == "min" else 1 - trial.score.mean

    ascending = sorted(trials, key=lambda trial: trial.values[key])
    place, bound = ascending.index(chosen), WORKING * error(chosen)
    low = high = place
    while low > 0 and error(ascending[low - 1]) <= bound:
        low -= 1
    while high < len(ascending) - 1 and error(ascending[high + 1]) <= bound:
        high += 1
    return math.log10(ascending[high].values[key] / ascending[low].values[key])


def _best_first(runs: Sequence[RecordedRun]) -> list[RecordedRun]:
    """By the metric that decides a comparison of them, on test data if all have it; as they are without one."""
    if len(runs) < 2:
        return list(runs)
    decider = next((one for one in compare(runs).metrics if one.decides and one.goal), None)
    if decider is None or decider.goal is None:
        return list(runs)
    way = sign(decider.goal)
    values = decider.measured.values
    means = [value.mean if value and math.isfinite(value.mean) else -math.inf * way for value in values]
    # Runs that are one in the comparison would have fewer values than there are runs.
    if len(means) != len(runs):
        return list(runs)
    return [run for _, run in sorted(zip(means, runs, strict=True), key=lambda pair: -way * pair[0])]
