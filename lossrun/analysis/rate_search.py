"""Search for a learning rate: which rates to try, for how many steps each, and what their scores suggest.

A range test that raises the rate step by step sees each rate for a few steps, from weights that the smaller rates have
moved, and suggests where the loss falls fastest; that rate is often too large or too small by a factor of ten or more.
Here each rate is tried from the same initial weights, and the answer comes from trainings that are as long as the run
itself, or as long as the user can wait. Short trainings only say where to look: what is best after 50 steps is usually
too large for 500.

Nothing is trained here: `search` is given a function that trains.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from lossrun.analysis.sweeps.sensitivity import Sensitivity, SensitivityLine
from lossrun.analysis.sweeps.trials import SAME, best_place
from lossrun.analysis.sweeps.tuned_range import as_error, row_around, working_range
from lossrun.analysis.values.readings import Spread
from lossrun.catalog.metric_names import Goal, sign

# How far from the best rate the suggestion may be, as a factor. In a flat range the best rate is best by chance, and in
# a range that falls to one side the middle is worse than the best.
MOST_AWAY: Final = 2.0
# The share of the longest trainings that the rounds before the last one take.
SHARES: Final = (1 / 9, 1 / 3, 1)
# Shorter trainings than this save no time, and say little: the training loss of the first step is that of the first
# weights, whatever the rate.
FEWEST_STEPS: Final = 10
# The factor from one rate to the next, in each round.
FACTORS: Final = (10**0.5, 10**0.5, 10**0.25)
# Where each round looks: powers of its factor, times the middle of what worked in the round before. There are more
# below the middle than above, because the best rate falls as training gets longer.
AROUND: Final = (range(0), range(-3, 2), range(-3, 2))
MOST_BEYOND: Final = 4  # rates that a round adds if its smallest or its largest one works
FEWEST_SEEDS: Final = 2  # of the rounds before the last one
# The noise is measured at rates that are at most this factor from the best one, and a little for rounding.
NEAR: Final = 10**0.5 * 1.01


@dataclass(frozen=True, slots=True)
class RateTry:
    """Short trainings with one rate, one for each seed.

    Attributes:
        score: The metric, the mean over the seeds; None if a seed diverged.
        per_seed: The metric of each seed; () if a seed diverged.
    """

    rate: float
    score: float | None
    per_seed: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchRound:
    """Trainings of the same length, in ascending order of their rates. All rates are tried with the same `seeds`."""

    steps: int
    tries: tuple[RateTry, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RateSearch:
    """What a search has found.

    Attributes:
        metric: A column of the history, by which rates are judged.
        run_steps: The steps of the whole run.
    """

    metric: str
    goal: Goal
    run_steps: int
    rounds: tuple[SearchRound, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the longest trainings."""
        return self.rounds[-1].seeds

    @property
    def best(self) -> RateTry | None:
        """The best of the longest trainings; None if all diverged."""
        return _best(self.rounds[-1].tries, self.goal)

    @property
    def working(self) -> tuple[float, float] | None:
        """The smallest and the largest rate around the best one that are as good, as far as the seeds can tell."""
        return working(self.rounds[-1].tries, self.goal)

    @property
    def elsewhere(self) -> tuple[float, ...]:
        """Rates that are as good as the working ones, but with a worse one in between."""
        tries = self.rounds[-1].tries
        low, high = self.working or (0.0, math.inf)
        pairs = zip(tries, as_good(tries, self.goal), strict=True)
        return tuple(one.rate for one, good in pairs if good and not low <= one.rate <= high)

    @property
    def noise(self) -> float:
        """By how much two scores of the longest trainings differ by chance, near the best one."""
        return noise(self.rounds[-1].tries, self.goal)

    @property
    def suggestion(self) -> float | None:
        """A rate among those that are as good as the best one, but at most `MOST_AWAY` from it; None if all diverged.

        It is their middle, or the smallest of them if the run is longer than the longest trainings: the best rate falls
        as training gets longer.
        """
        if self.best is None or self.working is None:
            return None
        low, high = self.working
        chosen, best = math.sqrt(low * high) if self.is_whole else low, self.best.rate
        return readable(min(max(chosen, best / MOST_AWAY), best * MOST_AWAY), 2)

    @property
    def is_whole(self) -> bool:
        """Whether the longest trainings were as long as the run."""
        return self.rounds[-1].steps == self.run_steps

    @property
    def trainings(self) -> int:
        """How many trainings of one seed there were."""
        return sum(len(one.tries) * len(one.seeds) for one in self.rounds)

    @property
    def cost(self) -> float:
        """The steps that all trainings were planned to take, in runs of one seed."""
        return sum(len(one.tries) * len(one.seeds) * one.steps for one in self.rounds) / self.run_steps


