"""Something else in the place of a regular file: readers say so, nothing waits, and no link is written through."""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

import pytest

from lossrun.analysis.runs import listing
from lossrun.errors import LossrunError, RunError
from lossrun.records import checkpoints, history, ledger, recorded
from lossrun.records.files import durable
from lossrun.records.lock import writing
from lossrun.records.run_directory import RunDirectory, all_runs
from tests.conftest import write_run
from tests.crash.failing_reads import failing


def bind(path: Path) -> None:
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as one:  # an address is short
        one.bind(path.name)


KINDS: dict[str, Callable[[Path], object]] = {
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a socket": bind,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="files of Unix")


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return write_run(tmp_path / "runs", rows=lambda epoch, seed: {"train_loss": 1.0, "val_loss": 1.0 / epoch})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["config.yaml", "run.json", "history.jsonl", "ledger.jsonl"])
def test_a_run_that_holds_one_is_listed_and_refused_by_name(run: RunDirectory, name: str, kind: str) -> None:
    (run.path / name).unlink()
    KINDS[kind](run.path / name)
    assert all_runs(run.path.parent) == [run.path]
    with pytest.raises(RunError, match=name):
        recorded.load(run.path)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
@pytest.mark.parametrize("name", ["config.yaml", "run.json", "history.jsonl", "ledger.jsonl", ""])
def test_a_run_that_a_failing_disk_shows_in_part_is_listed_and_refused_by_name(
    run: RunDirectory, name: str, number: int
) -> None:
    with failing(run.path / name, number):
        assert all_runs(run.path.parent) == [run.path]
        with pytest.raises(RunError, match=f"{name or run.name}.*{os.strerror(number)}"):
            recorded.load(run.path)
        (problem,) = listing([run.path]).problems
    assert (name or run.name) in problem


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_appended_to_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rows.jsonl"
    KINDS[kind](path)
    for write in (
        lambda: history.append(path, [{"epoch": 1}]),
        lambda: ledger.append(path, "started"),
        lambda: durable.truncate(path, 3),
    ):
        with pytest.raises(RunError, match=r"rows\.jsonl"):
            write()
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_none_is_locked(run: RunDirectory, kind: str) -> None:
    KINDS[kind](run.lock_path)
    with pytest.raises(LossrunError, match="lock"), writing(run.path):
        pass
    assert not (run.path / "nothing").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_in_the_place_of_a_later_checkpoint_it_is_no_obstacle(tmp_path: Path, kind: str) -> None:
    (tmp_path / "step-00000001-0123456789abcdef.safetensors").touch()
    later = tmp_path / "step-00000002-0123456789abcdef.safetensors"
    KINDS[kind](later)
    checkpoints.remove_after(tmp_path, 1)
    assert os.path.lexists(later) == (kind == "a folder")
