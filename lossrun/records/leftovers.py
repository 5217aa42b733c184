"""What may go from a runs directory: whole runs by name, and what no run needs any more.

Nothing outside of the runs directory is ever touched, nor a run that is being written: each removal holds its lock.
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
from lossrun.records import checkpoint_headers, ledger, lock
from lossrun.records.files import durable, strict_json
from lossrun.records.run_directory import RunDirectory, all_runs, is_run
from lossrun.records.status import Status, status
from lossrun.shell import join

# A directory or file of these may be somebody's, this very moment.
_YOUNG: Final = timedelta(hours=1)
_HIDDEN_RUN: Final = re.compile(rf"\.\d{{8}}-\d{{6}}-.+\.[0-9a-f]{{8}}{re.escape(durable.TEMPORARY_SUFFIX)}")
_HIDDEN_FILE: Final = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(durable.TEMPORARY_SUFFIX)}")
_AT_START: Final = "step-00000000-"  # the state that a run saves before its first step


@dataclass(frozen=True, slots=True)
class Leftover:
    """`path`: the run's directory, or a hidden one. `files`: what goes of it; none means all of it. `size` in bytes;
    `why`: what it is, in plain words. `ledger_length`: of the run when it was looked at, in bytes."""

    path: Path
    files: tuple[Path, ...]
    size: int
    why: str
    ledger_length: int


@dataclass(frozen=True, slots=True)
class Leftovers:
    """`passed_over`: what might have been looked for and was left alone, a sentence each."""

    found: tuple[Leftover, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(one.size for one in self.found)


def whole_runs(runs: Sequence[Path], runs_dir: Path) -> Leftovers:
    """The runs themselves, each once. Links are passed over beside runs: a pattern may have caught them.

    Raises UsageError for what is no run directory right under `runs_dir`, LockedError for a run that is being written.
    """
    found: dict[Path, Leftover] = {}
    links = [run for run in dict.fromkeys(runs) if run.is_symlink()] if len(runs) > 1 else []
    for run in runs:
        if run in links:
            continue
        if not _is_ours(run) or run.is_symlink() or run.resolve().parent != runs_dir.resolve():
            raise UsageError(
                f"{run} is no run directory in {runs_dir}, and nothing else is removed; "
                f"if it is a run, say where it lies: {join(['--runs-dir', run.resolve().parent])}"
            )
        state = _status_or_damaged(run)
        if state in ("running", "unknown"):
            raise LockedError(f"{run.name} is not removed: {_writer(run, state)}")
        found[run.resolve()] = _leftover(run.resolve(), (), state)
    return Leftovers(
        tuple(found.values()), tuple(f"{link} is left alone: it is a link to {link.resolve()}" for link in links)
    )


def superfluous(
    runs_dir: Path, *, older_than: timedelta | None = None, keep_best: bool = False, now: datetime | None = None
) -> Leftovers:
    """What a runs directory can do without: of finished runs every checkpoint but the best weights and the last state
    (`keep_best`: and that one too, which ends all resuming), runs without a step, and leavings of killed writes.

    `older_than`: only what nothing has happened to for that long. Of runs without a step, and of leavings, none is
    taken that is younger than an hour: their makers may be at work.
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
                passed_over.append(f"{run.name} is left alone: its run.json is none of lossrun's")
                continue
            changed = _last_change(run)
            if changed <= long_ago and _never_began(run) and not _others_files(run):
                found.append(_leftover(run, (), "no step was ever finished"))
                continue
            files = _leavings(run, long_ago)
            why = ["leavings of killed writes"] if files else []
            if changed <= before and state == "finished":
                spare = _spare_checkpoints(run, keep_best=keep_best)
                why += [_checkpoints_text(len(spare), keep_best=keep_best)] if spare else []
                files += spare
        except RunError as error:
            passed_over.append(f"{run.name} is left alone: {error}")
            continue
        if files:
            found.append(_leftover(run, files, ", ".join(why)))
    found += [
        _leftover(path, (), "leavings of a killed write")
        for path in (sorted(runs_dir.iterdir()) if runs_dir.is_dir() else ())
        if _HIDDEN_RUN.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        if path.stat().st_mtime <= long_ago
    ]
    return Leftovers(tuple(found), tuple(passed_over))