AroundBest: TypeAlias = Callable[[Sequence[RateTry], Goal], tuple[float, float] | None]
# The scores of each rate, one for each of the given seeds, after training for the given number of steps. The scores of
# a seed that diverged are not finite.
Train = Callable[[Sequence[float], int, Sequence[int]], Sequence[Sequence[float]]]


def search(
    train: Train, low: float, high: float, steps: int, goal: Goal, seeds: Sequence[int]
) -> Iterator[SearchRound]:
    """Yield each round as soon as it has ended; the last one has the longest trainings.

    Args:
        train: Trains with each of some rates for a number of steps.
        low: The smallest rate to begin with.
        high: The largest one.
        steps: The length of the longest trainings.
        seeds: The seeds of the longest trainings. The others have the first `FEWEST_SEEDS` of them.
    """
    lengths = [min(steps, max(FEWEST_STEPS, round(steps * share))) for share in SHARES]
    middle: float | None = None
    for number, (length, factor, around) in enumerate(zip(lengths, FACTORS, AROUND, strict=True), 1):
        if middle is None:
            rates = [low * factor**power for power in range(round(math.log(high / low, factor)) + 1)]
        else:
            rates = [middle * factor**power for power in around]
        is_last = number == len(lengths)
        its = tuple(seeds if is_last else seeds[:FEWEST_SEEDS])
        around_best = working if is_last else promising
        tries = _widened(partial(_tried, train, length, its), rates, factor, goal, around_best)
        yield SearchRound(length, tuple(tries), its)
        if (found := around_best(tries, goal)) is not None:
            middle = 10 ** (round(math.log10(found[0] * found[1]) * 4) / 8)  # on the grid, so that rates look tidy
        elif middle is None:
            return


def _tried(train: Train, steps: int, seeds: Sequence[int], rates: Sequence[float]) -> list[RateTry]:
    rounded = [readable(rate) for rate in rates]
    tries = []
    for rate, scores in zip(rounded, train(rounded, steps, seeds), strict=True):
        whole = all(map(math.isfinite, scores))
        tries.append(RateTry(rate, _mean(scores), tuple(scores)) if whole else RateTry(rate, None))
    return tries


def _widened(
    tried: Callable[[Sequence[float]], list[RateTry]],
    rates: Sequence[float],
    factor: float,
    goal: Goal,
    around_best: AroundBest,
) -> list[RateTry]:
    """Try the rates, and further ones as long as the smallest or the largest one tried works, or none has a score.

    If both work, the better end is extended first. `around_best`: says which rates work.
    """
    tries = tried(rates)
    for _ in range(MOST_BEYOND):
        works = around_best(tries, goal)
        at_low = works is None or works[0] == tries[0].rate
        at_high = works is not None and works[1] == tries[-1].rate
        if at_high and not (at_low and _best([tries[0], tries[-1]], goal) is tries[0]):
            tries = [*tries, *tried([tries[-1].rate * factor])]
        elif at_low:
            tries = [*tried([tries[0].rate / factor]), *tries]
        else:
            break
    return tries


