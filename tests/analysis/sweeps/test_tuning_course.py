"""What tuning had found after each amount of effort, from scores that are given here."""

import pytest

from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult
from lossrun.analysis.sweeps.tuning_course import by_rounds, by_tries
from lossrun.analysis.values.readings import spread
from lossrun.records.sweep_directory import PlannedCell
from lossrun.report.comparison.tuning import curve_table


def trial(number: int, score: float | None, epochs: int = 9, *, ended: bool = True) -> Trial:
    changes = {"learning_rate": number}
    cell = PlannedCell(f"tune-{number}", "tune", {}, changes, {**changes, "epochs": epochs, "seeds": [5, 6]})
    measured = None if score is None else spread({5: score - 0.25, 6: score + 0.25})
    return Trial(cell, changes, measured, diverged=score is None, ended=ended)


def tuned(trials: list[Trial], every: list[Trial], *, adaptive: bool, rounds: tuple[int, ...] = ()) -> TuningResult:
    pair = PairTuning({"loss": "mse"}, tuple(trials), None, (), None, every=tuple(every))
    return TuningResult("val_rmse", "min", False, (pair,), adaptive=adaptive, rounds=rounds)


def test_the_best_so_far_in_the_order_of_the_draws() -> None:
    scores = [None, 3.0, 4.0, 2.0, 2.5]
    trials = [trial(number, score) for number, score in enumerate(scores)]
    points = by_tries(PairTuning({}, tuple(trials), None, (), None), "min")
    assert [point.score.mean if point.score else None for point in points] == [None, 3.0, 3.0, 2.0, 2.0]
    table = curve_table(tuned(trials, trials, adaptive=True), "+-")
    assert table is not None
    assert [column.header for column in table.columns] == ["1 try", "2 tries", "4 tries", "5 tries"]
    # The deviation of 1.75 and 2.25 is 0.5 / sqrt(2).
    assert [column.cells[0] for column in table.columns] == ["-", "3.000 +- 0.35", "2.000 +- 0.35", "2.000 +- 0.35"]
    assert "no band" in table.note


def test_a_value_that_still_trains_ends_the_course() -> None:
    trials = [trial(0, 3.0), trial(1, None, ended=False), trial(2, 1.0)]
    assert len(by_tries(PairTuning({}, tuple(trials), None, (), None), "min")) == 1


def test_rounds_of_halving_by_the_epochs_that_they_take() -> None:
    first = [trial(number, score, epochs=3) for number, score in enumerate([3.0, 2.0, 4.0, None, 5.0, 6.0])]
    second = [trial(1, 1.5, epochs=9), trial(0, 1.0, epochs=9)]
    pair = PairTuning({}, tuple(first), None, (), None, every=(*first, *second))
    points = by_rounds(pair, "min", (3, 9))
    # 6 values, 3 epochs, 2 seeds; then 2 values, 9 epochs, 2 seeds more.
    assert [(point.effort, point.values, point.epochs) for point in points] == [(36, 6, 3), (36 + 36, 2, 9)]
    assert [point.score.mean for point in points if point.score] == [2.0, 1.0]
    table = curve_table(tuned(first, [*first, *second], adaptive=False, rounds=(3, 9)), "+-")
    assert table is not None
    assert [column.header for column in table.columns] == ["36 epochs:\n6 for 3", "72 epochs:\n2 for 9"]


@pytest.mark.parametrize("adaptive", [True, False])
def test_few_values_make_no_table(adaptive: bool) -> None:
    trials = [trial(0, 3.0), trial(1, 2.0)]
    assert curve_table(tuned(trials, trials, adaptive=adaptive), "+-") is None
    assert curve_table(tuned(trials, trials, adaptive=False, rounds=(9, 27)), "+-") is None
