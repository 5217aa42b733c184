"""List the sweeps in a folder, one line each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from lossrun.errors import RunError
from lossrun.records import ledger, lock
from lossrun.records.run_directory import RunDirectory
from lossrun.records.status import status
from lossrun.records.sweep_directory import SweepDirectory, all_sweeps, read_events, read_plan, shards

SweepStatus: TypeAlias = Literal["running", "finished", "interrupted", "waiting", "damaged", "unknown"]


@dataclass(frozen=True, slots=True)
class ListedSweep:
    """One sweep.

    Attributes:
        status: "damaged" if the plan or the ledger cannot be read, "waiting" if cells are left and every started shard
            has released the sweep.
        ended: Cells that finished or diverged, of those `planned` so far.
        keys: What it sweeps over.
    """

    path: Path
    name: str
    status: SweepStatus
    ended: int
    planned: int
    keys: tuple[str, ...]


def listed_sweeps(runs_dir: Path) -> list[ListedSweep]:
    """Return every sweep directly under `runs_dir`, oldest first."""
    return [listed_sweep(SweepDirectory(path)) for path in all_sweeps(runs_dir)]


def listed_sweep(sweep: SweepDirectory) -> ListedSweep:
    """Return one line of the list."""
    try:
        plan, events = read_plan(sweep), read_events(sweep)
        ended = sum(sweep.is_begun(cell) and _has_ended(sweep.run(cell)) for cell in plan)
    except RunError:
        return ListedSweep(sweep.path, sweep.name, "damaged", 0, 0, ())
    keys = tuple(dict.fromkeys(key for cell in plan for key in cell.changes))
    return ListedSweep(sweep.path, sweep.name, _status(sweep, events), ended, len(plan), keys)


def _status(sweep: SweepDirectory, events: Sequence[Mapping[str, Any]]) -> SweepStatus:
    """Return the status, from the sweep's ledger and lock and the locks of its shards: each process holds its own."""
    whole = status(sweep.path, events)
    if whole in ("running", "finished"):
        return "running" if whole == "running" else "finished"
    # A shard keeps no ledger: its lock says whether its process runs, has died, or has released it.
    holders = [lock.owner(folder) for folder in shards(sweep)]
    alive = [lock.is_alive(holder) for holder in holders if holder is not None]
    if True in alive:
        return "running"
    if None in alive or whole == "unknown":
        return "unknown"
    return "waiting" if holders and False not in alive else "interrupted"


def _has_ended(run: Path) -> bool:
    last = ledger.read(RunDirectory(run).ledger_path)[-1:]
    return bool(last) and last[0]["event"] in ("finished", "diverged")
