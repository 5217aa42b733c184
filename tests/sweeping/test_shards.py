"""Shares of a sweep, run one after the other as the jobs of an array may be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.analysis.sweeps.result import result_of
from lossrun.config import SourcedConfig
from lossrun.errors import UsageError
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, create, read_events, read_plan
from lossrun.sweeping.course import missing, run_sweep
from lossrun.sweeping.plan import plan_sweep
from lossrun.sweeping.reading import read_sweep
from lossrun.sweeping.shards import Shard, parse_shard
from tests.sweeping.test_course import TUNED, losses


def shared(reading: SourcedConfig, runs_dir: Path) -> SweepDirectory:
    planned = plan_sweep(read_sweep(reading), runs_dir, runs_dir)
    return create(runs_dir, planned.name, planned.config, planned.cells, planned.facts, shared=True)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_every_stack_is_in_exactly_one_share(count: int) -> None:
    cells = [PlannedCell(f"{number}", "tune", {}, {}, {}, f"stack{number % 13}") for number in range(39)]
    shares = [Shard(number, count).of(cells) for number in range(1, count + 1)]
    assert sorted(int(cell.directory) for share in shares for cell in share) == list(range(39))
    stacks = [{cell.stack for cell in share} for share in shares]
    assert sum(map(len, stacks)) == 13
    assert max(map(len, stacks)) - min(map(len, stacks)) <= 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2"])
def test_a_share_that_there_is_not_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)
    assert parse_shard("2/3") == Shard(2, 3)


@pytest.mark.slow
def test_shares_together_find_what_one_process_finds(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> None:
    """Both start the same sweep; the final runs wait for all of the tuning."""
    reading = with_block(TUNED, seeds=3)
    sweep = shared(reading, tmp_path / "runs")
    assert shared(reading, tmp_path / "runs").path == sweep.path
    run_sweep(sweep, data_dir=tmp_path, jobs=2, shard=Shard(1, 2))
    assert {cell.phase for cell in read_plan(sweep)} == {"tune"}
    assert [cell.pair for cell in missing(sweep)] == [{"loss": "mae"}] * 3
    run_sweep(sweep, data_dir=tmp_path, jobs=2, shard=Shard(2, 2))
    assert [cell.phase for cell in read_plan(sweep)] == ["tune"] * 6 + ["final"] * 2
    assert len(missing(sweep)) == 1
    run_sweep(sweep, data_dir=tmp_path, jobs=2, shard=Shard(1, 2))
    assert missing(sweep) == []
    assert [event["event"] for event in read_events(sweep)] == ["started", "tuned", "finished"]
    assert result_of(sweep).unfinished == 0

    alone = shared(reading, tmp_path / "other")
    run_sweep(alone, data_dir=tmp_path, jobs=2)
    assert losses(alone) == losses(sweep)
