"""Show how much the scores of a sweep depend on the tuned value, and on the two keys that make its pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult
from lossrun.analysis.sweeps.words import word
from lossrun.analysis.values.readings import Spread
from lossrun.catalog.metric_names import Goal

MOST_COLUMNS: Final = 4  # of a map, if the other key has fewer values: pages and terminals have room for more rows


@dataclass(frozen=True, slots=True)
class SensitivityLine:
    """The tuning scores of one pair, in ascending order of the tuned value.

    Attributes:
        pair: The number of the pair in the tuning.
        scores: One spread for each x; None for a value that diverged or failed.
    """

    pair: int
    label: str
    xs: tuple[float, ...]
    scores: tuple[Spread | None, ...]


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The score against the tuned value, one line for each pair.

    Attributes:
        log: Whether the values span so much that their axis is logarithmic.
    """

    key: str
    metric: str
    goal: Goal
    log: bool
    lines: tuple[SensitivityLine, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The best tuning score of each pair, by the two keys that make the pairs.

    Attributes:
        keys: The key of the rows and the key of the columns.
        scores: One row for each of `rows`; None for a pair without a score.
    """

    keys: tuple[str, str]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    scores: tuple[tuple[Spread | None, ...], ...]
    metric: str
    goal: Goal

    @property
    def turned(self) -> "HeatMap":
        """The map with the other key in its rows."""
        scores = tuple(zip(*self.scores, strict=True))
        return HeatMap(self.keys[::-1], self.columns, self.rows, scores, self.metric, self.goal)

    def shade(self, row: int, column: int) -> float | None:
        """Return the place of a score between the worst (0) and the best (1) of all; None without a score."""
        means = [score.mean for scores in self.scores for score in scores if score is not None]
        score = self.scores[row][column]
        if score is None:
            return None
        worst, best = (min(means), max(means)) if self.goal == "max" else (max(means), min(means))
        return 1.0 if best == worst else (score.mean - worst) / (best - worst)


def sensitivity(tuning: TuningResult) -> Sensitivity | None:
    """Return the curves; None unless exactly one key with numbers is tuned, over three values at least."""
    keys = {key for pair in tuning.pairs for trial in pair.trials for key in trial.values}
    values = [value for pair in tuning.pairs for trial in pair.trials for value in trial.values.values()]
    if len(keys) != 1 or not all(isinstance(one, int | float) and not isinstance(one, bool) for one in values):
        return None
    if len(set(values)) < 3 or not any(trial.score for pair in tuning.pairs for trial in pair.trials):
        return None
    if any(trial.left_behind for pair in tuning.pairs for trial in pair.trials):
        return None  # scores after different numbers of epochs make no curve
    (key,) = keys
    named = enumerate(zip(tuning.names, tuning.pairs, strict=True))
    lines = tuple(_line(number, name, pair, key) for number, (name, pair) in named)
    positive = min(values) > 0
    return Sensitivity(key, tuning.metric, tuning.goal, positive and max(values) / min(values) >= 10, lines)


def heat_map(tuning: TuningResult) -> HeatMap | None:
    """Return the map; None unless exactly two keys make the pairs, each with several values.

    The first key is in the rows, or the one with more values if they are too many for columns.
    """
    alternatives = {key: _alternatives([pair.pair for pair in tuning.pairs], key) for key in tuning.pairs[0].pair}
    keys = tuple(key for key, values in alternatives.items() if len(values) > 1)
    if len(keys) != 2:
        return None
    rows, columns = alternatives[keys[0]], alternatives[keys[1]]
    found = {(word(pair.pair[keys[0]]), word(pair.pair[keys[1]])): pair.score for pair in tuning.pairs}
    scores = tuple(tuple(found.get((row, column)) for column in columns) for row in rows)
    map_ = HeatMap((keys[0], keys[1]), rows, columns, scores, tuning.metric, tuning.goal)
    return map_.turned if len(columns) > max(len(rows), MOST_COLUMNS) else map_


def _line(number: int, name: str, pair: PairTuning, key: str) -> SensitivityLine:
    trials = sorted(pair.trials, key=lambda trial: float(trial.values[key]))
    return SensitivityLine(
        number,
        name,
        tuple(float(trial.values[key]) for trial in trials),
        tuple(trial.score for trial in trials),
    )


def _alternatives(pairs: Sequence[Mapping[str, Any]], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word(pair[key]) for pair in pairs))
