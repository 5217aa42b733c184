"""One writer per run: a lock held by the kernel, and a note of who holds it for everybody else to read.

The kernel frees the lock when its holder dies, however it dies. The note lies in a file of its own: older versions of
filelock empty the lock file on opening it, even when they then fail to get the lock, and Windows lets nobody read it.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lossrun.errors import LockedError
from lossrun.records import durable, strict_json
from lossrun.records.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class Owner:
    """Who writes a run. `since`: ISO time, UTC. `process_start`: the kernel's clock ticks from boot to the start of the
    process, None where the platform does not say; it tells a process from a later one with the same number."""

    pid: int
    host: str
    since: str
    process_start: int | None


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Hold the run's lock. Raises LockedError at once where another process, or this one, holds it already."""
    from filelock import FileLock, Timeout

    files = RunDirectory(run)
    lock = FileLock(files.lock_path)
    with durable.refusals_of_the_disk(files.lock_path):
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise LockedError(_held_by(run, owner(run))) from None
    try:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        mine = Owner(os.getpid(), socket.gethostname(), now, process_start(os.getpid()))
        durable.replace(files.owner_path, (strict_json.dumps(asdict(mine)) + "\n").encode())
        yield
    finally:
        with suppress(OSError):
            files.owner_path.unlink(missing_ok=True)
        lock.release()


def owner(run: Path) -> Owner | None:
    """Who holds the lock, or held it and died; None where the last holder left in good order.

    The lock itself is not touched: trying it would make a real writer fail.
    """
    try:
        return Owner(**strict_json.loads(RunDirectory(run).owner_path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def is_alive(process: Owner) -> bool | None:
    """Whether the process still runs; None where that cannot be told from here: another host, or Windows."""
    # On Windows os.kill, harmless elsewhere with signal 0, ends the process.
    if process.host != socket.gethostname() or os.name != "posix":
        return None
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return process.process_start is None or process_start(process.pid) == process.process_start


def process_start(pid: int) -> int | None:
    """Clock ticks from boot to the start of process `pid`, None where there is no /proc to say it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # Field 22 of proc(5); the second field, the program's name in parentheses, may hold spaces.
    return int(stat.rpartition(")")[2].split()[19])


def _held_by(run: Path, holder: Owner | None) -> str:
    who = f"process {holder.pid} on {holder.host}, since {holder.since}" if holder else "another process"
    return f"{run.name} is being written by {who}; wait for it to end, or stop it first"