def remove(leftover: Leftover) -> int:
    """Take it from the disk; the number of bytes that went.

    Raises LockedError where the run is being written by now, RunError where it has gone on since it was looked at, or
    where the disk refuses.
    """
    path = leftover.path
    try:
        if _HIDDEN_RUN.fullmatch(path.name):
            shutil.rmtree(path)
            return leftover.size
        if not is_run(path):
            raise FileNotFoundError(path)
        with lock.writing(path):
            if _ledger_length(path) != leftover.ledger_length:
                raise RunError(f"{path.name} has gone on since it was looked at, and is left alone; ask again")
            if leftover.files:
                return _remove_files(path, leftover.files)
            # Gone in one step: a killed removal leaves no half of a run, but what gc recognises.
            hidden = path.with_name(f".{path.name}.{os.urandom(4).hex()}{durable.TEMPORARY_SUFFIX}")
            if os.name == "posix":
                path.rename(hidden)
        if os.name != "posix":  # Windows renames no directory with an open file in it
            path.rename(hidden)
        shutil.rmtree(hidden)
    except FileNotFoundError:
        return 0  # somebody else was faster
    except OSError as error:
        raise RunError(
            f"cannot remove {path}: {error.strerror or error}; its owner, or whoever may write there, can"
        ) from error
    return leftover.size


def size_of(path: Path) -> int:
    """Bytes in a file, or in all files below a directory; of a link its own. 0 where it has just gone."""
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
    from lossrun.records import checkpoints  # numpy: only where something goes

    # Whatever is to stay must be whole, or what goes is all there is: reading raises where it is damaged.
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
    """A damaged run can still be removed, unless somebody may be writing it."""
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
        return f"it is being written by {who}; wait for that to end, or stop it first"
    return f"whether it is still being written, by {who}, cannot be told from here; remove it there"


def _last_change(run: Path) -> float:
    """Seconds since 1970."""
    events = ledger.read(RunDirectory(run).ledger_path)
    if events:
        return datetime.fromisoformat(events[-1]["time"]).timestamp()
    return RunDirectory(run).config_path.stat().st_mtime


def _never_began(run: Path) -> bool:
    """No epoch, no step that was saved, and nothing that ended it which one might want to read about."""
    files = RunDirectory(run)
    if files.history_path.is_file() and files.history_path.stat().st_size > 0:
        return False
    if any(event["event"] in ("finished", "diverged", "diagnosed") for event in ledger.read(files.ledger_path)):
        return False
    return all(path.name.startswith(_AT_START) for path in _checkpoints(run))


def _is_ours(run: Path) -> bool:
    """Whether it is a run, and lossrun has written its run.json: other tools have files of that name."""
    try:
        return is_run(run) and "lossrun" in strict_json.loads(RunDirectory(run).run_json.read_bytes())
    except (OSError, ValueError, TypeError):
        return False


def _others_files(run: Path) -> list[Path]:
    """What lies in the run's folder that lossrun did not put there."""
    files = RunDirectory(run)
    known = {
        *(files.config_path, files.run_json, files.history_path, files.ledger_path, files.checkpoints),
        *(files.predictions_path, files.lock_path, files.owner_path, files.preparation_path, files.source),
    }
    return [path for path in run.iterdir() if path not in known and not _HIDDEN_FILE.fullmatch(path.name)]


def _leavings(run: Path, before: float) -> list[Path]:
    folders = [folder for folder in (run, RunDirectory(run).checkpoints) if folder.is_dir() and not folder.is_symlink()]
    return [
        path
        for folder in folders
        for path in sorted(folder.iterdir())
        if _HIDDEN_FILE.fullmatch(path.name) and path.is_file() and path.lstat().st_mtime <= before
    ]


def _spare_checkpoints(run: Path, *, keep_best: bool) -> list[Path]:
    """None of a run with a seed that diverged: it may be taken up again from before that."""
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
    """Newest first. None in a folder that lies elsewhere."""
    folder = RunDirectory(run).checkpoints
    return [] if folder.is_symlink() else checkpoint_headers.candidates(folder)
