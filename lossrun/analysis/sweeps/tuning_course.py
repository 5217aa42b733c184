"""Report what tuning had found after each amount of effort, if its draws depend on each other.

TPE draws values where earlier ones did well, and halving trains the best ones again for longer. The tuning curve
(`tuning_curve.py`) and its band say what other independent draws would have reached, so they have no meaning here. The
sampler makes a single course, and a different one with another seed. So the report only says what was found, and how
much the scores differ between the tuning seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from lossrun.analysis.sweeps.trials import Trial, best_trial, judged, key_of, repetitions
from lossrun.analysis.sweeps.tuning import PairTuning
from lossrun.analysis.values.readings import Spread, spread
from lossrun.catalog.metric_names import Goal


@dataclass(frozen=True, slots=True)
class CoursePoint:
    """The best score that a pair had reached.

    Attributes:
        effort: The values tried so far, or the epochs of all values and seeds so far.
        score: Over the tuning seeds; None while every value has diverged or failed.
        values: How many values have been tried so far, or were trained in this round.
        epochs: For how many epochs each of them was trained.
    """

    effort: int
    score: Spread | None
    values: int
    epochs: int


def by_tries(pair: PairTuning, goal: Goal) -> tuple[CoursePoint, ...]:
    """Return a point for each value, in the order in which they were drawn, up to the first that has not ended.

    Where tuning was repeated, each repetition has drawn values of its own: a point has the best ones of all of them,
    each on the seeds of its repetition.
    """
    courses = []
    every, repeats = pair.every or pair.trials, max(1, len(pair.choices))
    for seeds in repetitions(every, repeats) if repeats > 1 else [[]]:
        trials = judged(every, seeds, repeats)
        ended = list(takewhile(lambda trial: trial.ended, trials))
        courses.append([best_trial(ended[:count], goal) for count in range(1, len(ended) + 1)])
    return tuple(
        CoursePoint(count, _together(bests), count, every[-1].cell.config.get("epochs", 0))
        for count, bests in enumerate(zip(*courses, strict=False), 1)
    )


def _together(bests: Sequence[Trial | None]) -> Spread | None:
    """Return the scores of the best trial of each repetition, over the seeds of all; None if one has no score."""
    found: dict[int, float] = {}
    for best in bests:
        if best is None or best.score is None:
            return None
        found |= best.score.per_seed
    return spread(found)


def by_rounds(pair: PairTuning, goal: Goal, rounds: Sequence[int]) -> tuple[CoursePoint, ...]:
    """Return a point for each of the `rounds` of halving, which are given by their lengths in epochs.

    The effort is what was planned up to the end of the round. The score is that of the round's own trainings, which are
    longer than those of the round before; where tuning was repeated, of the best one of each repetition.
    """
    points: list[CoursePoint] = []
    spent = 0
    repeats = max(1, len(pair.choices))
    for epochs in rounds:
        trials = [trial for trial in pair.every if trial.cell.config["epochs"] == epochs]
        if not trials or not all(trial.ended for trial in trials):
            break
        spent += sum(epochs * len(trial.cell.config["seeds"]) for trial in trials)
        each = repetitions(pair.every, repeats) if repeats > 1 else [[]]
        bests = [best_trial(judged(trials, seeds, repeats), goal) for seeds in each]
        points.append(CoursePoint(spent, _together(bests), len({key_of(trial.values) for trial in trials}), epochs))
    return tuple(points)
