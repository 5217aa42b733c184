"""What a sweep reports, from cells whose scores are written rather than trained."""

from pathlib import Path

import numpy as np
import pytest

from lossrun.analysis.comparison.verdicts import Decider, Side, verdicts
from lossrun.analysis.sweeps.result import reference, result_of
from lossrun.analysis.sweeps.trials import Trial, best_trial, choices_of, repetitions
from lossrun.analysis.sweeps.tuning import tuning_of
from lossrun.analysis.values.readings import Spread, spread
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


def test_a_seed_that_stopped_early_keeps_its_last_value_in_the_course(tmp_path: Path) -> None:
    """Else the mean would be over the seeds that are left, and could reach a target that the run has not."""
    sweep = written_sweep(tmp_path, {(("mse",), 0.1): [4.0, 2.0]}, {})
    (cell,) = read_plan(sweep)
    facts = {"step": 6, "seed": 100, "train_loss": 1.0, "val_loss": 1.0, "learning_rate": 0.1, "seconds": 0.5}
    history.append(RunDirectory(sweep.run(cell)).history_path, [{"epoch": 2, **facts, "val_rmse": 1.0}])
    tuning = tuning_of(sweep)
    assert tuning is not None
    assert tuning.pairs[0].trials[0].course == (3.0, 1.5)


SEEDS = 6
SIMULATIONS = 1_000
DECIDED = ("better", "worse", "probably better", "probably worse")


def measured(generator: np.random.Generator, seeds: range, loss: float, shared: np.ndarray) -> Spread:
    """Scores of one config: what its seeds have in common with those of other configs, and noise of its own."""
    found = spread(dict(zip(seeds, loss + shared + generator.normal(0, 0.1, len(seeds)), strict=True)))
    assert found is not None
    return found


@pytest.mark.parametrize("configs", [2, pytest.param(9, marks=pytest.mark.slow)])
def test_equal_configs_rarely_get_a_verdict(configs: int) -> None:
    """The same best rate and the same loss for all: of any verdicts, at most LEVEL, 5 %, may claim a difference.

    With 1,000 simulations the share has a standard error of 0.7 %; two of these are allowed for.
    """
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(SIMULATIONS):
        chosen: list[Trial | None] = []
        finals: list[Spread] = []
        tuning, shared = generator.normal(0, 0.1, 2), generator.normal(0, 0.1, SEEDS)
        for number in range(configs):
            trials = []
            for rate, loss in ((0.01, 1.2), (0.1, 1.0), (1.0, 1.1)):
                cell = PlannedCell(f"{number}", "tune", {"loss": number}, {"loss": number, "learning_rate": rate}, {})
                score = measured(generator, range(100, 102), loss, tuning)
                trials.append(Trial(cell, {"learning_rate": rate}, score, diverged=False, ended=True))
            best = best_trial(trials, "min")
            chosen.append(best)
            finals.append(measured(generator, range(SEEDS), 1.0, shared))
        first = reference(chosen, "min")
        values = (finals[first], *finals[:first], *finals[first + 1 :])
        sides = [Side(str(place), tuple(range(SEEDS)), (), "", None) for place in range(configs)]
        found = verdicts([Decider("test_rmse", "min", values)], sides)
        wrong += any(verdict.word in DECIDED for verdict in found)
    assert wrong / SIMULATIONS <= 0.05 + 2 * 0.007


def test_each_repetition_chooses_for_itself() -> None:
    cells = [PlannedCell(rate, "tune", {}, {"learning_rate": rate}, {"seeds": [7, 8, 9, 10]}) for rate in ("a", "b")]
    # Seeds 7 and 8 are the first repetition: a has the mean 2.5, b 2. In the second one a seed of b diverged.
    scores = [{7: 1.0, 8: 4.0, 9: 3.0, 10: 3.0}, {7: 2.0, 8: 2.0, 9: 1.0}]
    trials = [
        Trial(cell, cell.changes, None, diverged=len(score) < 4, ended=True, by_seed=score)
        for cell, score in zip(cells, scores, strict=True)
    ]
    assert [one.cell.directory for one in choices_of(trials, "min", repetitions(trials, 2)) if one] == ["b", "a"]
