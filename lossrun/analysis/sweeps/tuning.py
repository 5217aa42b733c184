"""Collect what the tuning of a sweep has found: the score of each value, and the values that each pair got."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lossrun.analysis.sweeps.cells import failures, held_out, loaded, loaded_all
from lossrun.analysis.sweeps.trials import (
    Trial,
    best_trial,
    choices_of,
    courses_of,
    judged,
    key_of,
    longest,
    repetitions,
    shares,
    trained_on,
)
from lossrun.analysis.sweeps.tuned_range import is_on_edge, working_decades
from lossrun.analysis.sweeps.words import apart, data_words, parts_words, words
from lossrun.analysis.values import readings
from lossrun.analysis.values.readings import Spread, spread
from lossrun.catalog.metric_names import Goal, goal
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_events, read_plan


@dataclass(frozen=True, slots=True)
class PairTuning:
    """The tuning of one pair.

    Attributes:
        trials: In the order of the tuned values.
        chosen: The best trial; None if no trial has a score. If tuning was repeated, the one that was chosen most
            often.
        choices: What each repetition of tuning chose, in the order of the final seeds; usually there is one repetition.
        every: All tuning runs, also those of earlier rounds, where halving trained the best values again for longer.
        on_edge: The tuned keys whose best value is the smallest or the largest one tried.
        tried: How many values each repetition of tuning has tried.
        decades: The width of the range of values around the best one that work (`tuned_range.py`); None if that has
            no meaning, as with more than one tuned key.
        data: What identifies the data that its runs were scored on; "" if not known.
    """

    pair: Mapping[str, Any]
    trials: tuple[Trial, ...]
    chosen: Trial | None
    on_edge: tuple[str, ...]
    decades: float | None
    choices: tuple[Trial | None, ...] = ()
    every: tuple[Trial, ...] = ()
    tried: tuple[int, ...] = ()
    data: str = ""

    @property
    def score(self) -> Spread | None:
        """The score in tuning: that of what each repetition chose, on the seeds of the repetition."""
        if self.chosen is None or len(self.choices) < 2:
            return self.chosen.score if self.chosen else None
        return spread({seed: choice.by_seed[seed] for choice, seed in self._seeds() if seed in choice.by_seed})

    @property
    def courses(self) -> list[tuple[float, ...]]:
        """The courses of what was chosen, one for each seed of `score`."""
        if self.chosen is None or len(self.choices) < 2:
            return list(self.chosen.courses.values()) if self.chosen else []
        return [choice.courses[seed] for choice, seed in self._seeds() if seed in choice.courses]

    def _seeds(self) -> Iterator[tuple[Trial, int]]:
        """Yield what each repetition chose, with each of the seeds that it was chosen by."""
        for choice, seeds in zip(self.choices, repetitions(self.every, len(self.choices)), strict=True):
            if choice is not None:
                yield from ((choice, seed) for seed in seeds)


@dataclass(frozen=True, slots=True)
class TuningResult:
    """The tuning of all pairs.

    Attributes:
        metric: What chooses, a column of the history.
        is_over: Whether the choice of values is final.
        validation: The number of validation samples, the smallest where runs have different ones; None if not known.
        repeats: How many times each pair was tuned, each time with seeds of its own.
        grown: How many values were added beyond an edge of the range, the most that any repetition added.
        adaptive: Whether values were drawn where earlier ones did well, so that the draws depend on each other.
        rounds: The epochs of each round of halving, the shortest first; () without halving.
        drawn: Whether values were drawn instead of given as a grid.
        about: Which data these pairs have, if the sweep has several: `dataset=moons`.
    """

    metric: str
    goal: Goal
    is_over: bool
    pairs: tuple[PairTuning, ...]
    validation: int | None = None
    repeats: int = 1
    adaptive: bool = False
    rounds: tuple[int, ...] = ()
    drawn: bool = False
    grown: int = 0
    about: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each pair: what tells it apart from the others."""
        return tuple(words(one) or "base config" for one in apart([pair.pair for pair in self.pairs]))


def tuning_of(sweep: SweepDirectory) -> TuningResult | None:
    """Return the tuning so far; None for a plain grid."""
    plan = read_plan(sweep)
    runs = loaded_all(sweep, [cell for cell in plan if cell.phase == "tune"])
    return tuning_from(plan, read_events(sweep)[0], runs, failures(sweep))


