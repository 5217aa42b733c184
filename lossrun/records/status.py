"""Compute the status of a run from its files; it is not stored."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from lossrun.records import ledger, lock
from lossrun.records.run_directory import RunDirectory

Status: TypeAlias = Literal["running", "finished", "diverged", "stopped", "interrupted", "unknown"]

_FINAL: Final[dict[str, Status]] = {"finished": "finished", "diverged": "diverged", "stopped": "stopped"}


def status(run: Path, events: Sequence[Mapping[str, Any]] | None = None) -> Status:
    """Return the status of the run, from the last event of its ledger and its owner's note.

    "diverged" is final only if the writer then ended normally: one of several seeds may diverge while the others
    continue. "interrupted" means that the writer died, "unknown" that it writes, or died, on another host.

    Args:
        events: The ledger's events; by default they are read here.
    """
    last = (ledger.read(RunDirectory(run).ledger_path) if events is None else events)[-1:]
    event: str | None = last[0]["event"] if last else None
    holder = lock.owner(run)
    final = _FINAL.get(event or "")
    if holder is None:
        return final or "interrupted"
    alive = lock.is_alive(holder)
    if alive:
        return "running"
    if final and final != "diverged":
        return final
    return "unknown" if alive is None else "interrupted"


def note_on_missing_locks(run: Path) -> str:
    """Return a sentence about how the run is locked, if its file system has no locks; else ""."""
    holder = lock.owner(run)
    if holder is None or holder.heartbeat is None:
        return ""
    return (
        f"the file system of {run.parent} has no locks: {RunDirectory(run).owner_path.name}, renewed every "
        f"{lock.HEARTBEAT:g} s, tells other processes that this run is being written; if this machine crashes, another "
        f"one can continue the run after {lock.MISSED_BEATS * lock.HEARTBEAT / 60:g} minutes"
    )
