"""What a sweep reports, from cells whose scores are written rather than trained."""

from pathlib import Path

import pytest

from lossrun.analysis.sweeps.result import result_of
from lossrun.analysis.sweeps.speed import epochs_to
from lossrun.analysis.sweeps.trials import Trial, choices_of, repetitions
from lossrun.analysis.sweeps.tuning import tuning_of
from lossrun.records import history
from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import PlannedCell, read_plan
from tests.written_sweeps import written_sweep

RATES = (0.01, 0.1, 1.0)


def test_the_first_run_is_the_one_that_did_best_in_tuning(tmp_path: Path) -> None:
    """Not the one with the best test score, or equal runs would look different."""
    tuned = {(("mse",), 0.1): [0.5], (("mae",), 0.1): [0.4], (("huber",), 0.1): [0.6]}
    final = {("mse",): [0.3, 0.3], ("mae",): [0.9, 0.9], ("huber",): [0.1, 0.1]}
    result = result_of(written_sweep(tmp_path, tuned, final))
    assert result.comparison is not None
    assert [run.label.split()[0] for run in result.comparison.runs] == ["loss=mae", "loss=mse", "loss=huber"]
    assert [run.tuned for run in result.comparison.runs] == ["learning_rate 0.1"] * 3


def test_of_equal_scores_the_middle_value_is_chosen(tmp_path: Path) -> None:
    tuned = {(("mse",), rate): [0.5, 0.5] for rate in RATES}
    result = result_of(written_sweep(tmp_path, tuned, {}))
    assert result.tuning is not None
    (pair,) = result.tuning.pairs
    assert pair.chosen is not None
    assert pair.chosen.values == {"learning_rate": 0.1}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_not_finite_is_never_chosen(tmp_path: Path, value: float) -> None:
    tuned = {(("mse",), 0.01): [value, 0.1], (("mse",), 0.1): [0.9, 0.9]}
    result = result_of(written_sweep(tmp_path, tuned, {}))
    assert result.tuning is not None
    (pair,) = result.tuning.pairs
    assert pair.chosen is not None
    assert pair.chosen.values == {"learning_rate": 0.1}


def test_the_course_is_what_each_seed_would_have_scored_had_it_ended(tmp_path: Path) -> None:
    """By hand: val_loss chooses the epoch. Seed 100 gets better by it and then worse; seed 101 has stopped."""
    sweep = written_sweep(tmp_path, {(("mse",), 0.1): [4.0, 2.0]}, {})
    (cell,) = read_plan(sweep)
    facts = {"step": 6, "seed": 100, "train_loss": 1.0, "learning_rate": 0.1, "seconds": 0.5}
    rows = [
        {"epoch": 2, **facts, "val_loss": 0.5, "val_rmse": 1.0},
        {"epoch": 3, **facts, "val_loss": 0.7, "val_rmse": 0.5},
    ]
    history.append(RunDirectory(sweep.run(cell)).history_path, rows)
    tuning = tuning_of(sweep)
    assert tuning is not None
    (pair,) = tuning.pairs
    assert pair.trials[0].courses == {100: (4.0, 1.0, 1.0), 101: (2.0,)}
    # The means are 3, 1.5 and 1.5.
    assert [epochs_to(target, pair, "min") for target in (3.0, 2.9, 1.5, 1.4)] == [1, 2, 2, None]


def test_each_repetition_chooses_for_itself() -> None:
    cells = [PlannedCell(rate, "tune", {}, {"learning_rate": rate}, {"seeds": [7, 8, 9, 10]}) for rate in ("a", "b")]
    # Seeds 7 and 8 are the first repetition: a has the mean 2.5, b 2. In the second one a seed of b diverged.
    scores = [{7: 1.0, 8: 4.0, 9: 3.0, 10: 3.0}, {7: 2.0, 8: 2.0, 9: 1.0}]
    trials = [
        Trial(cell, cell.changes, None, diverged=len(score) < 4, ended=True, by_seed=score)
        for cell, score in zip(cells, scores, strict=True)
    ]
    assert [one.cell.directory for one in choices_of(trials, "min", repetitions(trials, 2)) if one] == ["b", "a"]