def tuning_from(
    plan: Sequence[PlannedCell],
    facts: Mapping[str, Any],
    runs: Mapping[str, RecordedRun],
    failed: Collection[str] = (),
) -> TuningResult | None:
    """Return the tuning that follows from a plan and the runs of its cells; None for a plain grid.

    Args:
        facts: What the sweep's ledger says of its start.
        runs: {directory: run} of the cells that have begun.
        failed: The directories of the cells that failed.
    """
    cells = [cell for cell in plan if cell.phase == "tune"]
    if not cells:
        return None
    metric = str(facts["metric"])
    direction = goal(metric) or "min"
    repeats = int(facts.get("repeats") or 1)
    final: dict[str, list[PlannedCell]] = {}
    for cell in plan:
        if cell.phase == "final":
            final.setdefault(key_of(cell.pair), []).append(cell)
    pairs: dict[str, list[Trial]] = {}
    samples = set[int]()
    data: dict[str, str] = {}  # {a dataset in words: what identifies its held-out samples}
    for cell in cells:
        run = runs.get(cell.directory)
        if run:
            samples |= validation_samples(run)
            data.setdefault(data_words(cell.pair), held_out(run))
        trial = _trial(cell, run, metric, failed=cell.directory in failed)
        pairs.setdefault(key_of(cell.pair), []).append(trial)
    scored = []
    rounds = tuple((facts.get("halving") or {}).get("epochs", ()))
    for key, every in pairs.items():
        trials = longest(every, rounds[-1] if rounds else None)
        if final:
            choices = _recorded_choices(trials, final.get(key, []), shares(facts["seeds"], repeats))
        else:
            choices = choices_of(trials, direction, repetitions(every, repeats))
        of = data.get(data_words(every[0].cell.pair), "")
        scored.append(replace(_tuned(trials, direction, choices, every), data=of))
    return TuningResult(
        metric,
        direction,
        bool(final),
        tuple(scored),
        min(samples, default=None),
        repeats,
        bool(facts.get("sampler")),
        rounds,
        facts.get("samples") is not None,
        _grown(scored, facts.get("extend"), repeats),
    )


def of_repetition(tuning: TuningResult, number: int) -> TuningResult:
    """Return the tuning as one of its repetitions sees it: by the scores on its own seeds.

    What it tries next must not follow from what other repetitions found: their choices would not be independent.
    """
    if tuning.repeats == 1:
        return tuning
    pairs = []
    for pair in tuning.pairs:
        seeds = repetitions(pair.every, tuning.repeats)[number]
        every = judged(pair.every, seeds, tuning.repeats)
        trials = longest(every, tuning.rounds[-1] if tuning.rounds else None)
        pairs.append(_tuned(trials, tuning.goal, [best_trial(trials, tuning.goal)], every))
    return replace(tuning, pairs=tuple(pairs), repeats=1)


def _grown(pairs: Sequence[PairTuning], extend: Mapping[str, Any] | None, repeats: int) -> int:
    """Return how many values were added beyond an edge, by the repetition that added the most."""
    if not extend:
        return 0
    key, points = str(extend["key"]), int(extend["points"])
    counts = [
        len({trial.values[key] for trial in trained_on(pair.every, seeds, repeats)}) - points
        for pair in pairs
        for seeds in repetitions(pair.every, repeats)
    ]
    return max(counts)


def saved_share(tuning: TuningResult) -> float:
    """Return the share of the epochs of tuning that was saved by values that diverged, died, or were stopped early."""
    planned = spent = 0
    for pair in tuning.pairs:
        short = {key_of(trial.values) for trial in pair.every if tuning.rounds and _length(trial) < tuning.rounds[-1]}
        for trial in pair.every:
            epochs, seeds = _length(trial), len(trial.cell.config["seeds"])
            spent += trial.epochs if trial.diverged else epochs * seeds
            if key_of(trial.values) not in short:
                planned += epochs * seeds
            elif epochs == tuning.rounds[0]:  # without halving, each value would have been trained in full
                planned += tuning.rounds[-1] * seeds
    return max(0.0, 1 - spent / planned) if planned else 0.0


