"""Whole sweeps, tiny ones, in real worker processes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.analysis.sweeps.result import SweepResult, result_of
from lossrun.analysis.values.splits import splits
from lossrun.config import SourcedConfig, from_mapping
from lossrun.errors import ConfigError, RunError, UsageError
from lossrun.records.recorded import load
from lossrun.records.sweep_directory import SweepDirectory, create, read_events, read_plan
from lossrun.report.comparison.tuning import tuning_notes
from lossrun.report.sweep import method
from lossrun.sweeping.course import run_sweep
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.reading import read_sweep
from lossrun.sweeping.shards import Shard
from tests.sweeping.conftest import BASE

TUNED = {"loss": ["mse", "mae"], "learning_rate": [1e-3, 1e-2, 1e-1], "tune": {"seeds": 2}}


def made(reading: SourcedConfig, runs_dir: Path) -> SweepDirectory:
    planned = plan_sweep(read_sweep(reading), runs_dir, runs_dir)
    return create(runs_dir, planned.name, planned.config, planned.cells, planned.facts)


def losses(sweep: SweepDirectory) -> dict[str, list[tuple[Any, ...]]]:
    """What every cell measured, seconds aside."""
    return {
        cell.directory: [(row["seed"], row["epoch"], row["train_loss"], row["val_loss"]) for row in run.history.rows]
        for cell in read_plan(sweep)
        if (run := load(sweep.run(cell)))
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepDirectory, SweepResult]:
    folder = tmp_path_factory.mktemp("sweep")
    sweep = made(from_mapping({**BASE, "seeds": 3, "sweep": TUNED}, folder), folder / "runs")
    run_sweep(sweep, data_dir=folder, jobs=2)
    return sweep, result_of(sweep)


def test_each_pair_gets_the_rate_that_validation_data_chose(finished: tuple[SweepDirectory, SweepResult]) -> None:
    sweep, result = finished
    assert result.tuning is not None
    assert [dict(pair.pair) for pair in result.tuning.pairs] == [{"loss": "mse"}, {"loss": "mae"}]
    for pair in result.tuning.pairs:
        means = {
            trial.values["learning_rate"]: sum(row["val_rmse"] for row in best.values()) / 2
            for trial in pair.trials
            if (best := _best_rows(load(sweep.run(trial.cell))))
        }
        assert pair.chosen is not None
        assert pair.chosen.values["learning_rate"] == min(means, key=lambda rate: means[rate])
        assert pair.chosen.score is not None
        assert pair.chosen.score.mean == pytest.approx(min(means.values()), rel=1e-12)


def _best_rows(run: Any) -> dict[int, Any]:
    """By hand: the row of each seed with the least val_loss."""
    found: dict[int, Any] = {}
    for row in run.history.rows:
        if row["seed"] not in found or row["val_loss"] < found[row["seed"]]["val_loss"]:
            found[row["seed"]] = row
    return found


def test_the_winners_run_on_the_seeds_of_the_config_and_only_they_are_compared(
    finished: tuple[SweepDirectory, SweepResult],
) -> None:
    sweep, result = finished
    plan = read_plan(sweep)
    assert [cell.phase for cell in plan] == ["tune"] * 6 + ["final"] * 2
    assert {tuple(cell.config["seeds"]) for cell in plan if cell.phase == "tune"} == {(3, 4)}
    assert {run.seeds for run in result.final} == {(0, 1, 2)}
    assert result.comparison is not None
    assert {seed for run in result.comparison.runs for seed in run.seeds} == {0, 1, 2}
    assert result.unfinished == 0


def test_test_data_are_not_read_before_the_final_runs_end(finished: tuple[SweepDirectory, SweepResult]) -> None:
    """The choice is made from columns of validation data alone."""
    _, result = finished
    assert result.tuning is not None
    assert result.tuning.metric == "val_rmse"


def test_the_number_of_workers_changes_no_bit(
    finished: tuple[SweepDirectory, SweepResult], with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    alone = made(with_block(TUNED, seeds=3), tmp_path / "runs")
    run_sweep(alone, data_dir=tmp_path, jobs=1)
    assert losses(alone) == losses(finished[0])


def test_a_cell_that_diverges_or_fails_does_not_stop_the_others(
    with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    block = {"learning_rate": [1e-2, 1e30], "tune": False, "loss": ["mse", "mae"]}
    sweep = made(with_block(block, lint="warn"), tmp_path / "runs")
    endings = run_sweep(sweep, data_dir=tmp_path, jobs=2)
    assert {name: ended.ending for name, ended in endings.items()} == {
        cell.directory: "diverged" if cell.changes["learning_rate"] == 1e30 else "finished" for cell in read_plan(sweep)
    }
    assert result_of(sweep).unfinished == 0


def test_a_finished_sweep_that_is_run_again_trains_nothing(
    finished: tuple[SweepDirectory, SweepResult],
) -> None:
    sweep, _ = finished
    before = {path: path.stat().st_mtime_ns for path in sweep.path.rglob("history.jsonl")}
    run_sweep(sweep, data_dir=sweep.path, jobs=2)
    assert {path: path.stat().st_mtime_ns for path in sweep.path.rglob("history.jsonl")} == before


SCRIPT = """
import sys
from pathlib import Path
from lossrun.records.sweep_directory import SweepDirectory
from lossrun.sweeping.course import run_sweep
if __name__ == "__main__":
    run_sweep(SweepDirectory(Path(sys.argv[1])), data_dir=Path(sys.argv[1]), jobs=2)
