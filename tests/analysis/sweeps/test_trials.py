"""Which of several tuned values is chosen, where scores are equal."""

from typing import Any

import pytest

from lossrun.analysis.sweeps.trials import Trial, best_place, best_trial
from lossrun.analysis.values.readings import spread
from lossrun.records.sweep_directory import PlannedCell


@pytest.mark.parametrize(
    ("scores", "place"),
    [
        ([0.9, 1.0, 1.0, 1.0, 0.8], 2),  # the middle
        ([1.0, 1.0, 1.0, 1.0, 0.5], 1),  # of four, the smaller of the two in the middle
        ([1.0, 0.9, 1.0, 1.0, 1.0], 3),  # of two rows, the longer one
        ([1.0, None, 1.0], 0),  # a value that diverged parts them
        ([0.1 + 0.2 + 0.3, 0.6, 0.3 + 0.2 + 0.1], 1),  # the first and the last differ in the last digit
        ([0.2, 0.3, 0.1], 1),
        ([None, None], None),
        ([], None),
    ],
)
def test_of_equal_scores_in_a_row_the_middle_is_the_best(scores: list[float | None], place: int | None) -> None:
    assert best_place(scores, "max") == place
    assert best_place([None if score is None else -score for score in scores], "min") == place


def trial(values: dict[str, Any], score: float, pair: str = "mse") -> Trial:
    cell = PlannedCell(f"{values}", "tune", {"loss": pair}, {"loss": pair, **values}, {})
    return Trial(cell, values, spread({0: score}), diverged=False, ended=True)


def test_the_order_is_that_of_the_values_and_not_of_the_runs() -> None:
    rates = [0.1, 0.001, 1.0, 0.01]
    chosen = best_trial([trial({"learning_rate": rate}, 0.5 if rate == 1.0 else 1.0) for rate in rates], "max")
    assert chosen is not None
    assert chosen.values == {"learning_rate": 0.01}


@pytest.mark.parametrize(
    "trials",
    [
        [trial({"learning_rate": rate, "weight_decay": 0.1}, 1.0) for rate in (0.1, 0.2, 0.3)],
        [trial({"schedule": name}, 1.0) for name in ("cosine", "linear", "step")],
        [trial({"learning_rate": 0.1}, 1.0, pair) for pair in ("mse", "mae", "huber")],
    ],
    ids=["two keys", "words", "pairs"],
)
def test_where_values_have_no_order_the_first_is_chosen(trials: list[Trial]) -> None:
    assert best_trial(trials, "max") is trials[0]
