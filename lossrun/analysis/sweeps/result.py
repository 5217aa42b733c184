"""Collect what a sweep has found: its tuning, and comparisons of the final runs that share their held-out data."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lossrun.analysis.comparison.compare import ComparedRuns, compare
from lossrun.analysis.sweeps.cells import failures, held_out, loaded, loaded_all
from lossrun.analysis.sweeps.trials import shares
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult, by_data, tuning_from
from lossrun.analysis.sweeps.words import apart, parts_words, word, words
from lossrun.analysis.values import readings
from lossrun.analysis.values.groups import grouped
from lossrun.analysis.values.readings import Spread
from lossrun.analysis.values.splits import resampled_by
from lossrun.catalog.metric_names import Goal, sign
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, divided, read_events, read_plan


@dataclass(frozen=True, slots=True)
class Board:
    """Final runs that were measured on the same data.

    The others are compared with the first run. It is the one with the best score in tuning; in a plain grid, the first
    in the plan. It must not be chosen by the values that are compared, because the best of several equal runs is always
    ahead.

    Attributes:
        runs: The final runs. Where tuning was repeated, all runs of a pair have the config of the one with the most
            seeds, and are compared as one run.
        labels: What tells each of the compared runs apart, with the values that it was tuned to.
        pairs: Everything that the pair of each of them changes.
        comparison: None for a single run.
        scores: {primary metric: its values}, on test data if there are any; of the first run.
        about: Which data these are, where the sweep has several: `dataset=moons`.
        tuning: How the pairs on these data were tuned; None for a plain grid.
        configs: {directory: config} of each run, as it was trained.
        tuned: {name of a compared run: the values that it was tuned to}.
        retuned: Whether each pair was tuned for each seed separately.
        untuned: {name of a compared run: the final seeds for which its tuning found no value}.
    """

    runs: tuple[RecordedRun, ...]
    labels: tuple[str, ...]
    pairs: tuple[str, ...]
    comparison: ComparedRuns | None
    scores: Mapping[str, Spread]
    about: str = ""
    configs: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    tuned: Mapping[str, str] = field(default_factory=dict)
    retuned: bool = False
    untuned: Mapping[str, Sequence[int]] = field(default_factory=dict)
    tuning: TuningResult | None = None

    def with_tuning(self, found: ComparedRuns) -> ComparedRuns:
        """Return a comparison of these runs that says what each was tuned to."""
        runs = (replace(run, tuned=self.tuned.get(run.name, ""), retuned=self.retuned) for run in found.runs)
        return replace(found, runs=tuple(runs))


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Everything that a sweep has found so far.

    Attributes:
        tuning: None for a plain grid.
        boards: One for each set of held-out data; more than one only where datasets are alternatives.
        unfinished: The number of cells in which something is left to train, of all `cells` that are planned.
        failed: {failed cell: why}.
        divided: {stack whose cells were trained alone: why}.
    """

    name: str
    tuning: TuningResult | None
    boards: tuple[Board, ...]
    unfinished: int
    cells: int
    failed: Mapping[str, str]
    divided: Mapping[str, str]

    @property
    def final(self) -> tuple[RecordedRun, ...]:
        """All final runs that have ended, board by board."""
        return tuple(run for board in self.boards for run in board.runs)

    @property
    def labels(self) -> tuple[str, ...]:
        """What tells each of the compared runs apart, board by board."""
        return tuple(label for board in self.boards for label in board.labels)

    @property
    def tunings(self) -> tuple[TuningResult, ...]:
        """How each pair was tuned: one part for each set of held-out data."""
        return by_data(self.tuning) if self.tuning else ()

    @property
    def comparison(self) -> ComparedRuns | None:
        """The comparison of the final runs; None for fewer than two, or if they do not share their held-out data."""
        return self.boards[0].comparison if len(self.boards) == 1 else None


def result_of(sweep: SweepDirectory) -> SweepResult:
    """Return everything that the sweep has found so far. Raises RunError for a damaged plan or ledger."""
    plan = read_plan(sweep)
    runs, failed = loaded_all(sweep, plan), failures(sweep)
    return replace(result_from(sweep.name, plan, read_events(sweep)[0], runs, failed), divided=divided(sweep))


def result_from(
    name: str,
    plan: Sequence[PlannedCell],
    facts: Mapping[str, Any],
    runs: Mapping[str, RecordedRun],
    failed: Mapping[str, str] = MappingProxyType({}),
) -> SweepResult:
    """Return what a sweep has found, from its plan and the runs of its cells.

    Args:
        facts: What the sweep's ledger says of its start.
        runs: {directory: run} of the cells that have begun.
        failed: {failed cell: why}.
    """
    tuning = tuning_from(plan, facts, runs, failed)
    over, ended = set(failed), list[tuple[PlannedCell, RecordedRun]]()
    for cell in plan:
        if (run := runs.get(cell.directory)) and run.status in ("finished", "diverged"):
            over.add(cell.directory)
            if cell.phase == "final":
                ended.append((cell, run))
    order = list(dict.fromkeys(held_out(run) for _, run in ended))
    groups = [[one for one in ended if held_out(one[1]) == data] for data in order]
    named = parts_words([[cell.pair for cell, _ in members] for members in groups])
    boards = tuple(
        _board(members, tuning, facts["seeds"], about if len(groups) > 1 else "")
        for members, about in zip(groups, named, strict=True)
    )
    return SweepResult(name, tuning, boards, len(plan) - len(over), len(plan), failed, {})