"""


OWN = """
import torch

def strict(outputs, targets, *, limit):
    if limit < 1:
        raise ArithmeticError("limit is below 1")
    return (outputs - targets).abs().reshape(len(outputs), -1).mean(1)
"""


def test_a_cell_that_fails_by_itself_is_named_and_the_others_are_compared(
    with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    losses = [{"name": "mine:strict", "limit": limit} for limit in (0.5, 1.5, 2.5)]
    sweep = made(with_block({"loss": losses, "learning_rate": [0.01, 0.1]}), tmp_path / "runs")
    run_sweep(sweep, data_dir=tmp_path, jobs=2)
    result = result_of(sweep)
    assert {name: "limit is below 1" in why for name, why in result.failed.items()} == {
        cell.directory: True for cell in read_plan(sweep) if cell.pair["loss"]["limit"] == 0.5
    }
    assert len(result.final) == 2
    assert result.unfinished == 0
    assert result.tuning is not None
    assert [pair.chosen is None for pair in result.tuning.pairs] == [True, False, False]


def csv_reading(folder: Path) -> SourcedConfig:
    folder.mkdir()
    rows = [f"{x},{x * x % 7},{3 * x}" for x in range(60)]
    (folder / "d.csv").write_text("\n".join(["a,b,c", *rows, ""]))
    return from_mapping({**BASE, "dataset": {"name": "csv", "path": "d.csv", "target": "c"}, "sweep": TUNED}, folder)


def test_nothing_is_chosen_while_the_data_are_not_to_be_had(tmp_path: Path) -> None:
    """Cells that could not be read would count as bad values."""
    sweep = made(csv_reading(tmp_path / "project"), tmp_path / "project" / "runs")
    (tmp_path / "project" / "d.csv").rename(tmp_path / "elsewhere.csv")
    with pytest.raises(RunError, match="lossrun resume"):
        run_sweep(sweep, data_dir=tmp_path, jobs=2)
    assert {cell.phase for cell in read_plan(sweep)} == {"tune"}
    (tmp_path / "elsewhere.csv").rename(tmp_path / "project" / "d.csv")
    run_sweep(sweep, data_dir=tmp_path, jobs=2)
    assert len(result_of(sweep).final) == 2


def test_a_sweep_that_has_moved_finds_its_data(tmp_path: Path) -> None:
    sweep = made(csv_reading(tmp_path / "project"), tmp_path / "project" / "runs")
    (tmp_path / "project").rename(tmp_path / "other")
    moved = SweepDirectory(tmp_path / "other" / "runs" / sweep.name)
    run_sweep(moved, jobs=2)
    assert len(result_of(moved).final) == 2


@pytest.mark.parametrize("shard", [None, Shard(1, 1)])
def test_a_sweep_without_any_score_ends_without_final_runs(
    with_block: Callable[..., SourcedConfig], tmp_path: Path, shard: Shard | None
) -> None:
    sweep = made(with_block({"learning_rate": [1e30, 1e31]}, lint="warn"), tmp_path / "runs")
    for _ in range(2):
        endings = run_sweep(sweep, data_dir=tmp_path, jobs=2, shard=shard)
        assert [ended.ending for ended in endings.values()] == ["diverged"] * 2
    assert [event["event"] for event in read_events(sweep)] == ["started", "finished"]
    result = result_of(sweep)
    assert result.final == ()
    assert result.tuning is not None
    assert [(trial.diverged, trial.score) for trial in result.tuning.pairs[0].trials] == [(True, None)] * 2
    assert any("try a learning_rate below 1e+30" in note for note in tuning_notes(result.tuning))
    # A lone run would try smaller rates before it advises one; the cells of a sweep are not worth the time.
    assert not any("cure" in event for cell in read_plan(sweep) for event in load(sweep.run(cell)).ledger)


def test_what_was_chosen_stays_chosen(finished: tuple[SweepDirectory, SweepResult], tmp_path: Path) -> None:
    """A tuning run that is lost later changes nothing about the final ones."""
    sweep, before = finished
    copy = SweepDirectory(Path(shutil.copytree(sweep.path, tmp_path / sweep.name)))
    assert before.tuning is not None
    for pair in before.tuning.pairs:
        assert pair.chosen is not None
        shutil.rmtree(copy.run(pair.chosen.cell))
    after = result_of(copy)
    assert after.tuning is not None
    assert [pair.chosen.values for pair in after.tuning.pairs if pair.chosen] == [
        pair.chosen.values for pair in before.tuning.pairs if pair.chosen
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
@pytest.mark.parametrize("everybody", [True, False], ids=["with its workers", "alone"])
def test_a_killed_sweep_ends_as_if_it_had_never_been_killed(
    finished: tuple[SweepDirectory, SweepResult],
    with_block: Callable[..., SourcedConfig],
    tmp_path: Path,
    everybody: bool,
) -> None:
    sweep = made(with_block(TUNED, seeds=3), tmp_path / "runs")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, str(script), str(sweep.path)], start_new_session=True)
    deadline = time.monotonic() + 120
    while not any(map(sweep.is_begun, read_plan(sweep))) and time.monotonic() < deadline:
        time.sleep(0.02)
    (os.killpg if everybody else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    run_sweep(sweep, data_dir=tmp_path, jobs=2)
    assert losses(sweep) == losses(finished[0])
    assert [event["event"] for event in read_events(sweep)][-1] == "finished"


def test_with_repeats_every_final_seed_gets_the_value_of_its_own_tuning(
    with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    block = {**TUNED, "tune": {"repeats": 3}}
    sweep = made(with_block(block, seeds=3, dataset={**BASE["dataset"], "validation": 6}), tmp_path / "runs")
    run_sweep(sweep, data_dir=tmp_path, jobs=2)
    plan, result = read_plan(sweep), result_of(sweep)
    assert {tuple(cell.config["seeds"]) for cell in plan if cell.phase == "tune"} == {(3, 4, 5)}
    for loss in ("mse", "mae"):
        scores = {
            cell.changes["learning_rate"]: {
                seed: row["val_rmse"] for seed, row in _best_rows(load(sweep.run(cell))).items()
            }
            for cell in plan
            if cell.phase == "tune" and cell.pair["loss"] == loss
        }
        best = {seed: min(scores, key=lambda rate: scores[rate][seed + 3]) for seed in range(3)}
        final = {
            seed: cell.changes["learning_rate"]
            for cell in plan
            if cell.phase == "final" and cell.pair["loss"] == loss
            for seed in load(sweep.run(cell)).seeds
        }
        assert final == best
    assert result.comparison is not None
    assert [(run.seeds, run.retuned) for run in result.comparison.runs] == [((0, 1, 2), True)] * 2
    assert {run.label for run in result.comparison.runs} == {"loss=mse", "loss=mae"}
    assert result.tuning is not None
    assert [len(pair.choices) for pair in result.tuning.pairs] == [3, 3]


@pytest.mark.parametrize("way", ["splits", "folds"])
def test_with_splits_each_split_gets_the_value_of_its_own_validation_data(
    with_block: Callable[..., SourcedConfig], tmp_path: Path, way: str
) -> None:
    """Final runs test on the splits that chose their value, with seeds that the tuning has not used."""
    sweep = made(with_block({**TUNED, "tune": {"seeds": 1}}, **{way: 3}, seeds=6), tmp_path / "runs")
    run_sweep(sweep, data_dir=tmp_path, jobs=2)
    plan, result = read_plan(sweep), result_of(sweep)
    tuning = [load(sweep.run(cell)) for cell in plan if cell.phase == "tune"]
    assert {run.seeds for run in tuning} == {(6, 7, 8)}
    parts = ("train", "validation", "test")
    tuned_on = {seed - 6: [splits(tuning[0]).digests[part][seed] for part in parts] for seed in (6, 7, 8)}
    finals = [(cell, load(sweep.run(cell))) for cell in plan if cell.phase == "final"]
    for loss in ("mse", "mae"):
        scores = {
            cell.changes["learning_rate"]: _best_rows(load(sweep.run(cell)))
            for cell in plan
            if cell.phase == "tune" and cell.pair["loss"] == loss
        }
        chosen = {seed: cell for cell, run in finals if cell.pair["loss"] == loss for seed in run.seeds}
        for split in range(3):
            best = min(scores, key=lambda rate: scores[rate][6 + split]["val_rmse"])
            assert [chosen[seed].changes["learning_rate"] for seed in (2 * split, 2 * split + 1)] == [best] * 2
    for _, run in finals:
        for seed in run.seeds:
            assert [splits(run).digests[part][seed] for part in parts] == tuned_on[seed // 2]
    assert len(result.boards) == 1
    assert result.comparison is not None
    assert [(run.seeds, run.retuned) for run in result.comparison.runs] == [(tuple(range(6)), True)] * 2
    assert {run.label for run in result.comparison.runs} == {"loss=mse", "loss=mae"}
    found = result.comparison.verdicts[0].difference
    assert found is not None
    assert (found.over, found.count) == ("splits", 3)
    assert f"tuned on each of 3 {way} separately" in method(result)


def test_with_splits_there_are_as_many_repetitions(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="each of them is tuned by its own validation data"):
        made(with_block({**TUNED, "tune": {"repeats": 2}}, splits=3), tmp_path / "runs")


def test_repeats_need_as_many_final_seeds(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="set seeds: 4"):
        made(with_block({**TUNED, "tune": {"repeats": 4}}, seeds=3), tmp_path / "runs")
