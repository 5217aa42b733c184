"""Read the runs that tune a pair, and choose the best of them."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lossrun.analysis.values.readings import Spread, spread
from lossrun.catalog.metric_names import Goal, sign
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import PlannedCell

SAME: Final = 1e-12  # the relative difference of scores that are equal


@dataclass(frozen=True, slots=True)
class Trial:
    """One tuning run.

    Attributes:
        score: The tuning metric at each seed's best epoch; None if a seed diverged, the run failed, or it has not
            ended.
        by_seed: The same for each seed that has one, also if others diverged.
        courses: {seed: the score that it would have if it had ended after each epoch}: its value at the best epoch so
            far; NaN before the first value.
        epochs: How many epochs it was trained, all seeds together.
        left_behind: Whether halving stopped it: it has no score, because it was trained for fewer epochs than others.
        diverged: Whether a seed diverged.
        ended: Whether there is nothing left to train.
    """

    cell: PlannedCell
    values: Mapping[str, Any]
    score: Spread | None
    diverged: bool
    ended: bool
    by_seed: Mapping[int, float] = field(default_factory=dict)
    courses: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    epochs: int = 0
    left_behind: bool = False


def best_trial(trials: Sequence[Trial], goal: Goal) -> Trial | None:
    """Return the trial with the best score; None if no trial has a score.

    Trials of a pair that differ in one number may have equal scores: then it is the middle one of them (`best_place`).
    Of other trials it is the first one, so that the choice does not depend on which run ended first.
    """
    ordered = _ascending(trials)
    if ordered is None:
        scored = [trial for trial in trials if trial.score is not None]
        upward = sign(goal)
        return max(scored, key=lambda trial: upward * (trial.score.mean if trial.score else math.nan), default=None)
    place = best_place([trial.score.mean if trial.score else None for trial in ordered], goal)
    return None if place is None else ordered[place]


def _ascending(trials: Sequence[Trial]) -> list[Trial] | None:
    """Return the trials in the order of their only value; None if they are of several pairs, or have no order."""
    first, values = trials[0] if trials else None, [list(trial.values.values()) for trial in trials]
    if first is None or any(trial.cell.pair != first.cell.pair for trial in trials):
        return None
    if any(len(own) != 1 or isinstance(own[0], bool) or not isinstance(own[0], int | float) for own in values):
        return None
    return sorted(trials, key=lambda trial: float(next(iter(trial.values.values()))))


def best_place(scores: Sequence[float | None], goal: Goal) -> int | None:
    """Return the place of the best score among those of ascending values; None if there is no score.

    With few validation samples many values have the same accuracy. Then the middle of the longest row of best scores
    is the best guess, because the values next to it are as good: a value at the end of the row is next to a worse one.
    """
    upward = sign(goal)
    finite = [score for score in scores if score is not None]
    if not finite:
        return None
    highest = max(upward * score for score in finite)
    # Sums of the same scores over the seeds, in another order, differ in their last digit.
    best = [score is not None and math.isclose(upward * score, highest, rel_tol=SAME, abs_tol=0) for score in scores]
    rows: list[list[int]] = []
    for place in range(len(scores)):
        if best[place] and place and best[place - 1]:
            rows[-1].append(place)
        elif best[place]:
            rows.append([place])
    longest_row = max(rows, key=len)
    return longest_row[(len(longest_row) - 1) // 2]


def choices_of(trials: Sequence[Trial], goal: Goal, repetitions: Sequence[Sequence[int]]) -> list[Trial | None]:
    """Return the best trial of each repetition of tuning, each on its own seeds."""
    found = []
    for seeds in repetitions:
        best = best_trial(judged(trials, seeds, len(repetitions)), goal)
        found.append(next((one for one in trials if best is not None and one.cell is best.cell), None))
    return found


def repetitions(trials: Sequence[Trial], repeats: int) -> list[list[int]]:
    """Return the tuning seeds of each repetition: a share of those of the pair's first run, in their order."""
    return shares(trials[0].cell.config["seeds"], repeats)


def shares(seeds: Sequence[int], repeats: int) -> list[list[int]]:
    """Return the seeds of each repetition: as many for each, in their order."""
    size = len(seeds) // repeats
    return [list(seeds[first : first + size]) for first in range(0, repeats * size, size)]


def longest(every: Sequence[Trial], epochs: int | None) -> list[Trial]:
    """Return one trial for each tuned value, with the seeds of all runs that trained it for the longest.

    Args:
        every: The tuning runs of a pair, in the order of the plan. Repetitions may have trained the same value in
            different runs.
        epochs: With halving, the length of its last round; a value that was not trained for so long has no score.
    """
    of: dict[str, list[Trial]] = {}
    for trial in every:
        of.setdefault(key_of(trial.values), []).append(trial)
    found = []
    for runs in of.values():
        most = max(run.cell.config.get("epochs", 0) for run in runs)
        one = _united([run for run in runs if run.cell.config.get("epochs", 0) == most])
        if epochs is not None and most < epochs:
            one = replace(one, score=None, by_seed={}, left_behind=one.score is not None)
        found.append(one)
    return found


def _united(runs: Sequence[Trial]) -> Trial:
    """Return the runs of one value as a single trial with the seeds of all of them."""
    first, *others = runs
    if not others:
        return first
    by_seed = {seed: value for run in runs for seed, value in run.by_seed.items()}
    seeds = [seed for run in runs for seed in run.cell.config["seeds"]]
    return Trial(
        replace(first.cell, config={**first.cell.config, "seeds": seeds}),
        first.values,
        spread(by_seed) if all(run.score is not None for run in runs) else None,
        diverged=any(run.diverged for run in runs),
        ended=all(run.ended for run in runs),
        by_seed=by_seed,
        courses={seed: course for run in runs for seed, course in run.courses.items()},
        epochs=sum(run.epochs for run in runs),
    )


def key_of(values: Mapping[str, Any]) -> str:
    """Return a text that is the same for the same keys and values only."""
    return json.dumps(dict(values), sort_keys=True)


def judged(trials: Sequence[Trial], seeds: Sequence[int], repeats: int) -> list[Trial]:
    """Return the trials of one repetition, each with its score on the repetition's own seeds, if it has one on all."""
    if repeats == 1:
        return list(trials)
    own = set(seeds)
    return [
        replace(one, score=spread({seed: one.by_seed[seed] for seed in seeds}) if own <= one.by_seed.keys() else None)
        for one in trained_on(trials, seeds, repeats)
    ]


def trained_on(trials: Sequence[Trial], seeds: Sequence[int], repeats: int) -> list[Trial]:
    """Return the trials of one repetition, which are those that were trained with its own seeds."""
    own = set(seeds)
    return [one for one in trials if repeats == 1 or own <= set(one.cell.config["seeds"])]


def courses_of(run: RecordedRun, metric: str) -> dict[int, tuple[float, ...]]:
    """Return for each seed the metric at the best epoch so far, after each epoch."""
    best_metric, upward = run.config["best"]["metric"], sign(run.config["best"]["mode"])
    highest: dict[int, float] = {}
    found: dict[int, list[float]] = {}
    for row in run.history.rows:
        seed, value = row["seed"], float(row.get(best_metric, math.nan))
        course = found.setdefault(seed, [])
        if math.isfinite(value) and upward * value > highest.get(seed, -math.inf):
            highest[seed] = upward * value
            course.append(float(row.get(metric, math.nan)))
        else:
            course.append(course[-1] if course else math.nan)
    return {seed: tuple(course) for seed, course in found.items()}
