"""Successive halving: which values go on, and what is said of the others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.analysis.sweep_result import result_of
from lossrun.analysis.sweeps import saved_share, tuning_of
from lossrun.config import SourcedConfig
from lossrun.errors import ConfigError
from lossrun.records import ledger
from lossrun.records.recorded import load
from lossrun.records.sweep_directory import SweepDirectory, create, read_plan
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.plan import halving_epochs, plan_sweep
from lossrun.sweeping.space import read_space

pytestmark = pytest.mark.slow
RATES = {"log_range": [1e-4, 1e4], "points": 9}  # the largest ones diverge
BLOCK = {"loss": ["mse", "mae"], "learning_rate": RATES, "tune": {"seeds": 1}, "halving": {"factor": 3}}


@pytest.mark.parametrize(
    ("factor", "epochs", "rounds"),
    [(3, 90, [10, 30, 90]), (3, 9, [1, 3, 9]), (3, 4, [1, 4]), (2, 8, [2, 4, 8]), (3, 2, [2])],
)
def test_each_round_is_longer_by_the_factor(factor: int, epochs: int, rounds: list[int]) -> None:
    assert halving_epochs(factor, epochs) == rounds


def made(reading: SourcedConfig, runs_dir: Path) -> SweepDirectory:
    planned = plan_sweep(reading, [], runs_dir, runs_dir)
    return create(runs_dir, planned.name, planned.config, planned.cells, planned.facts)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> SweepDirectory:
    from lossrun.config import from_mapping
    from tests.sweeping.conftest import BASE

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
    events = [event["event"] for event in ledger.read(swept.ledger_path)]
    assert events == ["started", "halved", "halved", "tuned", "finished"]


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"halving": {"factor": 1}}, "one value in three"),
        ({"halving": {"faktor": 3}}, "one value in three"),
        ({"tune": False}, "a sweep that tunes"),
        ({"extend": True}, "no extend"),
        ({"tune": {"repeats": 3}}, "tune without repeats"),
        ({"epochs": [3, 9]}, "the same epochs"),
    ],
)
def test_what_does_not_go_with_it_is_refused(
    with_block: Callable[..., SourcedConfig], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_space(with_block({**BLOCK, **changes}), [])
