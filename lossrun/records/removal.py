"""Remove runs, sweeps, and files of runs.

Nothing outside of the runs directory is removed, and no run that is being written: each removal holds the run's lock.
"""

import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lossrun.errors import LockedError, RunError, UsageError
from lossrun.files import read_regular
from lossrun.records import checkpoint_headers, ledger, lock
from lossrun.records.files import durable, strict_json
from lossrun.records.files.contents import unreadable
from lossrun.records.run_directory import RunDirectory, has_lost_a_file, is_run
from lossrun.records.status import Status, status
from lossrun.records.sweep_directory import is_sweep
from lossrun.shell import join

# A directory that was being built, or removed, when its process was killed: of a run, of a cell of a sweep, or of a
# sweep in shards.
HIDDEN: Final = re.compile(
    rf"\.(?:\d{{8}}-\d{{6}}-.+|(?:tune|final)-\d{{4,}}(?:-.+)?|.+-[0-9a-f]{{8}})"
    rf"\.[0-9a-f]{{8}}{re.escape(durable.TEMPORARY_SUFFIX)}"
)


@dataclass(frozen=True, slots=True)
class Removable:
    """What can be removed.

    Attributes:
        path: The run's directory, or a hidden one.
        files: The files to remove from it; () removes all of it.
        size: The size in bytes.
        why: What it is, in words.
        ledger_length: The length of the run's ledger, in bytes, when it was checked.
    """

    path: Path
    files: tuple[Path, ...]
    size: int
    why: str
    ledger_length: int


@dataclass(frozen=True, slots=True)
class Removables:
    """Everything that can be removed.

    Attributes:
        passed_over: What was not touched, and why, one sentence each.
    """

    found: tuple[Removable, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The total size in bytes."""
        return sum(one.size for one in self.found)


def whole_runs(runs: Sequence[Path], runs_dir: Path) -> Removables:
    """Return the runs and sweeps as removable, each once. If there are several, links are skipped: a pattern may match
    them.

    Raises:
        UsageError: For anything but a run directory directly in `runs_dir`.
        LockedError: For a run that is being written.
    """
    found: dict[Path, Removable] = {}
    links = [run for run in dict.fromkeys(runs) if run.is_symlink()] if len(runs) > 1 else []
    for run in runs:
        if run in links:
            continue
        if (
            not (is_ours(run) or is_sweep(run) or has_lost_a_file(run))
            or run.is_symlink()
            or run.resolve().parent != runs_dir.resolve()
        ):
            raise UsageError(
                f"{run} is not a run directory in {runs_dir}, and nothing else is removed; "
                f"if it is a run, name its folder: {join(['--runs-dir', run.resolve().parent])}"
            )
        cells = [path for path in sorted(run.iterdir()) if is_run(path)] if is_sweep(run) else []
        for path in (run, *cells):
            state = _status_or_damaged(path)
            if state in ("running", "unknown"):
                raise LockedError(f"{run.name} is not removed: {_writer(path, state)}")
        plural = "" if len(cells) == 1 else "s"
        why = f"sweep of {len(cells)} run{plural}" if is_sweep(run) else _status_or_damaged(run)
        found[run.resolve()] = removable(run.resolve(), (), why)
    return Removables(
        tuple(found.values()), tuple(f"{link} was not removed: it is a link to {link.resolve()}" for link in links)
    )


def remove(what: Removable) -> int:
    """Remove it from the disk, and return the number of bytes.

    Raises:
        LockedError: If the run is being written.
        RunError: If the run has changed since it was checked, or cannot be removed.
    """
    path = what.path
    try:
        if HIDDEN.fullmatch(path.name):
            shutil.rmtree(path)
            return what.size
        if not (is_run(path) or is_sweep(path) or has_lost_a_file(path)):
            raise FileNotFoundError(path)
        with lock.writing(path):
            if _ledger_length(path) != what.ledger_length:
                raise RunError(
                    f"{path.name} has changed since it was checked, so it was not removed; run the command again"
                )
            if what.files:
                return _remove_files(path, what.files)
            durable.check_fences(path)
            # The rename is one step: if the removal is killed, gc finds the rest under the hidden name.
            hidden = durable.hidden(path)
            if os.name == "posix":
                path.rename(hidden)
        if os.name != "posix":  # Windows renames no directory with an open file in it
            path.rename(hidden)
        shutil.rmtree(hidden)
    except FileNotFoundError:
        return 0  # another process removed it
    except OSError as error:
        which = error.filename or path
        raise RunError(
            f"cannot remove {which}: {error.strerror or error}; a user with write access to it can remove it"
        ) from error
    return what.size


def removable(path: Path, files: Sequence[Path], why: str) -> Removable:
    """Describe what can be removed in its present state."""
    return Removable(path, tuple(files), sum(map(size_of, files or (path,))), why, _ledger_length(path))


def size_of(path: Path) -> int:
    """Return the bytes in a file or in all files below a directory; 0 if it no longer exists."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        return sum(map(size_of, path.iterdir()))
    except FileNotFoundError:
        return 0


def is_ours(run: Path) -> bool:
    """Return whether lossrun wrote the run's run.json, because other tools have files of that name.

    If it is damaged, the ledger tells.

    Raises:
        RunError: If neither can be read.
    """
    path = RunDirectory(run).run_json
    try:
        return is_run(run) and "lossrun" in strict_json.loads(read_regular(path))
    except (OSError, ValueError, TypeError) as error:
        with suppress(RunError):
            return ledger.recorded_config(ledger.read(RunDirectory(run).ledger_path)) is not None
        if isinstance(error, OSError):
            raise RunError(unreadable(path, error)) from error
        return False


def state_files(run: Path) -> list[Path]:
    """Return the checkpoints, newest first; [] if the folder is a link."""
    folder = RunDirectory(run).checkpoints
    return [] if folder.is_symlink() else checkpoint_headers.candidates(folder)


def _ledger_length(path: Path) -> int:
    return size_of(RunDirectory(path).ledger_path)


def _remove_files(run: Path, files: Sequence[Path]) -> int:
    from lossrun.records import checkpoints  # imports numpy, which is only needed here

    # Reading raises an error if what stays is damaged; then nothing must be removed.
    last = state_files(run)[:1]
    if last and last[0] not in files:
        checkpoints.read(last[0])
    elif last:
        for best in checkpoints.best_files(RunDirectory(run).checkpoints):
            checkpoints.read(best)
    removed = 0
    for file in files:
        durable.check_fences(file)
        size = size_of(file)
        file.unlink(missing_ok=True)
        removed += size
    return removed


def _status_or_damaged(run: Path) -> Status | Literal["damaged"]:
    """Return the status; a damaged run can still be removed, unless a process may be writing it."""
    try:
        return status(run)
    except RunError:
        holder = lock.owner(run)
        alive = False if holder is None else lock.is_alive(holder)
        return "damaged" if alive is False else "running" if alive else "unknown"


def _writer(run: Path, state: str) -> str:
    who = lock.in_words(lock.owner(run))
    if state == "running":
        return f"it is being written by {who}; wait for it to end, or stop it first"
    return f"it may still be being written by {who}; remove it on that host"
