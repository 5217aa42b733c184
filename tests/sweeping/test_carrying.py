"""Runs of a node that does not see the folder of the sweep."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lossrun.config import SourcedConfig
from lossrun.errors import RunError
from lossrun.records.recorded import load
from lossrun.records.sweep_directory import SweepDirectory, read_plan
from lossrun.sweeping import carrying
from lossrun.sweeping.carrying import Carried, received, trained_elsewhere
from lossrun.sweeping.ray_cluster import train_on_node
from lossrun.sweeping.worker import Ended
from tests.sweeping.test_course import losses, made

pytestmark = pytest.mark.slow


@pytest.fixture
def sweep(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> SweepDirectory:
    return made(with_block({"learning_rate": [0.01, 1e30], "tune": False}, lint="warn"), tmp_path / "runs")


def test_they_come_back_whole_and_are_written_once(
    sweep: SweepDirectory, with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    plan = read_plan(sweep)
    carried = train_on_node(1, tmp_path / "on the node" / sweep.name, plan, tmp_path, tmp_path)
    assert not any(map(sweep.is_begun, plan))
    endings = received(sweep.path, plan, carried)
    assert [endings[cell.directory].ending for cell in plan] == ["finished", "diverged"]
    assert all(load(sweep.run(cell)).verified for cell in plan)
    assert not list(sweep.path.rglob("owner.json"))
    written = {path: path.stat().st_mtime_ns for path in sweep.path.rglob("*")}
    received(sweep.path, plan, carried)
    assert {path: path.stat().st_mtime_ns for path in sweep.path.rglob("*")} == written
    # Where the folder is seen, the runs are written there, and nothing is carried.
    seen = made(with_block({"learning_rate": [0.01, 1e30], "tune": False}, lint="warn"), tmp_path / "seen")
    assert train_on_node(1, seen.path, plan, tmp_path, tmp_path).archive == b""
    assert repr(losses(seen)) == repr(losses(sweep))  # NaN included


def test_no_more_comes_back_than_fits(sweep: SweepDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "MOST_BYTES", 1_000)
    carried = trained_elsewhere("s", read_plan(sweep), tmp_path, tmp_path)
    assert carried.archive == b""
    assert {ended.ending for ended in carried.endings.values()} == {"blocked"}
    assert all("a folder that all nodes share" in ended.problem for ended in carried.endings.values())


@pytest.mark.parametrize("name", ["../x", "/x", "other/config.yaml", "link"])
def test_nothing_is_written_elsewhere(sweep: SweepDirectory, name: str) -> None:
    plan = read_plan(sweep)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(f"{plan[0].directory}/{name}" if name in ("../x", "link") else name)
        member.type = tarfile.SYMTYPE if name == "link" else tarfile.REGTYPE
        archive.addfile(member)
    before = sorted(sweep.path.parent.rglob("*"))
    with pytest.raises(RunError, match="not a file of the runs"):
        received(sweep.path, plan, Carried({plan[0].directory: Ended("finished")}, buffer.getvalue()))
    assert sorted(sweep.path.parent.rglob("*")) == before
