"""A new run exists completely or not at all, and trains even if directories cannot be synced or files locked."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossrun.errors import RunError
from lossrun.records import checkpoints, ledger, lock, run_directory
from lossrun.records.files import durable, kernel_lock
from tests.training.conftest import REGRESSION, Laboratory

CONFIG = {**REGRESSION, "epochs": 1}
FAILURES = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.EACCES)


def failing(real: Callable[..., Any], number: int, call: int) -> Callable[..., Any]:
    """`real`, which refuses from the `call`-th time on."""
    calls = 0

    def answer(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls >= call:
            raise OSError(number, os.strerror(number))
        return real(*arguments, **options)

    return answer


@pytest.mark.parametrize("number", FAILURES, ids=errno.errorcode.get)
@pytest.mark.parametrize("what", ["fsync", "mkdir", "rename"])
def test_no_half_of_a_run_stays_behind(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, number: int, what: str
) -> None:
    told: list[str] = []
    for call in range(1, 12):
        with monkeypatch.context() as patch:
            patch.setattr(os, what, failing(getattr(os, what), number, call))
            if what != "fsync":
                patch.setattr(Path, what, failing(getattr(Path, what), number, call))
            try:
                run = laboratory.start(CONFIG, stop_at=0)
            except RunError as error:
                told.append(str(error))
            else:
                assert checkpoints.candidates(run.checkpoints)
        for path in (laboratory.folder / "runs").glob("*"):
            # What is there can be taken up.
            assert run_directory.is_run(path)
            assert checkpoints.candidates(path / "checkpoints")
            assert ledger.read(path / "ledger.jsonl")[0]["event"] == "started"
    assert told
    assert all(os.strerror(number) in text for text in told)


@pytest.mark.parametrize("number", sorted(durable.NO_DIRECTORY_SYNC), ids=errno.errorcode.get)
def test_directories_that_cannot_be_synced_do_not_keep_a_run_from_ending(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = os.fsync

    def answer(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", answer)
    run = laboratory.start(CONFIG)
    laboratory.resume(run, "epochs=2")
    assert ledger.read(run.ledger_path)[-1]["event"] == "finished"


@pytest.mark.parametrize("number", sorted(kernel_lock.NO_LOCKS), ids=errno.errorcode.get)
def test_a_run_without_locks(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(fcntl, "flock", failing(fcntl.flock, number, 1))
    run = laboratory.start(CONFIG, stop_at=2)
    laboratory.resume(run)
    assert ledger.read(run.ledger_path)[-1]["event"] == "finished"
    assert lock.owner(run.path) is None
