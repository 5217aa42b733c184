"""List the sweeps in a folder, one line each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lossrun.errors import RunError
from lossrun.records import ledger
from lossrun.records.run_directory import RunDirectory
from lossrun.records.status import status
from lossrun.records.sweep_directory import SweepDirectory, all_sweeps, read_plan


@dataclass(frozen=True, slots=True)
class ListedSweep:
    """`status`: "damaged" where the plan or the ledger cannot be read. `ended`: cells that finished or diverged, of
    those `planned` so far. `keys`: what it sweeps over."""

    path: Path
    name: str
    status: Literal["running", "finished", "interrupted", "damaged", "unknown"]
    ended: int
    planned: int
    keys: tuple[str, ...]


def listed_sweeps(runs_dir: Path) -> list[ListedSweep]:
    """Every sweep directly under `runs_dir`, oldest first."""
    return [_listed(SweepDirectory(path)) for path in all_sweeps(runs_dir)]


def _listed(sweep: SweepDirectory) -> ListedSweep:
    try:
        plan, events = read_plan(sweep), ledger.read(sweep.ledger_path)
        ended = sum(sweep.is_begun(cell) and _has_ended(sweep.run(cell)) for cell in plan)
    except RunError:
        return ListedSweep(sweep.path, sweep.name, "damaged", 0, 0, ())
    now = status(sweep.path, events)
    keys = tuple(dict.fromkeys(key for cell in plan for key in cell.changes))
    known = now if now in ("running", "finished", "unknown") else "interrupted"
    return ListedSweep(sweep.path, sweep.name, known, ended, len(plan), keys)


def _has_ended(run: Path) -> bool:
    last = ledger.read(RunDirectory(run).ledger_path)[-1:]
    return bool(last) and last[0]["event"] in ("finished", "diverged")
