"""Find what a runs directory no longer needs: old checkpoints, runs without a step, temporary files."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from lossrun.errors import RunError
from lossrun.records import ledger
from lossrun.records.files import durable
from lossrun.records.removal import HIDDEN, Removable, Removables, is_ours, removable, state_files
from lossrun.records.run_directory import RunDirectory, all_runs
from lossrun.records.status import status
from lossrun.records.sweep_directory import all_sweeps

# Younger temporary files may be in use.
_YOUNG: Final = timedelta(hours=1)
_HIDDEN_FILE: Final = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(durable.TEMPORARY_SUFFIX)}")
_AT_START: Final = "step-00000000-"  # the state that a run saves before its first step


def superfluous(
    runs_dir: Path, *, older_than: timedelta | None = None, keep_best: bool = False, now: datetime | None = None
) -> Removables:
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
    found: list[Removable] = []
    passed_over: list[str] = []
    for run in all_runs(runs_dir):
        try:
            if run.is_symlink() or (state := status(run)) in ("running", "unknown"):
                continue
            if not is_ours(run):
                passed_over.append(f"{run.name} was skipped: lossrun did not write its run.json")
                continue
            changed = _last_change(run)
            if changed <= long_ago and _never_began(run) and not _others_files(run):
                found.append(removable(run, (), "no step was ever finished"))
                continue
            files = _temporary_files(run, long_ago)
            why = ["leftover temporary files"] if files else []
            if changed <= before and state == "finished":
                spare = _spare_checkpoints(run, keep_best=keep_best)
                why += [_checkpoints_text(len(spare), keep_best=keep_best)] if spare else []
                files += spare
        except (RunError, OSError) as error:
            passed_over.append(f"{run.name} was skipped: {error}")
            continue
        if files:
            found.append(removable(run, files, ", ".join(why)))
    folders = [runs_dir, *all_sweeps(runs_dir)] if runs_dir.is_dir() else []
    found += [
        removable(path, (), "leftover temporary directory")
        for folder in folders
        for path in sorted(folder.iterdir())
        if HIDDEN.fullmatch(path.name) and path.is_dir() and not path.is_symlink()
        if path.stat().st_mtime <= long_ago
    ]
    return Removables(tuple(found), tuple(passed_over))


def _last_change(run: Path) -> float:
    """Return the time of the last change, in seconds since 1970."""
    events = ledger.read(RunDirectory(run).ledger_path)
    if events:
        return datetime.fromisoformat(events[-1]["time"]).timestamp()
    return RunDirectory(run).config_path.stat().st_mtime


def _never_began(run: Path) -> bool:
    """Return whether a run has no epoch, no saved step, and no event worth reading."""
    files = RunDirectory(run)
    if files.history_path.is_file() and files.history_path.stat().st_size > 0:
        return False
    if any(event["event"] in ("finished", "diverged", "diagnosed") for event in ledger.read(files.ledger_path)):
        return False
    return all(path.name.startswith(_AT_START) for path in state_files(run))


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
    found = state_files(run)
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
