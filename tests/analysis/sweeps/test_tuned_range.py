"""The width of the range that works: errors at most 1.1 times the best one, at neighbouring values."""

from collections.abc import Sequence

import pytest

from lossrun.analysis.sweeps.trials import Trial, best_trial
from lossrun.analysis.sweeps.tuned_range import is_on_edge, working_decades
from lossrun.analysis.values.readings import spread
from lossrun.catalog.metric_names import Goal
from lossrun.records.sweep_directory import PlannedCell

RATES = (0.001, 0.01, 0.1, 1.0)


def trials(scores: Sequence[float | None], rates: Sequence[float] = RATES) -> list[Trial]:
    """One trial for each rate; None for one that diverged."""
    return [
        Trial(
            PlannedCell(str(rate), "tune", {}, {"learning_rate": rate}, {"seeds": [1]}),
            {"learning_rate": rate},
            None if score is None else spread({1: score}),
            diverged=score is None,
            ended=True,
        )
        for rate, score in zip(rates, scores, strict=True)
    ]


@pytest.mark.parametrize(
    ("scores", "goal", "decades"),
    [
        ((2.0, 1.05, 1.0, 1.09), "min", 2.0),
        ((1.05, 2.0, 1.0, 2.0), "min", 0.0),  # a range ends at the first value that does not work
        ((2.0, 1.0, 1.0, None), "min", 1.0),
        ((0.80, 0.90, 0.895, 0.70), "max", 1.0),  # errors 0.10 and 0.105, and 0.20 is too large
        ((0.0, 0.0, 0.1, 0.1), "min", 1.0),  # nothing but 0 is at most 1.1 times 0
        ((-2.0, -1.95, -1.9, 1.0), "min", None),  # a tenth more than a negative error means nothing
    ],
)
def test_the_range_is_counted_in_decades(scores: Sequence[float | None], goal: Goal, decades: float | None) -> None:
    tried = trials(scores)
    best = best_trial(tried, goal)
    assert best is not None
    found = working_decades(best, tried, goal)
    assert found == (None if decades is None else pytest.approx(decades))


def test_a_value_that_was_chosen_but_has_no_score_has_no_range() -> None:
    """With repeated tuning, the value that most repetitions chose may have diverged in another one."""
    tried = trials((1.0, None, 1.0, 1.0))
    assert working_decades(tried[1], tried, "min") is None


def test_a_single_value_has_no_range() -> None:
    tried = trials((1.0, 2.0, 3.0, 4.0))[:1]
    assert working_decades(tried[0], tried, "min") is None


def test_values_that_have_no_logarithm_have_no_range() -> None:
    tried = trials((1.0, 1.0, 1.0, 1.0), rates=(0.0, 0.1, 0.5, 0.9))
    assert working_decades(tried[0], tried, "min") is None


@pytest.mark.parametrize(
    ("scores", "edge"), [((1.0, 2.0, 3.0, 4.0), True), ((2.0, 1.0, 3.0, 4.0), False), ((1.0, 1.0, 3.0, 4.0), False)]
)
def test_the_best_value_is_on_the_edge_unless_one_inside_is_as_good(scores: Sequence[float], edge: bool) -> None:
    tried = trials(scores)
    best = best_trial(tried, "min")
    assert best is not None
    assert is_on_edge("learning_rate", best, tried) is edge
