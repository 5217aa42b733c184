"""Search for a learning rate: which rates to try, for how many steps each, and what their scores suggest.

A range test that raises the rate step by step sees each rate for a few steps, from weights that the smaller rates have
moved, and suggests where the loss falls fastest; that rate is often too large or too small by a factor of ten or more.
Here each rate is tried from the same first weights, and the answer comes from trainings that are as long as the run
itself, or as long as the user can wait. Short trainings only say where to look: what is best after 50 steps is usually
too large for 500.

Nothing is trained here: `search` is given a function that trains.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lossrun.analysis.sweeps.sensitivity import Sensitivity, SensitivityLine
from lossrun.analysis.sweeps.tuned_range import as_error, working_range
from lossrun.analysis.values.readings import Spread
from lossrun.catalog.metric_names import Goal, sign

# How far from the best rate the suggestion may be, as a factor. In a flat range the best rate is best by chance, and in
# a range that falls to one side the middle is worse than the best.
MOST_AWAY: Final = 2.0
# The share of the longest trainings that the rounds before the last one take.
SHARES: Final = (1 / 9, 1 / 3, 1)
# The factor from one rate to the next, in each round.
FACTORS: Final = (10**0.5, 10**0.5, 10**0.25)
# Where each round looks: powers of its factor, times the middle of what worked in the round before. There are more
# below the middle than above, because the best rate falls as training gets longer.
AROUND: Final = (range(0), range(-3, 2), range(-2, 2))
MOST_BEYOND: Final = 4  # rates that a round adds if its smallest or its largest one works


@dataclass(frozen=True, slots=True)
class RateTry:
    """A short training. `score`: the best value of the metric, the mean over seeds; None if a seed diverged."""

    rate: float
    score: float | None


@dataclass(frozen=True, slots=True)
class SearchRound:
    """Trainings of the same length, in ascending order of their rates."""

    steps: int
    tries: tuple[RateTry, ...]


@dataclass(frozen=True, slots=True)
class RateSearch:
    """What a search has found.

    Attributes:
        metric: A column of the history, by which rates are judged.
        run_steps: The steps of the whole run.
        seeds: The seeds that each rate was tried with.
    """

    metric: str
    goal: Goal
    run_steps: int
    seeds: tuple[int, ...]
    rounds: tuple[SearchRound, ...]

    @property
    def best(self) -> RateTry | None:
        """The best of the longest trainings; None if all diverged."""
        return _best(self.rounds[-1].tries, self.goal)

    @property
    def working(self) -> tuple[float, float] | None:
        """The smallest and the largest rate around the best one that work about as well."""
        return working(self.rounds[-1].tries, self.goal)

    @property
    def suggestion(self) -> float | None:
        """The middle of the rates that work about as well as the best one, or the rate `MOST_AWAY` from the best one if
        the middle is further; None if all diverged."""
        if self.best is None or self.working is None:
            return None
        middle, best = math.sqrt(self.working[0] * self.working[1]), self.best.rate
        return readable(min(max(middle, best / MOST_AWAY), best * MOST_AWAY), 2)

    @property
    def is_whole(self) -> bool:
        """Whether the longest trainings were as long as the run."""
        return self.rounds[-1].steps == self.run_steps

    @property
    def trainings(self) -> int:
        """How many trainings of one seed there were."""
        return sum(len(one.tries) for one in self.rounds) * len(self.seeds)

    @property
    def cost(self) -> float:
        """The steps that all trainings were planned to take, in runs of one seed."""
        return sum(len(one.tries) * one.steps for one in self.rounds) * len(self.seeds) / self.run_steps


# The best score of each rate, None where it diverged, after training with each for the given number of steps.
Train = Callable[[Sequence[float], int], Sequence[float | None]]


def search(train: Train, low: float, high: float, steps: int, goal: Goal) -> Iterator[SearchRound]:
    """Yield each round as soon as it has ended; the last one has the longest trainings.

    Args:
        train: Trains with each of some rates for a number of steps.
        low: The smallest rate to begin with.
        high: The largest one.
        steps: The length of the longest trainings.
    """
    lengths = [max(1, round(steps * share)) for share in SHARES]
    middle: float | None = None
    for length, factor, around in zip(lengths, FACTORS, AROUND, strict=True):
        if middle is None:
            rates = [low * factor**number for number in range(round(math.log(high / low, factor)) + 1)]
        else:
            rates = [middle * factor**number for number in around]
        tries = _widened(train, _tried(train, rates, length), length, factor, goal)
        yield SearchRound(length, tuple(tries))
        if (found := working(tries, goal)) is not None:
            middle = 10 ** (round(math.log10(found[0] * found[1]) * 4) / 8)  # on the grid, so that rates look tidy
        elif middle is None:
            return


def _tried(train: Train, rates: Sequence[float], steps: int) -> list[RateTry]:
    rounded = [readable(rate) for rate in rates]
    return [RateTry(rate, score) for rate, score in zip(rounded, train(rounded, steps), strict=True)]


def _widened(train: Train, tries: list[RateTry], steps: int, factor: float, goal: Goal) -> list[RateTry]:
    """Try further rates as long as the smallest or the largest one tried works, or no rate has a score.

    If both work, the better end is extended first.
    """
    for _ in range(MOST_BEYOND):
        works = working(tries, goal)
        at_low = works is None or works[0] == tries[0].rate
        at_high = works is not None and works[1] == tries[-1].rate
        if at_high and not (at_low and _best([tries[0], tries[-1]], goal) is tries[0]):
            tries = [*tries, *_tried(train, [tries[-1].rate * factor], steps)]
        elif at_low:
            tries = [*_tried(train, [tries[0].rate / factor], steps), *tries]
        else:
            break
    return tries


def working(tries: Sequence[RateTry], goal: Goal) -> tuple[float, float] | None:
    """Return the smallest and the largest rate, with no gap between them, that work about as well as the best one."""
    best = _best(tries, goal)
    if best is None:
        return None
    errors = [math.inf if one.score is None else as_error(one.score, goal) for one in tries]
    low, high = working_range(errors, tries.index(best))
    return tries[low].rate, tries[high].rate


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
    scored = [(one.score, one) for one in tries if one.score is not None]
    return max(scored, key=lambda pair: sign(goal) * pair[0])[1] if scored else None


def readable(value: float, digits: int = 3) -> float:
    """Round to a few significant digits."""
    return float(f"{value:.{digits}g}")
