"""Successive halving: which values go on, and what is said of the others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.analysis.sweeps.result import result_of
from lossrun.analysis.sweeps.trials import Trial
from lossrun.analysis.sweeps.tuning import PairTuning, TuningResult, saved_share, tuning_of
from lossrun.config import SourcedConfig, from_mapping
from lossrun.errors import ConfigError
from lossrun.records.recorded import load
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_events, read_plan
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.plan import halving_epochs
from lossrun.sweeping.search_space.block import read_space
from lossrun.sweeping.tuning.halving import Halving, halved_cells
from tests.sweeping.conftest import BASE, killed
from tests.sweeping.test_course import losses, made

pytestmark = pytest.mark.slow
RATES = {"log_range": [1e-4, 1e4], "points": 9}  # the largest ones diverge
BLOCK = {"loss": ["mse", "mae"], "learning_rate": RATES, "tune": {"seeds": 1}, "halving": {"factor": 3}}


@pytest.mark.parametrize(
    ("factor", "epochs", "rounds"),
    [(3, 90, [10, 30, 90]), (3, 9, [1, 3, 9]), (3, 4, [1, 4]), (2, 8, [2, 4, 8]), (3, 2, [2])],
)
def test_each_round_is_longer_by_the_factor(factor: int, epochs: int, rounds: list[int]) -> None:
    assert halving_epochs(factor, epochs) == rounds


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> SweepDirectory:
    folder = tmp_path_factory.mktemp("halving")
    sweep = made(from_mapping({**BASE, "epochs": 9, "lint": "warn", "sweep": BLOCK}, folder), folder)
    run_sweep(sweep, data_dir=folder, jobs=2)
    return sweep


def test_the_best_third_of_each_pair_goes_on(swept: SweepDirectory) -> None:
    plan = read_plan(swept)
    rounds = {
        epochs: [cell for cell in plan if cell.config["epochs"] == epochs and cell.phase == "tune"]
        for epochs in (1, 3, 9)
    }
    for loss in ("mse", "mae"):
        of = {epochs: [cell for cell in cells if cell.pair["loss"] == loss] for epochs, cells in rounds.items()}
        assert [len(of[epochs]) for epochs in (1, 3, 9)] == [9, 3, 1]
        for short, long in ((1, 3), (3, 9)):
            scores = {}
            for cell in of[short]:
                run = load(swept.run(cell))
                if run.status == "finished":
                    rows = sorted(run.history.rows, key=lambda row: row["val_loss"])
                    scores[cell.changes["learning_rate"]] = rows[0]["val_rmse"]
            best = sorted(scores, key=lambda rate: scores[rate])[: len(of[long])]
            assert {cell.changes["learning_rate"] for cell in of[long]} == set(best)
    final = [cell for cell in plan if cell.phase == "final"]
    assert [cell.changes for cell in final] == [cell.changes for cell in rounds[9]]
    assert {cell.config["epochs"] for cell in final} == {9}
    events = [event["event"] for event in read_events(swept)]
    assert events == ["started", "halved", "halved", "tuned", "finished"]


def test_a_kill_between_two_rounds_changes_nothing(swept: SweepDirectory, tmp_path: Path) -> None:
    """When the first cells of the second round have ended: 18 of the first one have before."""
    reading = from_mapping({**BASE, "epochs": 9, "lint": "warn", "sweep": BLOCK}, tmp_path)
    sweep = made(reading, tmp_path)
    killed(sweep, tmp_path, 19)
    assert [event["event"] for event in read_events(sweep)] == ["started", "halved"]
    run_sweep(sweep, data_dir=tmp_path, jobs=1)
    assert read_plan(sweep) == read_plan(swept)
    assert losses(sweep) == losses(swept)


def test_what_was_stopped_is_kept_and_counted(swept: SweepDirectory) -> None:
    tuning = tuning_of(swept)
    assert tuning is not None
    for pair in tuning.pairs:
        assert len(pair.trials) == 9
        assert len(pair.every) == 9 + 3 + 1
        assert [trial for trial in pair.trials if trial.score is not None] == [pair.chosen]
    # 9 values, 9 epochs each, for 2 pairs: 162 planned. Trained are at most 9 + 3 * 3 + 9 for each pair.
    trained = sum(len(load(swept.run(trial.cell)).history.rows) for pair in tuning.pairs for trial in pair.every)
    assert saved_share(tuning) == pytest.approx(1 - trained / 162)
    assert saved_share(tuning) >= 1 - 2 * 27 / 162
    assert result_of(swept).unfinished == 0


def test_each_repetition_keeps_the_best_on_its_own_seeds() -> None:
    """By hand: seed 7 likes the first value best, seed 8 the third, and the second diverged on seed 8."""
    scores = [{7: 1.0, 8: 5.0}, {7: 2.0}, {7: 3.0, 8: 4.0}]
    trials = []
    for number, score in enumerate(scores):
        changes = {"learning_rate": 10.0**-number}
        cell = PlannedCell(f"tune-{number}", "tune", {}, changes, {**changes, "epochs": 3, "seeds": [7, 8]})
        trials.append(Trial(cell, changes, None, diverged=len(score) < 2, ended=True, by_seed=score))
    pair = PairTuning({}, tuple(trials), None, (), None, every=tuple(trials))
    tuning = TuningResult("val_rmse", "min", False, (pair,), repeats=2)
    found = halved_cells(Halving(3, [3, 9]), tuning, [trial.cell for trial in trials])
    assert [(cell.changes["learning_rate"], cell.config["seeds"], cell.config["epochs"]) for cell in found] == [
        (1.0, [7], 9),
        (0.01, [8], 9),
    ]


def test_values_that_were_asked_for_shorter_trainings_have_saved_nothing() -> None:
    """By hand: 2 seeds of 5 and of 20 epochs. Only the second value's 30 epochs after it diverged are saved."""
    trials = []
    for epochs, trained in ((5, 10), (20, 10)):
        cell = PlannedCell(f"tune-{epochs}", "tune", {}, {"epochs": epochs}, {"epochs": epochs, "seeds": [7, 8]})
        trials.append(Trial(cell, cell.changes, None, diverged=epochs == 20, ended=True, epochs=trained))
    pair = PairTuning({}, tuple(trials), None, (), None, every=tuple(trials))
    assert saved_share(TuningResult("val_rmse", "min", True, (pair,))) == pytest.approx(30 / 50)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"halving": {"factor": 1}}, "one value in three"),
        ({"halving": {"faktor": 3}}, "one value in three"),
        ({"tune": False}, "leave out halving, or tune"),
        ({"epochs": [3, 9]}, "take epochs out of the sweep block"),
    ],
)
def test_what_does_not_go_with_it_is_refused(
    with_block: Callable[..., SourcedConfig], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_space(with_block({**BLOCK, **changes}), [])
