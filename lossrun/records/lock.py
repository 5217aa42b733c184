"""One writer per run: a lock held by the kernel, and a note of who holds it for everybody else to read.

The kernel frees the lock when its holder dies, however it dies. The note lies in a file of its own: Windows lets nobody
read a locked one. Some network file systems have no locks: there the note itself is the lock, which one process alone
can create, and which is taken over from a process of this host that has died.
"""

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lossrun.errors import LockedError
from lossrun.records.files import digests, durable, strict_json
from lossrun.records.run_directory import RunDirectory

# What file systems without locks answer.
NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
_HELD: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})


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
    files = RunDirectory(run)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    mine = _note(Owner(os.getpid(), socket.gethostname(), now, process_start(os.getpid())))
    with durable.refusals_of_the_disk(files.lock_path):
        release = _kernel_lock(run)
        if release is None:
            _create_note(run, mine)
    try:
        if release is not None:
            durable.replace(files.owner_path, mine)
        yield
    finally:
        with suppress(OSError):
            files.owner_path.unlink(missing_ok=True)
        if release is not None:
            release()


def _kernel_lock(run: Path) -> Callable[[], object] | None:
    """Take the lock; what gives it back. None where the file system has no locks. Raises LockedError, OSError."""
    path = RunDirectory(run).lock_path
    if sys.platform == "win32":
        from filelock import FileLock, Timeout

        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise LockedError(_held_by(run, owner(run))) from None
        return lock.release
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in _HELD:
            raise LockedError(_held_by(run, owner(run))) from None
        if error.errno in NO_LOCKS:
            return None
        raise
    return lambda: os.close(descriptor)


def _create_note(run: Path, mine: bytes) -> None:
    """Be the one who creates the note. Raises LockedError where another has, unless it is known to have died."""
    path = RunDirectory(run).owner_path
    for _ in range(2):
        with suppress(FileExistsError):
            durable.write(path, mine)
            return
        holder = owner(run)
        if holder is None or is_alive(holder) is not False:
            break
        dead = path.with_name(f".{path.name}.{os.urandom(4).hex()}{durable.TEMPORARY_SUFFIX}")
        with suppress(FileNotFoundError):
            path.rename(dead)
            taken = dead.read_bytes()
            dead.unlink()
            if taken != _note(holder):  # somebody else took it over first, and this is the new note
                durable.write(path, taken)
                break
    raise LockedError(
        f"{_held_by(run, owner(run))}. This file system has no locks: if that process has gone, remove {path}"
    )


def _note(holder: Owner) -> bytes:
    facts = asdict(holder)
    digest = digests.of_bytes(strict_json.dumps(facts).encode())
    return (strict_json.dumps({**facts, "digest": digest}) + "\n").encode()


def owner(run: Path) -> Owner | None:
    """Who holds the lock, or held it and died; None where the last holder left in good order.

    The lock itself is not touched: trying it would make a real writer fail.
    """
    try:
        facts = strict_json.loads(RunDirectory(run).owner_path.read_bytes())
        digest = facts.pop("digest", None)  # older versions wrote none
        holder = Owner(**facts)
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    return holder if digest in (None, digests.of_bytes(strict_json.dumps(facts).encode())) else None


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
