import errno
import fcntl
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lossrun.errors import LockedError, RunError
from lossrun.records import checkpoints, history, ledger, lock
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.files import durable, kernel_lock
from lossrun.records.status import note_on_missing_locks, status
from tests.conftest import state_of

HOLD = """
import sys
from pathlib import Path
from lossrun.records import ledger, lock
with lock.writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A second process that holds the lock of `tmp_path` until its input closes or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_owner_is_named_while_the_lock_is_held_and_gone_afterwards(tmp_path):
    with lock.writing(tmp_path):
        owner = lock.owner(tmp_path)
        assert (owner.pid, owner.host) == (os.getpid(), socket.gethostname())
        assert lock.is_alive(owner)
    assert lock.owner(tmp_path) is None
    with lock.writing(tmp_path):
        pass


def test_a_second_writer_is_refused_by_name_even_in_the_same_process(tmp_path):
    with (
        lock.writing(tmp_path),
        pytest.raises(LockedError, match=f"process {os.getpid()} on {socket.gethostname()}, since 20"),
        lock.writing(tmp_path),
    ):
        pytest.fail("two writers")


def test_a_failed_attempt_from_another_process_leaves_the_owner_readable(tmp_path, holder):
    before = lock.owner(tmp_path)
    assert before.pid == holder.pid
    for _ in range(2):
        with pytest.raises(LockedError, match=str(holder.pid)), lock.writing(tmp_path):
            pytest.fail("two writers")
    assert lock.owner(tmp_path) == before
    assert status(tmp_path) == "running"
    holder.communicate()
    assert lock.owner(tmp_path) is None


def test_a_killed_writer_frees_the_lock_and_is_known_to_be_dead(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    left = lock.owner(tmp_path)
    assert left.pid == holder.pid
    assert lock.is_alive(left) is False
    assert status(tmp_path) == "interrupted"
    with lock.writing(tmp_path):
        assert lock.owner(tmp_path).pid == os.getpid()


def test_an_exception_inside_frees_the_lock(tmp_path):
    with pytest.raises(RuntimeError), lock.writing(tmp_path):
        raise RuntimeError
    assert lock.owner(tmp_path) is None
    with lock.writing(tmp_path):
        pass


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_later_process_with_the_same_number_is_not_the_owner():
    start = lock.process_start(os.getpid())
    mine = lock.Owner(os.getpid(), socket.gethostname(), "2026-11-21T01:45:00+00:00", start)
    assert lock.is_alive(mine)
    assert lock.is_alive(lock.Owner(mine.pid, mine.host, mine.since, start - 1)) is False


def test_other_hosts_cannot_be_told():
    assert lock.is_alive(lock.Owner(os.getpid(), "elsewhere", "2026-11-21T01:45:00+00:00", None)) is None


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"pid": 1}'])
def test_an_unreadable_note_names_nobody(tmp_path, note):
    (tmp_path / "owner.json").write_bytes(note)
    assert lock.owner(tmp_path) is None


def without_locks(monkeypatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.parametrize("number", sorted(kernel_lock.NO_LOCKS), ids=errno.errorcode.get)
def test_where_there_are_no_locks_the_note_is_the_lock(tmp_path, monkeypatch, number):
    without_locks(monkeypatch, number)
    with lock.writing(tmp_path):
        assert lock.owner(tmp_path).pid == os.getpid()
        with pytest.raises(LockedError, match=r"no locks.*remove .*owner\.json"), lock.writing(tmp_path):
            pytest.fail("two writers")
        assert lock.is_alive(lock.owner(tmp_path))
    assert lock.owner(tmp_path) is None
    with lock.writing(tmp_path):
        pass


def test_without_locks_the_dead_are_followed_and_other_hosts_are_not(tmp_path, monkeypatch, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    without_locks(monkeypatch, errno.ENOLCK)
    with lock.writing(tmp_path):
        assert lock.owner(tmp_path).pid == os.getpid()
    note = {"pid": 1, "host": "elsewhere", "since": "2026-11-21T01:45:00+00:00", "process_start": None}
    (tmp_path / "owner.json").write_text(json.dumps(note))
    with pytest.raises(LockedError, match="process 1 on elsewhere"), lock.writing(tmp_path):
        pytest.fail("two writers")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "owner.json"]


OFF = [5 * 3600.0, -5 * 3600.0]  # seconds that a clock is behind or ahead


def note_of_another_host(run: Path, monkeypatch, heartbeat: float, behind: float) -> Path:
    """Leave the note of a process of another host, which has a clock of its own, in a file system without locks."""
    without_locks(monkeypatch, errno.ENOLCK)
    monkeypatch.setattr(lock, "HEARTBEAT", heartbeat)
    note = {"pid": 7, "host": "elsewhere", "since": "2026-11-21T01:45:00+00:00", "process_start": None}
    path = run / "owner.json"
    path.write_text(json.dumps({**note, "heartbeat": heartbeat}))
    renew(path, behind)
    return path


def renew(path: Path, behind: float) -> None:
    when = time.time() - behind
    os.utime(path, (when, when))


@pytest.mark.parametrize("behind", OFF)
def test_without_locks_a_note_of_another_host_that_is_not_renewed_is_taken_over(tmp_path, monkeypatch, behind):
    note_of_another_host(tmp_path, monkeypatch, 0.01, behind)
    with lock.writing(tmp_path):
        assert lock.owner(tmp_path).host == socket.gethostname()
    assert [found.name for found in tmp_path.iterdir()] == ["lock"]


@pytest.mark.parametrize("behind", [0.0, *OFF])
def test_without_locks_a_note_that_is_renewed_is_left_alone_whatever_the_clock_of_its_host(
    tmp_path, monkeypatch, behind
):
    path, over = note_of_another_host(tmp_path, monkeypatch, 1.0, behind), threading.Event()

    def keep_renewing() -> None:
        while not over.wait(0.01):
            renew(path, behind)

    writer = threading.Thread(target=keep_renewing)
    writer.start()
    try:
        with pytest.raises(LockedError, match="process 7 on elsewhere"), lock.writing(tmp_path):
            pytest.fail("two writers")
    finally:
        over.set()
        writer.join()
    assert sorted(found.name for found in tmp_path.iterdir()) == ["lock", "owner.json"]


@pytest.mark.parametrize("there", [True, False])
def test_missing_locks_are_told(tmp_path, monkeypatch, there):
    if not there:
        without_locks(monkeypatch, errno.ENOLCK)
    with lock.writing(tmp_path):
        assert ("has no locks: owner.json" in note_on_missing_locks(tmp_path)) == (not there)
    assert note_on_missing_locks(tmp_path) == ""


def taken_over(run: Path) -> bytes:
    """Put the note of a process of another host in the place of ours, as that process would."""
    note = {"pid": 7, "host": "elsewhere", "since": "2026-11-21T01:45:00+00:00", "process_start": None}
    (run / "owner.json").unlink()
    (run / "owner.json").write_text(json.dumps(note))
    return (run / "owner.json").read_bytes()


CHANGES = {
    "a row": lambda run: history.append(run / "history.jsonl", [{"epoch": 1}]),
    "an event": lambda run: ledger.append(run / "ledger.jsonl", "stopped"),
    "a cut": lambda run: durable.truncate(run / "history.jsonl", 0),
    "a file": lambda run: durable.replace(run / "predictions.npz", b""),
    "new files": lambda run: durable.write_all([(run / "new", b"")]),
    "a checkpoint": lambda run: checkpoints.save(run / "checkpoints", 2, Checkpoint({}, state_of(2)), keep=2),
    "removed checkpoints": lambda run: checkpoints.remove_after(run / "checkpoints", 1),
    "removed files": lambda run: checkpoints.remove([run / "checkpoints/best-seed0.safetensors"], ()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_writer_whose_note_was_taken_over_changes_nothing_more(tmp_path, monkeypatch, change):
    without_locks(monkeypatch, errno.ENOLCK)
    (tmp_path / "checkpoints").mkdir()
    for name in ("step-00000001-0123456789abcdef", "step-00000002-0123456789abcdef", "best-seed0"):
        (tmp_path / "checkpoints" / f"{name}.safetensors").touch()
    history.append(tmp_path / "history.jsonl", [{"epoch": 1}])
    with lock.writing(tmp_path):
        CHANGES["an event"](tmp_path)
        theirs = taken_over(tmp_path)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with pytest.raises(LockedError, match="taken over by process 7 on elsewhere"):
            CHANGES[change](tmp_path)
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert (tmp_path / "owner.json").read_bytes() == theirs
    CHANGES[change](tmp_path)  # which nobody forbids outside of the block


def test_a_note_that_somebody_removed_ends_the_writer_too(tmp_path, monkeypatch):
    without_locks(monkeypatch, errno.ENOLCK)
    with lock.writing(tmp_path):
        (tmp_path / "owner.json").unlink()
        with pytest.raises(LockedError, match=r"somebody who removed .*owner\.json"):
            CHANGES["an event"](tmp_path)


def test_a_note_that_was_taken_over_is_not_renewed(tmp_path, monkeypatch):
    without_locks(monkeypatch, errno.ENOLCK)
    monkeypatch.setattr(lock, "HEARTBEAT", 0.001)
    before = {*threading.enumerate()}  # those of earlier tests may not have ended yet
    with lock.writing(tmp_path):
        (beating,) = (one for one in {*threading.enumerate()} - before if one.name == "lossrun-heartbeat")
        taken_over(tmp_path)
        beating.join(timeout=60)
        assert not beating.is_alive()


def opened_by(opener):
    """Return `open`, with a function that opens each file."""

    def with_opener(file, mode="r", *more, opener=opener, **options):
        return before(file, mode, *more, opener=opener, **options)

    before = io.open
    return with_opener


REFUSALS = [errno.EIO, errno.ESTALE, errno.EROFS, errno.EACCES, errno.ENOSPC]


@pytest.mark.parametrize("number", REFUSALS, ids=errno.errorcode.get)
@pytest.mark.parametrize("file", ["lock", "owner.json"])
def test_a_file_of_the_lock_that_cannot_be_written_is_told_and_readers_go_on(tmp_path, monkeypatch, number, file):
    ledger.append(tmp_path / "ledger.jsonl", "stopped")

    def refusing(do):
        def refuse(path, flags=0, *more, **options):
            if file in Path(os.fsdecode(path)).name and flags & os.O_CREAT:
                raise OSError(number, os.strerror(number))
            return do(path, flags, *more, **options)

        return refuse

    with monkeypatch.context() as there:
        there.setattr(os, "open", refusing(os.open))
        there.setattr(io, "open", opened_by(os.open))
        with pytest.raises(RunError, match=f"cannot write .*{file}: {os.strerror(number)}"), lock.writing(tmp_path):
            pytest.fail("no lock")
        assert (lock.owner(tmp_path), status(tmp_path)) == (None, "stopped")
    with lock.writing(tmp_path):
        assert lock.owner(tmp_path).pid == os.getpid()


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
def test_other_refusals_of_a_lock_are_told(tmp_path, monkeypatch, number):
    without_locks(monkeypatch, number)
    with pytest.raises(RunError, match=f"cannot write .*lock: {os.strerror(number)}"), lock.writing(tmp_path):
        pytest.fail("no lock")
    assert lock.owner(tmp_path) is None


def test_a_changed_note_names_nobody(tmp_path):
    with lock.writing(tmp_path):
        path = tmp_path / "owner.json"
        path.write_text(path.read_text().replace(f'"pid": {os.getpid()}', f'"pid": {os.getpid() + 1}'))
        assert lock.owner(tmp_path) is None


def test_a_note_that_cannot_be_removed_does_not_keep_the_run_locked(tmp_path, monkeypatch):
    def broken(_path: Path, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    ledger.append(tmp_path / "ledger.jsonl", "finished", seeds={})
    monkeypatch.setattr(Path, "unlink", broken)
    with lock.writing(tmp_path):
        assert status(tmp_path) == "running"
    assert status(tmp_path) == "finished"


@pytest.mark.parametrize("instead", [None, b""], ids=["none", "a new one"])
def test_a_writer_whose_lock_file_was_removed_is_still_the_only_one(tmp_path, holder, instead):
    (tmp_path / "lock").unlink()
    if instead is not None:
        (tmp_path / "lock").write_bytes(instead)
    for _ in range(2):
        with pytest.raises(LockedError, match=f"process {holder.pid} "), lock.writing(tmp_path):
            pytest.fail("two writers")
    assert lock.owner(tmp_path).pid == holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with lock.writing(tmp_path):
        assert lock.owner(tmp_path).pid == os.getpid()


def test_a_writer_that_found_no_locks_keeps_out_one_that_does(tmp_path, monkeypatch):
    with monkeypatch.context() as there:
        without_locks(there, errno.ENOLCK)
        there.setattr("socket.gethostname", lambda: "elsewhere")
        there.setattr("os.getpid", lambda: 1)
        with lock.writing(tmp_path):
            there.undo()
            with pytest.raises(LockedError, match="process 1 on elsewhere"), lock.writing(tmp_path):
                pytest.fail("two writers")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_writer_whose_parent_has_not_asked_for_its_exit_code_has_ended(tmp_path, holder):
    """A parent in a container may never ask."""
    os.kill(holder.pid, signal.SIGKILL)
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    assert lock.is_alive(lock.owner(tmp_path)) is False
    assert status(tmp_path) == "interrupted"


def test_a_fork_that_outlives_the_writer_neither_holds_the_lock_nor_removes_the_note(tmp_path):
    forking = """
import os, sys, time
from pathlib import Path
from lossrun.records import lock
with lock.writing(Path(sys.argv[1])):
    if os.fork() == 0:
        if os.fork() == 0:
            sys.exit()  # leaves the block
        os.wait()
        os.write(1, str(os.getpid()).encode())
        os.close(1)
        time.sleep(600)
    os.kill(os.getpid(), 9)
"""
    with subprocess.Popen([sys.executable, "-c", forking, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        fork = int(writer.stdout.read())
    try:
        assert lock.owner(tmp_path).pid == writer.pid
        with lock.writing(tmp_path):
            assert lock.owner(tmp_path).pid == os.getpid()
    finally:
        os.kill(fork, signal.SIGKILL)