def _board(
    members: Sequence[tuple[PlannedCell, RecordedRun]], tuning: TuningResult | None, seeds: Sequence[int], about: str
) -> Board:
    cells = {run.path: cell for cell, run in members}
    by_pair: dict[str, list[RecordedRun]] = {}
    for cell, run in members:
        by_pair.setdefault(words(cell.pair) if tuning else words(cell.changes), []).append(run)
    of = {words(pair.pair): pair for pair in tuning.pairs} if tuning else {}
    pairs = list(by_pair)
    if tuning is not None:
        # A repetition without a score would make the pair look better than it is.
        whole = [pair in of and None not in of[pair].choices for pair in pairs]
        scores = [of[pair].score if one else None for pair, one in zip(pairs, whole, strict=True)]
        first = reference(scores, tuning.goal)
        pairs = [pairs[first], *pairs[:first], *pairs[first + 1 :]]
    repeated = tuning is not None and tuning.repeats > 1
    ordered = [run for pair in pairs for run in (_as_one(by_pair[pair], cells) if repeated else by_pair[pair])]
    groups = grouped(ordered)
    firsts = [cells[group.members[0].path] for group in groups]
    # The pair tells a run apart, and the values that were tuned are a result.
    tuned_values = [{} if repeated else _tuned_values(cell) for cell in firsts]
    told = [{**pair, **tuned} for pair, tuned in zip(apart([cell.pair for cell in firsts]), tuned_values, strict=True)]
    labels = _numbered([words(one) or "base config" for one in told])
    named = [(group.run.name, cell) for group, cell in zip(groups, firsts, strict=True)]
    tuned = {name: _choices_words(of[words(cell.pair)]) if repeated else _tuned_words(cell) for name, cell in named}
    untuned = {name: _untuned(of[words(cell.pair)], seeds) for name, cell in named} if repeated else {}
    configs = {run.path: run.config for _, run in members}
    of_pairs = tuple(words(cell.pair) for cell in firsts)
    parts = by_data(tuning) if tuning else ()
    part = next((one for one in parts if of_pairs[0] in {words(pair.pair) for pair in one.pairs}), None)
    about = part.about if part and part.about else about
    primary = readings.primary_scores(groups[0].run)
    board = Board(
        tuple(ordered), tuple(labels), of_pairs, None, primary, about, configs, tuned, repeated, untuned, part
    )
    if len(groups) < 2:
        return board
    return replace(board, comparison=board.with_tuning(compare(ordered, label=labels, untuned=untuned)))


def _untuned(pair: PairTuning, seeds: Sequence[int]) -> list[int]:
    """Return the final seeds of the repetitions of tuning in which no run has a score."""
    each = shares(seeds, len(pair.choices))
    return [seed for choice, its in zip(pair.choices, each, strict=True) if choice is None for seed in its]


def _as_one(runs: Sequence[RecordedRun], cells: Mapping[Path, PlannedCell]) -> list[RecordedRun]:
    """Give the runs of a pair that was tuned for each seed separately the same config, so that they count as one run.

    It is that of the run with the most seeds: the values that were chosen most often.
    """
    usual = max(runs, key=lambda run: len(run.seeds))
    cell = cells[usual.path]
    keys = {key.partition(".")[0] for key in cell.changes if key not in cell.pair}
    return [replace(run, config={**run.config, **{key: usual.config[key] for key in keys}}) for run in runs]


def _numbered(labels: Sequence[str]) -> list[str]:
    """Number the labels that occur twice: runs of a pair that cannot count as one, because some diverged."""
    return [
        label if (before := labels[:place].count(label)) == 0 else f"{label} ({before + 1})"
        for place, label in enumerate(labels)
    ]


def reference(scores: Sequence[Spread | None], goal: Goal) -> int:
    """Return the number of the pair that the others are compared with: the first with the best score in tuning.

    Args:
        scores: In tuning; None for a pair without one.
    """
    upward = sign(goal)
    worths = [-math.inf if score is None else upward * score.mean for score in scores]
    return worths.index(max(worths))


def _tuned_values(cell: PlannedCell) -> dict[str, Any]:
    return {key: value for key, value in cell.changes.items() if key not in cell.pair}


def _tuned_words(cell: PlannedCell) -> str:
    """Write what was tuned: `learning_rate 0.1`; "" in a plain grid."""
    return ", ".join(f"{key} {word(value)}" for key, value in _tuned_values(cell).items())


def _choices_words(pair: PairTuning) -> str:
    """Write the choices: `learning_rate 0.1 on 4 of 6 seeds, 0.01 on 2`; with splits, `on 4 of 6 splits`."""
    made = [choice for choice in pair.choices if choice is not None]
    counts = Counter(", ".join(f"{key} {word(value)}" for key, value in one.values.items()) for one in made)
    texts = [f"{text} on {count}" for text, count in counts.most_common()]
    first, *others = texts or [""]
    key = next(iter(made[0].values)) if made and len(made[0].values) == 1 else ""
    each = resampled_by(pair.trials[0].cell.config) or "seeds"
    return ", ".join([f"{first} of {len(made)} {each}", *(text.removeprefix(f"{key} ") for text in others)])


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
