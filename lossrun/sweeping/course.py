"""Run a sweep from its plan to its result: tune, choose, run the final cells."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lossrun.analysis.sweeps.cells import failures
from lossrun.analysis.sweeps.tuning import tuning_of
from lossrun.data import default_data_dir
from lossrun.errors import RunError
from lossrun.records import ledger, sweep_directory
from lossrun.records.lock import writing
from lossrun.records.provenance.whereabouts import recorded_data_folder
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_events, read_plan
from lossrun.sweeping.extending import Extension, further_cells
from lossrun.sweeping.halving import Halving, halved_cells
from lossrun.sweeping.plan import final_cells
from lossrun.sweeping.pool import MOST_JOBS, cores
from lossrun.sweeping.ray_cluster import MOST_TASKS, Cluster
from lossrun.sweeping.run import Cells, last_line, recorded_ending
from lossrun.sweeping.sampling import Sampling, sampled_cells
from lossrun.sweeping.shards import Shard, running_shard, waiting_for
from lossrun.sweeping.worker import Ended

# Called as each cell ends, as each phase begins with its number of cells, and with the cells that are being trained
# whenever these change.
Told = Callable[[PlannedCell, Ended], None]
Begins = Callable[[str, int], None]
Trains = Callable[[Sequence[PlannedCell]], None]


def run_sweep(
    sweep: SweepDirectory,
    *,
    data_dir: Path | None = None,
    jobs: int | None = None,
    fail_fast: bool = False,
    shard: Shard | None = None,
    cluster: Cluster | None = None,
    told: Told = lambda cell, ended: None,
    begins: Begins = lambda phase, cells: None,
    trains: Trains = lambda cells: None,
) -> dict[str, Ended]:
    """Run the unfinished cells of a sweep, and return how each cell ended, by its directory.

    `data_dir`: the folder of the datasets; None for the one that the sweep was started with. `jobs`: worker processes,
    one thread each; None for one per core. `begins(phase, cells)` is called before the cells of a phase are run,
    and `trains(cells)` with those that are being trained, when they change.
    `shard`: the share of the cells to run here, if several processes run one sweep; the final runs begin once no
    process has anything left to tune. `cluster`: trains the cells instead of worker processes; `jobs` then limits its
    tasks.

    If no tuning run has a score, there are no final runs.

    Raises LockedError if another process runs the sweep, StoppedError after a signal, and RunError if the data cannot
    be read or writing fails.
    """
    if shard is not None:
        with running_shard(sweep.path, shard):
            cells = _cells(sweep, data_dir, jobs, told, cluster, fail_fast=fail_fast)
            cells.trains = trains
            cells.writing = partial(waiting_for, sweep.path)
            cells.options = {**cells.options, "--shard": str(shard)}
            _run_shard(sweep, cells, shard, begins)
        return cells.endings
    with writing(sweep.path):
        cells = _cells(sweep, data_dir, jobs, told, cluster, fail_fast=fail_fast)
        cells.trains = trains
        tuning, final = _planned(sweep)
        # Once the final runs are planned, further tuning cannot change them.
        if not final:
            _run_phase(cells, "tune", tuning, begins)
            while not cells.is_over and (more := _extended(sweep, cells)):
                _run_phase(cells, "tune", more, begins)
            final = [] if cells.is_over else _chosen(sweep, cells)
        if not cells.is_over:
            _run_phase(cells, "final", final, begins)
        if not cells.is_over:
            _finish(sweep, cells)
    return cells.endings


def _run_shard(sweep: SweepDirectory, cells: Cells, shard: Shard, begins: Begins) -> None:
    """Run a share of the tuning, then, if no share has anything left to tune, a share of the final runs."""
    tuning, final = _planned(sweep)
    ready = False
    if not final:
        _run_phase(cells, "tune", shard.of(tuning), begins)
        with waiting_for(sweep.path):
            if _failures(cells):
                ledger.append(sweep.ledger_path, "shard", shard=str(shard), failed=_failures(cells))
            final = _planned(sweep)[1]
            ready = not final and not cells.is_over and not missing(sweep)
            grown = ready and bool(_extended(sweep, cells))
            if ready and not grown:
                final = _chosen(sweep, cells)
        if grown:
            _run_shard(sweep, cells, shard, begins)
            return
    if (final or ready) and not cells.is_over:
        _run_phase(cells, "final", shard.of(final), begins)
        with waiting_for(sweep.path):
            if not missing(sweep) and read_events(sweep)[-1]["event"] != "finished":
                _finish(sweep, cells)


def _extended(sweep: SweepDirectory, cells: Cells) -> list[PlannedCell]:
    """Plan further cells: the next round of halving, what the sampler draws, or a range that grows at an edge.

    A draw goes through all rounds before the next one, and a range grows only where nothing else is left to try.
    """
    facts, tuning = read_events(sweep)[0], tuning_of(sweep)
    if tuning is None:
        return []
    planned, more = read_plan(sweep), list[PlannedCell]()
    event, said = "", dict[str, Any]()
    if facts.get("halving"):
        more, event = halved_cells(Halving(**facts["halving"]), tuning, planned), "halved"
        said = {"epochs": max((cell.config["epochs"] for cell in more), default=None)}
    if not more and facts.get("sampler"):
        sampling = Sampling(**facts["sampler"])
        more, event = sampled_cells(sampling, tuning, planned), "sampled"
        said = {"keys": list(sampling.spans)}
    if not more and facts.get("extend"):
        extension = Extension(**facts["extend"])
        more, event = further_cells(extension, tuning, planned), "extended"
        said = {"key": extension.key, "values": sorted({cell.changes[extension.key] for cell in more})}
    more = cells.with_stacks(more)
    if more:
        sweep_directory.extend_plan(sweep, more, event, **said)
    return more


def missing(sweep: SweepDirectory) -> list[PlannedCell]:
    """Return the cells planned so far that have not ended."""
    failed = failures(sweep)
    return [cell for cell in read_plan(sweep) if cell.directory not in failed and not recorded_ending(sweep, cell)]


def _cells(
    sweep: SweepDirectory,
    data_dir: Path | None,
    jobs: int | None,
    told: Told,
    cluster: Cluster | None,
    *,
    fail_fast: bool,
) -> Cells:
    facts = read_events(sweep)[0]
    folder = data_dir or recorded_data_folder(facts, sweep.path, default_data_dir())
    options = {"--jobs": None if jobs is None else str(jobs)}
    if cluster is not None:
        again = {**cluster.options, **options}
        return Cells(sweep, jobs or MOST_TASKS, folder, told, fail_fast, cluster.workers, again)
    return Cells(sweep, min(jobs or cores(), MOST_JOBS), folder, told, fail_fast, options=options)


def _planned(sweep: SweepDirectory) -> tuple[list[PlannedCell], list[PlannedCell]]:
    """Return the tuning cells and the final cells planned so far."""
    plan = read_plan(sweep)
    return [cell for cell in plan if cell.phase == "tune"], [cell for cell in plan if cell.phase == "final"]


def _run_phase(cells: Cells, phase: str, planned: Sequence[PlannedCell], begins: Begins) -> None:
    begins(phase, len(planned))
    cells.run(planned)
    _refuse_blocked(cells)


def _chosen(sweep: SweepDirectory, cells: Cells) -> list[PlannedCell]:
    """Plan the final runs by the results of tuning: none if no tuning run has a score."""
    found = tuning_of(sweep)
    assert found is not None
    final = cells.with_stacks(final_cells(found.pairs, read_events(sweep)[0]["seeds"]))
    chosen = [{"pair": dict(cell.pair), "changes": dict(cell.changes)} for cell in final]
    if final:
        sweep_directory.extend_plan(sweep, final, "tuned", metric=found.metric, chosen=chosen, failed=_failures(cells))
    return final


def _refuse_blocked(cells: Cells) -> None:
    """Raise RunError if the data could not be read or writing failed.

    The result of such a cell is unknown, so nothing is chosen without it.
    """
    blocked = [ended.problem for ended in cells.endings.values() if ended.ending == "blocked"]
    if blocked:
        raise RunError(f"{blocked[0]}; once that is fixed, this continues the sweep:\n  {cells.how_to_continue}")


def _finish(sweep: SweepDirectory, cells: Cells) -> None:
    if read_events(sweep)[-1]["event"] == "finished" and not cells.has_run:
        return  # again, and nothing was left to do
    endings = [ended.ending for ended in cells.endings.values()]
    counts = {f"{ending}_cells": endings.count(ending) for ending in sorted(set(endings))}
    ledger.append(sweep.ledger_path, "finished", **counts, failed=_failures(cells))


def _failures(cells: Cells) -> dict[str, str]:
    """Return {cell that failed: the last line of its message}."""
    return {name: last_line(ended.problem) for name, ended in cells.endings.items() if ended.ending == "failed"}
