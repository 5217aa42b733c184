"""Allow one writer for each run: a lock held by the kernel, and a note that says who holds it.

The kernel frees the lock when its holder ends, in whatever way. The note is a separate file, because Windows does not
let others read a locked file. Some network file systems have no locks. There the note is the lock: only one process can
create it, and it renews the note's time every few seconds. The note can be taken over from a process of this host that
has ended, and from one of another host that has not renewed it for minutes. That one may only have been stopped, or cut
off from its file server, so it looks at the note before each change of a file (`durable.fenced`): once it is another's,
it ends without writing.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from lossrun.errors import LockedError
from lossrun.files import read_regular
from lossrun.interrupts import held
from lossrun.records import formats
from lossrun.records.files import digests, durable, kernel_lock, strict_json
from lossrun.records.run_directory import RunDirectory

HEARTBEAT: Final = 10.0  # seconds
MISSED_BEATS: Final = 30  # a paused process, or one whose file server is unreachable, may miss some
WATCHED_BEATS: Final = 3  # how long a note is watched before it is taken over
_ENDED: Final = ("Z", "X")  # states of a process, by proc(5)


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that writes a run.

    Attributes:
        since: The time in ISO format, UTC.
        process_start: Clock ticks of the kernel from boot to the start of the process; None if the platform does not
            say. It distinguishes a process from a later one with the same number.
        heartbeat: Seconds after which the note is renewed again and again, where it is the lock; None if the kernel
            holds a lock.
    """

    pid: int
    host: str
    since: str
    process_start: int | None
    heartbeat: float | None = None


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Hold the run's lock.

    Raises:
        LockedError: At once, if this or another process already holds it; and in the block, from what would change a
            file, if another process has taken the run over.
    """
    files = RunDirectory(run)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    me = Owner(os.getpid(), socket.gethostname(), now, process_start(os.getpid()))
    only: bytes | None = None
    fence: AbstractContextManager[None] = nullcontext()
    with durable.refusals_of_the_disk(files.lock_path):
        release = _kernel_lock(run)
        if release is None:
            only = _note(replace(me, heartbeat=HEARTBEAT))
            _create_note(run, only)
            release = _beating(files.owner_path, only)
            fence = durable.fenced(run, partial(_check_is_ours, run, only))
    noted = only is not None
    try:
        if only is None:
            _check_is_free(run)
            noted = True
            durable.put(files.owner_path, _note(me))
        with fence:
            yield
    finally:
        with held():
            if noted and os.getpid() == me.pid:  # not in a fork that leaves the block by an exception
                _remove_note(files.owner_path, only)
            release()


def _kernel_lock(run: Path) -> Callable[[], object] | None:
    """Take the lock, and return what releases it; None if the file system has no locks.

    Raises:
        LockedError: If it is held.
        OSError: If the file system refuses.
    """
    try:
        return kernel_lock.take(RunDirectory(run).lock_path)
    except BlockingIOError:
        raise LockedError(_held_by(run, owner(run))) from None


def _check_is_free(run: Path) -> None:
    """Check that nobody else writes the run, although the kernel has just given us the lock.

    Somebody may have removed the file of the lock while another process held it, or that process may have found no
    locks in this file system.

    Raises:
        LockedError: If the note names a process that still writes.
    """
    path, holder = RunDirectory(run).owner_path, owner(run)
    if holder is None or _has_ended(path, holder):
        return
    if holder.pid != os.getpid() and (is_alive(holder) or holder.heartbeat is not None):
        raise LockedError(_held_by(run, holder))


def _create_note(run: Path, mine: bytes) -> None:
    """Create the note.

    Raises:
        LockedError: If another process has created it, unless that process is known to have ended.
    """
    path = RunDirectory(run).owner_path
    for _ in range(2):
        with suppress(FileExistsError):
            durable.write(path, mine)
            return
        content = _content(path)
        holder = _named_in(content)
        if holder is None or not _has_ended(path, holder):
            break
        dead = durable.hidden(path)
        with suppress(FileNotFoundError):
            path.rename(dead)
            taken = read_regular(dead)
            dead.unlink()
            if taken != content:  # another process took it over first, and this is its note
                durable.write(path, taken)
                break
    raise LockedError(
        f"{_held_by(run, owner(run))}. This file system has no locks: if that process has ended, remove {path}"
    )


def _check_is_ours(run: Path, mine: bytes) -> None:
    """Check that the note is still the one that this process created.

    Raises:
        LockedError: If another process has taken the run over.
        RunError: If the note cannot be read.
    """
    path = RunDirectory(run).owner_path
    with durable.refusals_of_the_disk(path):
        try:
            if read_regular(path) == mine:
                return
        except FileNotFoundError:
            pass
    holder = owner(run)
    by = f"by {in_words(holder)}" if holder else f"by somebody who removed {path}"
    raise LockedError(
        f"{run.name} was taken over {by}: this process did not show for minutes that it still runs; it ends without "
        "writing anything more, and the run goes on from its last checkpoint"
    )


def _beating(path: Path, mine: bytes) -> Callable[[], object]:
    """Renew the time of the note from now on, as long as it is ours, and return what ends that."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(HEARTBEAT):
            with suppress(OSError):
                if read_regular(path) != mine:
                    return
                os.utime(path)

    threading.Thread(target=renew, name="lossrun-heartbeat", daemon=True).start()
    return ended.set


