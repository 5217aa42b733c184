"""What a sweep has found: its tuning, and the final runs compared, those together that share their held-out data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from lossrun.analysis.comparison.compare import ComparedRuns, compare
from lossrun.analysis.sweeps import (
    Trial,
    TuningResult,
    best_trial,
    failures,
    has_ended,
    loaded,
    tuning_of,
    word,
    words,
)
from lossrun.analysis.values import readings
from lossrun.analysis.values.metric_names import Goal
from lossrun.analysis.values.readings import Spread
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_plan


@dataclass(frozen=True, slots=True)
class Board:
    """Final runs that were measured on the same data.

    The first run, which the others are compared with, is the one that did best in tuning; in a plain grid, the first of
    the plan. It must not be chosen by the values that are compared: the best of several equal runs is always ahead.

    Attributes:
        comparison: None for a single run.
        scores: {primary metric: its values}, on test data if there are any; of the first run.
    """

    runs: tuple[RecordedRun, ...]
    labels: tuple[str, ...]
    comparison: ComparedRuns | None
    scores: Mapping[str, Spread]


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Everything that a sweep has found so far.

    Attributes:
        tuning: None for a plain grid.
        boards: One for each set of held-out data; more than one only where datasets are alternatives.
        unfinished: The number of cells in which something is left to train, of all `cells` that are planned.
        failed: {cell that failed by itself: why}.
    """

    name: str
    tuning: TuningResult | None
    boards: tuple[Board, ...]
    unfinished: int
    cells: int
    failed: Mapping[str, str]

    @property
    def final(self) -> tuple[RecordedRun, ...]:
        """All final runs that have ended, board by board."""
        return tuple(run for board in self.boards for run in board.runs)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each of the final runs changes."""
        return tuple(label for board in self.boards for label in board.labels)

    @property
    def comparison(self) -> ComparedRuns | None:
        """The final runs compared; None for fewer than two, and where they do not share their held-out data."""
        return self.boards[0].comparison if len(self.boards) == 1 else None


def result_of(sweep: SweepDirectory) -> SweepResult:
    """Return everything that the sweep has found so far. Raises RunError for a damaged plan or ledger."""
    plan = read_plan(sweep)
    tuning, failed = tuning_of(sweep), failures(sweep)
    runs = [(cell, run) for cell in plan if cell.phase == "final" and (run := loaded(sweep, cell)) is not None]
    ended = [(cell, run) for cell, run in runs if run.status in ("finished", "diverged")]
    order = list(dict.fromkeys(_held_out(run) for _, run in ended))
    by_data = groupby(sorted(ended, key=lambda pair: order.index(_held_out(pair[1]))), lambda pair: _held_out(pair[1]))
    left = sum(cell.directory not in failed and not has_ended(sweep, cell) for cell in plan)
    boards = tuple(_board(list(members), tuning) for _, members in by_data)
    return SweepResult(sweep.name, tuning, boards, left, len(plan), failed)


def _held_out(run: RecordedRun) -> str:
    """What tells the run's validation and test data from others."""
    digests = run.environment.get("data") or {}
    return str([digests.get(part) for part in ("validation", "test")])


def _board(members: Sequence[tuple[PlannedCell, RecordedRun]], tuning: TuningResult | None) -> Board:
    cells = {run.path: cell for cell, run in members}
    ordered = [run for _, run in members]
    if tuning is not None:
        chosen = {words(one.pair): one.chosen for one in tuning.pairs}
        trials = [chosen.get(words(cells[run.path].pair)) for run in ordered]
        first = reference(trials, tuning.goal)
        ordered = [ordered[first], *ordered[:first], *ordered[first + 1 :]]
    labels = tuple(words(cells[run.path].changes) for run in ordered)
    comparison = None
    if len(ordered) > 1:
        found = compare(ordered, label=labels)
        values = {run.name: _tuned_words(cells[run.path]) for run in ordered}
        comparison = replace(found, runs=tuple(replace(run, tuned=values.get(run.name, "")) for run in found.runs))
    return Board(tuple(ordered), labels, comparison, _scores(ordered[0]))


def reference(chosen: Sequence[Trial | None], goal: Goal) -> int:
    """Return the number of the run that the others are compared with: the one with the best score in tuning.

    Args:
        chosen: What each run was tuned to; None if that is not known.
    """
    best = best_trial([trial for trial in chosen if trial is not None], goal)
    return 0 if best is None else next(place for place, trial in enumerate(chosen) if trial is best)


def _tuned_words(cell: PlannedCell) -> str:
    """`learning_rate 0.1`; "" in a plain grid."""
    return ", ".join(f"{key} {word(value)}" for key, value in cell.changes.items() if key not in cell.pair)


def _scores(run: RecordedRun) -> dict[str, Spread]:
    task = readings.task(run)
    tested = readings.test_rows(run, "test_at_best")
    part, rows = ("test", tested) if tested else ("val", readings.best_rows(run))
    names = [f"{part}_{name}" for name in (PRIMARY_METRICS[task] if task else ())]
    return {name: value for name in names if (value := readings.column(rows, name))}


def sweep_records(sweep: SweepDirectory) -> list[dict[str, Any]]:
    """Return one dict per cell and seed: cell, phase, status, seed, epoch, changes, and metrics at the best epoch."""
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