def promising(tries: Sequence[RateTry], goal: Goal) -> tuple[float, float] | None:
    """Return the smallest and the largest rate, with no gap between them, whose error is about that of the best one.

    This is for short trainings with few seeds, which say little about the noise.
    """
    best = _best(tries, goal)
    if best is None:
        return None
    errors = [math.inf if one.score is None else as_error(one.score, goal) for one in tries]
    low, high = working_range(errors, tries.index(best))
    return tries[low].rate, tries[high].rate


def working(tries: Sequence[RateTry], goal: Goal) -> tuple[float, float] | None:
    """Return the smallest and the largest rate, with no gap between them, that are as good as the best one.

    They are those whose score is worse by no more than the noise.
    """
    best = _best(tries, goal)
    if best is None:
        return None
    low, high = row_around(tries.index(best), as_good(tries, goal))
    return tries[low].rate, tries[high].rate


def as_good(tries: Sequence[RateTry], goal: Goal) -> list[bool]:
    """Return whether each rate is as good as the best one, up to the noise."""
    best = _best(tries, goal)
    if best is None or best.score is None:
        return [False] * len(tries)
    least = sign(goal) * best.score - max(noise(tries, goal), SAME * abs(best.score))
    return [one.score is not None and sign(goal) * one.score >= least for one in tries]


def noise(tries: Sequence[RateTry], goal: Goal) -> float:
    """Return by how much the scores of two rates near the best one differ by chance: two standard errors.

    All rates are tried with the same seeds, and an easy seed does well with every rate, which is not noise. Noise is
    what is left without the means of the seeds and of the rates. It is pooled over the rates, because two seeds say
    little.
    """
    best = _best(tries, goal)
    near = [] if best is None else [one.per_seed for one in tries if 1 / NEAR <= one.rate / best.rate <= NEAR]
    near = [scores for scores in near if scores]
    if len(near) < 2 or len(near[0]) < 2:
        return 0.0
    seeds, whole = [_mean(scores) for scores in zip(*near, strict=True)], _mean([_mean(scores) for scores in near])
    left = [score - _mean(scores) - seed + whole for scores in near for score, seed in zip(scores, seeds, strict=True)]
    degrees = (len(near) - 1) * (len(seeds) - 1)
    found = 2 * math.sqrt(sum(value * value for value in left) / degrees * 2 / len(seeds))
    return found if math.isfinite(found) and found > SAME * abs(whole) else 0.0


def has_no_effect(found: RateSearch) -> bool:
    """Return whether all rates of the first round, which are decades apart, have the same score."""
    return len({one.score for one in found.rounds[0].tries}) == 1


def search_curves(found: RateSearch) -> Sensitivity:
    """Return the score against the rate, one line for each round.

    The smallest rate hardly trains at all. Scores worse than its score are not drawn: they only show that the rate is
    too large, and would flatten the rest of the curve.
    """
    lines = []
    for number, one in enumerate(found.rounds):
        scores = [tried.score for tried in found.rounds[0].tries if tried.score is not None]
        untrained = sign(found.goal) * scores[0]
        shown = [
            None if tried.score is None or sign(found.goal) * tried.score < untrained else tried.score
            for tried in one.tries
        ]
        whole = ", the whole run" if one.steps == found.run_steps else ""
        label = f"{one.steps} step{'s' if one.steps != 1 else ''}{whole}"
        spreads = tuple(None if score is None else Spread({}, score, None) for score in shown)
        lines.append(SensitivityLine(number, label, tuple(tried.rate for tried in one.tries), spreads))
    return Sensitivity("learning_rate", found.metric, found.goal, True, tuple(lines))


def _best(tries: Sequence[RateTry], goal: Goal) -> RateTry | None:
    place = best_place([one.score for one in tries], goal)
    return None if place is None else tries[place]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def readable(value: float, digits: int = 3) -> float:
    """Round to a few significant digits."""
    return float(f"{value:.{digits}g}")
