"""What state a run is in, computed from its files each time and stored nowhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from lossrun.records import ledger, lock
from lossrun.records.run_directory import RunDirectory

Status: TypeAlias = Literal["running", "finished", "diverged", "stopped", "interrupted", "unknown"]

_FINAL: Final[dict[str, Status]] = {"finished": "finished", "diverged": "diverged", "stopped": "stopped"}


def status(run: Path, events: Sequence[Mapping[str, Any]] | None = None) -> Status:
    """The state of the run, by the last event of its ledger (`events`, read here if not given) and its owner's note.

    "diverged" is the end only where the writer then left in good order: one of several seeds may diverge while the
    others go on. "interrupted": the writer died. "unknown": it writes, or died, on another host.
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