def _has_ended(path: Path, holder: Owner) -> bool:
    """Return whether the process that created a note is known to have ended."""
    return is_alive(holder) is False or _is_silent(path, holder)


def _is_silent(path: Path, holder: Owner) -> bool:
    """Return whether a process of another host has stopped renewing its note.

    On most network file systems only the server's clock counts. On others each host's own clock does, and it may be
    hours off. So where the age of the note says that its process has ended, or is impossible, the note is watched.
    """
    if holder.heartbeat is None or holder.host == socket.gethostname():
        return False
    clock = durable.hidden(path)
    try:
        clock.touch()
        renewed = path.stat().st_mtime
        age = clock.stat().st_mtime - renewed
        if -holder.heartbeat <= age <= MISSED_BEATS * holder.heartbeat:
            return False
        until = time.monotonic() + WATCHED_BEATS * HEARTBEAT
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, HEARTBEAT / 2))
            if path.stat().st_mtime != renewed:
                return False
        return True
    except FileNotFoundError:  # released meanwhile
        return True
    except OSError:
        return False
    finally:
        with suppress(OSError):
            clock.unlink()


def _remove_note(path: Path, only: bytes | None = None) -> None:
    """Remove the note, or empty it. Otherwise the run would seem to be written until this process ends.

    `only`: the content that it must have; the note of a process that has taken the run over stays.
    """
    try:
        if only is None or read_regular(path) == only:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    except OSError:
        with suppress(OSError):
            os.truncate(path, 0)


def _note(holder: Owner) -> bytes:
    facts = {name: value for name, value in asdict(holder).items() if name != "heartbeat" or value is not None}
    digest = digests.of_bytes(strict_json.dumps(facts).encode())
    return (strict_json.dumps({**facts, "digest": digest}) + "\n").encode()


def owner(run: Path) -> Owner | None:
    """Return who holds the lock, or held it when the process died; None if the last holder released it.

    The lock itself is not touched, because trying it would make a real writer fail.
    """
    return _named_in(_content(RunDirectory(run).owner_path))


def _content(path: Path) -> bytes:
    """Return what is in a note; nothing where it cannot be read."""
    try:
        return read_regular(path)
    except OSError:
        return b""


def _named_in(content: bytes) -> Owner | None:
    """Return who wrote a note; None if it is damaged."""
    try:
        facts = strict_json.loads(content)
    except ValueError:
        return None
    if formats.OWNER(facts, ""):
        return None
    digest = facts.pop("digest", None)  # older versions wrote none
    holder = Owner(*(facts.get(field.name) for field in fields(Owner)))
    return holder if digest in (None, digests.of_bytes(strict_json.dumps(facts).encode())) else None


def is_alive(process: Owner) -> bool | None:
    """Return whether the process still runs; None if unknown: on another host, or on Windows."""
    # On Windows, os.kill with signal 0 ends the process; elsewhere it does nothing.
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
    """Return the clock ticks from boot to the start of process `pid`; None without /proc, or once it has ended.

    One that has ended stays in the list of processes until its parent asks for its exit code, which some never do.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # Fields 3 and 22 of proc(5); the second field, the program's name in parentheses, may hold spaces.
    fields_from_third = stat.rpartition(")")[2].split()
    return None if fields_from_third[0] in _ENDED else int(fields_from_third[19])


def in_words(holder: Owner | None) -> str:
    """Say which process holds a lock, for messages."""
    return f"process {holder.pid} on {holder.host}, since {holder.since}" if holder else "another process"


def _held_by(run: Path, holder: Owner | None) -> str:
    return f"{run.name} is being written by {in_words(holder)}; wait for it to end, or stop it first"