def _length(trial: Trial) -> int:
    return int(trial.cell.config.get("epochs", 0))


def _recorded_choices(
    trials: Sequence[Trial], final: Sequence[PlannedCell], repetitions: Sequence[Sequence[int]]
) -> list[Trial | None]:
    """Return the final choices, which the final runs of the pair contain.

    Args:
        repetitions: The final seeds of each repetition of tuning.
    """
    by_seed = {seed: cell.changes for cell in final for seed in cell.config["seeds"]}
    return [
        next((trial for trial in trials if trial.cell.changes == by_seed.get(seeds[0])), None) for seeds in repetitions
    ]


def _trial(cell: PlannedCell, run: RecordedRun | None, metric: str, *, failed: bool) -> Trial:
    values = {key: value for key, value in cell.changes.items() if key not in cell.pair}
    if run is None:
        return Trial(cell, values, None, diverged=False, ended=failed)
    lost = set(readings.diverged_seeds(run))
    ended = run.status in ("finished", "diverged")
    column = readings.column(readings.best_rows(run), metric) if ended else None
    by_seed = {seed: value for seed, value in (column.per_seed if column else {}).items() if seed not in lost}
    score = column if run.status == "finished" and not lost and column and math.isfinite(column.mean) else None
    finite = {seed: value for seed, value in by_seed.items() if math.isfinite(value)}
    return Trial(
        cell, values, score, bool(lost), failed or ended, finite, courses_of(run, metric), len(run.history.rows)
    )


def score_of(sweep: SweepDirectory, metric: str, cell: PlannedCell) -> float | None:
    """Return the mean score of a tuning run; None if it has not ended, has diverged or failed."""
    score = _trial(cell, loaded(sweep, cell), metric, failed=False).score
    return None if score is None else score.mean


def validation_samples(run: RecordedRun) -> set[int]:
    """Return the sizes of the validation data that the run's seeds were scored on."""
    count = (run.environment.get("samples") or {}).get("validation")
    return set() if count is None else set(count) if isinstance(count, list) else {count}


def _tuned(trials: Sequence[Trial], goal: Goal, choices: Sequence[Trial | None], every: Sequence[Trial]) -> PairTuning:
    made = [choice for choice in choices if choice is not None]
    chosen = max(made, key=made.count, default=None)
    edges: tuple[str, ...] = ()
    decades = None
    if chosen is not None:
        own = [_on_edge(trials, chosen)]
        if len(choices) > 1:
            of = [judged(every, seeds, len(choices)) for seeds in repetitions(every, len(choices))]
            own = list(map(_on_edge, of, choices))
        # Of one repetition in two; a single one may choose an edge by chance.
        edges = tuple(key for key in chosen.values if 2 * sum(key in keys for keys in own) >= len(made))
        if len(chosen.values) == 1 and len(trials) > 1 and not any(trial.left_behind for trial in trials):
            decades = working_decades(chosen, trials, goal)
    tried = tuple(
        len({key_of(trial.values) for trial in trained_on(every, seeds, len(choices))})
        for seeds in repetitions(every, len(choices))
    )
    return PairTuning(trials[0].cell.pair, tuple(trials), chosen, edges, decades, tuple(choices), tuple(every), tried)


def _on_edge(trials: Sequence[Trial], choice: Trial | None) -> list[str]:
    """Return the tuned keys whose chosen value is on the edge of the values that were tried."""
    own = next((trial for trial in trials if choice is not None and trial.values == choice.values), None)
    return [] if own is None else [key for key in own.values if is_on_edge(key, own, trials)]


def by_data(tuning: TuningResult) -> tuple[TuningResult, ...]:
    """Return the tuning of the pairs that share their held-out data: scores on different data are never compared.

    Pairs of different datasets may share them, for example if only the training targets differ (`corrupt`).
    """
    parts: dict[str, list[PairTuning]] = {}
    for pair in tuning.pairs:
        parts.setdefault(pair.data or data_words(pair.pair), []).append(pair)
    if len(parts) == 1:
        return (tuning,)
    named = parts_words([[pair.pair for pair in pairs] for pairs in parts.values()])
    return tuple(
        replace(tuning, pairs=tuple(pairs), about=about) for pairs, about in zip(parts.values(), named, strict=True)
    )
