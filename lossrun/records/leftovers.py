"""Find and remove what may go from a runs directory: whole runs by name, and files that no run needs.

Nothing outside of the runs directory is removed, and no run that is being written: each removal holds the run's lock.
"""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from lossrun.errors import LockedError, RunError, UsageError
from lossrun.files import read_regular
from lossrun.records import checkpoint_headers, ledger, lock
from lossrun.records.files import durable, strict_json
from lossrun.records.run_directory import RunDirectory, all_runs, is_run
from lossrun.records.status import Status, status
from lossrun.records.sweep_directory import is_sweep
from lossrun.shell import join

# Younger temporary files may be in use.
_YOUNG: Final = timedelta(hours=1)
_HIDDEN_RUN: Final = re.compile(rf"\.\d{{8}}-\d{{6}}-.+\.[0-9a-f]{{8}}{re.escape(durable.TEMPORARY_SUFFIX)}")
_HIDDEN_FILE: Final = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(durable.TEMPORARY_SUFFIX)}")
_AT_START: Final = "step-00000000-"  # the state that a run saves before its first step


@dataclass(frozen=True, slots=True)
class Leftover:
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
class Leftovers:
    """Everything that can be removed.

    Attributes:
        passed_over: What was not touched, and why, one sentence each.
    """

    found: tuple[Leftover, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The total size in bytes."""
        return sum(one.size for one in self.found)


def whole_runs(runs: Sequence[Path], runs_dir: Path) -> Leftovers:
    """Return the runs and sweeps themselves, each once. Of several, links are skipped, as a pattern may match them.

    Raises:
        UsageError: For anything but a run directory directly in `runs_dir`.
        LockedError: For a run that is being written.
    """
    found: dict[Path, Leftover] = {}
    links = [run for run in dict.fromkeys(runs) if run.is_symlink()] if len(runs) > 1 else []
    for run in runs:
        if run in links:
            continue
        if not (_is_ours(run) or is_sweep(run)) or run.is_symlink() or run.resolve().parent != runs_dir.resolve():
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
        found[run.resolve()] = _leftover(run.resolve(), (), why)
    return Leftovers(
        tuple(found.values()), tuple(f"{link} was not removed: it is a link to {link.resolve()}" for link in links)
    )


def superfluous(
    runs_dir: Path, *, older_than: timedelta | None = None, keep_best: bool = False, now: datetime | None = None
) -> Leftovers:
    """Return what a runs directory does not need.

    That is: all checkpoints of finished runs except the best weights and the last state, runs without a step, and
    leftover temporary files.

    Args:
        older_than: Only what has not changed for that long. Runs without a step and temporary files are always at least
            an hour old, because their writers may still be at work.
        keep_best: Whether the last state goes too, so that only the best weights stay and the run can no longer be
            resumed.
    """
    moment = (now or datetime.now(UTC)).timestamp()
    long_ago = moment - max(older_than or timedelta(0), _YOUNG).total_seconds()
    before = moment - (older_than or timedelta(0)).total_seconds()
    found: list[Leftover] = []
    passed_over: list[str] = []
    for run in all_runs(runs_dir):
        try:
            if run.is_symlink() or (state := status(run)) in ("running", "unknown"):
                continue
            if not _is_ours(run):
                passed_over.append(f"{run.name} was skipped: lossrun did not write its run.json")
                continue
            changed = _last_change(run)
            if changed <= long_ago and _never_began(run) and not _others_files(run):
                found.append(_leftover(run, (), "no step was ever finished"))
                continue
            files = _temporary_files(run, long_ago)
            why = ["leftover temporary files"] if files else []
            if changed <= before and state == "finished":
                spare = _spare_checkpoints(run, keep_best=keep_best)
                why += [_checkpoints_text(len(spare), keep_best=keep_best)] if spare else []
                files += spare
        except RunError as error:
            passed_over.append(f"{run.name} was skipped: {error}")
            continue
        if files:
            found.append(_leftover(run, files, ", ".join(why)))
    found += [
        _leftover(path, (), "leftover temporary directory")
        for path in (sorted(runs_dir.iterdir()) if runs_dir.is_dir() else ())
        if _HIDDEN_RUN.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        if path.stat().st_mtime <= long_ago
    ]
    return Leftovers(tuple(found), tuple(passed_over))


def remove(leftover: Leftover) -> int:
    """Remove it from the disk, and return the number of bytes.

    Raises:
        LockedError: If the run is being written.
        RunError: If the run has changed since it was checked, or the disk refuses.
    """
    path = leftover.path
    try:
        if _HIDDEN_RUN.fullmatch(path.name):
            shutil.rmtree(path)
            return leftover.size
        if not (is_run(path) or is_sweep(path)):
            raise FileNotFoundError(path)
        with lock.writing(path):
            if _ledger_length(path) != leftover.ledger_length:
                raise RunError(
                    f"{path.name} has changed since it was checked, so it was not removed; run the command again"
                )
            if leftover.files:
                return _remove_files(path, leftover.files)
            # The rename is one step: if the removal is killed, gc finds the rest under the hidden name.
            hidden = path.with_name(f".{path.name}.{os.urandom(4).hex()}{durable.TEMPORARY_SUFFIX}")
            if os.name == "posix":
                path.rename(hidden)
        if os.name != "posix":  # Windows renames no directory with an open file in it
            path.rename(hidden)
        shutil.rmtree(hidden)
    except FileNotFoundError:
        return 0  # another process removed it
    except OSError as error:
        raise RunError(
            f"cannot remove {path}: {error.strerror or error}; a user with write access to it can remove it"
        ) from error
    return leftover.size


def size_of(path: Path) -> int:
    """Return the bytes in a file or in all files below a directory; 0 if it no longer exists."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        return sum(map(size_of, path.iterdir()))
    except FileNotFoundError:
        return 0


def _leftover(path: Path, files: Sequence[Path], why: str) -> Leftover:
    return Leftover(path, tuple(files), sum(map(size_of, files or (path,))), why, _ledger_length(path))


def _ledger_length(path: Path) -> int:
    return size_of(RunDirectory(path).ledger_path)


def _remove_files(run: Path, files: Sequence[Path]) -> int:
    from lossrun.records import checkpoints  # imports numpy, which is only needed here

    # Reading raises an error if what stays is damaged; then nothing must be removed.
    last = _checkpoints(run)[:1]
    if last and last[0] not in files:
        checkpoints.read(last[0])
    elif last:
        for best in checkpoints.best_files(RunDirectory(run).checkpoints):
            checkpoints.read(best)
    removed = 0
    for file in files:
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
    holder = lock.owner(run)
    who = f"process {holder.pid} on {holder.host}, since {holder.since}" if holder else "another process"
    if state == "running":
        return f"it is being written by {who}; wait for it to end, or stop it first"
    return f"it may still be being written by {who}; remove it on that host"


def _last_change(run: Path) -> float:
    """Return the time of the last change, in seconds since 1970."""
    events = ledger.read(RunDirectory(run).ledger_path)
    if events:
        return datetime.fromisoformat(events[-1]["time"]).timestamp()
    return RunDirectory(run).config_path.stat().st_mtime


def _never_began(run: Path) -> bool:
    """Return whether a run has no epoch, no saved step, and no event that one might want to read."""
    files = RunDirectory(run)
    if files.history_path.is_file() and files.history_path.stat().st_size > 0:
        return False
    if any(event["event"] in ("finished", "diverged", "diagnosed") for event in ledger.read(files.ledger_path)):
        return False
    return all(path.name.startswith(_AT_START) for path in _checkpoints(run))


def _is_ours(run: Path) -> bool:
    """Return whether lossrun wrote the run's run.json, because other tools have files of that name."""
    try:
        return is_run(run) and "lossrun" in strict_json.loads(read_regular(RunDirectory(run).run_json))
    except (OSError, ValueError, TypeError):
        return False


def _others_files(run: Path) -> list[Path]:
    """Return the files in the run's folder that lossrun did not write."""
    files = RunDirectory(run)
    known = {
        *(files.config_path, files.run_json, files.history_path, files.ledger_path, files.checkpoints),
        *(files.predictions_path, files.lock_path, files.owner_path, files.preparation_path, files.source),
    }
    return [path for path in run.iterdir() if path not in known and not _HIDDEN_FILE.fullmatch(path.name)]


def _temporary_files(run: Path, before: float) -> list[Path]:
    folders = [folder for folder in (run, RunDirectory(run).checkpoints) if folder.is_dir() and not folder.is_symlink()]
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if _HIDDEN_FILE.fullmatch(path.name) and path.is_file() and path.lstat().st_mtime <= before
    ]


def _spare_checkpoints(run: Path, *, keep_best: bool) -> list[Path]:
    """Return checkpoints that are not needed; [] if a seed diverged, because it may still be resumed."""
    finished = ledger.read(RunDirectory(run).ledger_path)[-1]
    if any(facts.get("diverged_epoch") for facts in finished.get("seeds", {}).values()):
        return []
    found = _checkpoints(run)
    files = RunDirectory(run)
    named = finished.get("best_weights")
    best = [files.best_weights_path(int(seed)) for seed in finished.get("seeds", {})]
    best = [files.checkpoints / Path(named).name] if named else best
    if keep_best and best and all(path.is_file() for path in best):
        return found
    return found[1:]


def _checkpoints_text(count: int, *, keep_best: bool) -> str:
    files = f"{count} checkpoint" + ("s" if count > 1 else "")
    return f"{files}; the best weights stay" if keep_best else f"{files} before the last"


def _checkpoints(run: Path) -> list[Path]:
    """Return the checkpoints, newest first; [] if the folder is a link."""
    folder = RunDirectory(run).checkpoints
    return [] if folder.is_symlink() else checkpoint_headers.candidates(folder)
