"""A sweep from its plan to its result: tune, choose, run the final cells."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from lossrun.analysis.sweeps import tuning_of
from lossrun.errors import RunError
from lossrun.records import ledger, sweep_directory
from lossrun.records.lock import writing
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_plan
from lossrun.shell import run_command
from lossrun.sweeping.plan import final_cells
from lossrun.sweeping.run import Cells
from lossrun.sweeping.worker import Ended

Jobs = int | Literal["auto"]
# What has to be said before and while cells run: the cell and how it ended; None as a phase begins.
Told = Callable[[PlannedCell, Ended], None]
Begins = Callable[[str, int], None]
MOST_JOBS: Final = 64


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_sweep(
    sweep: SweepDirectory,
    *,
    data_dir: Path,
    jobs: int | None = None,
    fail_fast: bool = False,
    told: Told = lambda cell, ended: None,
    begins: Begins = lambda phase, cells: None,
) -> dict[str, Ended]:
    """Run what is left of a sweep; how each cell ended, by its directory.

    `jobs`: worker processes, one thread each; None for one per core. `begins(phase, cells)` is called before the cells
    of a phase are run. Raises LockedError where another process runs the sweep, StoppedError after a signal.
    """
    with writing(sweep.path):
        facts = ledger.read(sweep.ledger_path)[0]
        cells = Cells(
            sweep,
            min(jobs or cores(), MOST_JOBS),
            Path(facts["config_dir"]),
            data_dir,
            told,
            fail_fast,
        )
        plan = read_plan(sweep)
        tuning = [cell for cell in plan if cell.phase == "tune"]
        if tuning:
            begins("tune", len(tuning))
            cells.run(tuning)
        final = [cell for cell in plan if cell.phase == "final"]
        if tuning and not final and not _is_over(cells):
            found = tuning_of(sweep, facts["metric"])
            assert found is not None
            final = final_cells(found.pairs, facts["seeds"])
            if not final:
                metric = found.metric or "metric on validation data"
                raise RunError(
                    f"{sweep.path}: none of the {len(tuning)} tuning runs ended with a finite {metric}; "
                    f"`{run_command('show', sweep.run(tuning[0]))}` shows the first of them"
                )
            chosen = [{"pair": dict(cell.pair), "changes": dict(cell.changes)} for cell in final]
            sweep_directory.extend_plan(sweep, final, "tuned", metric=found.metric, chosen=chosen)
        if final and not _is_over(cells):
            begins("final", len(final))
            cells.run(final)
        if not _is_over(cells):
            endings = [ended.ending for ended in cells.endings.values()]
            ledger.append(
                sweep.ledger_path, "finished", **{ending: endings.count(ending) for ending in sorted(set(endings))}
            )
    return cells.endings


def _is_over(cells: Cells) -> bool:
    """Whether the first failure was to end the sweep, and there was one."""
    return cells.fail_fast and any(ended.ending == "failed" for ended in cells.endings.values())
