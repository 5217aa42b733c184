"""Run a sweep from its plan to its result: tune, choose, run the final cells."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from lossrun.analysis.sweeps.cells import failures
from lossrun.analysis.sweeps.tuning import TuningResult, tuning_of
from lossrun.data import default_data_dir
from lossrun.errors import RunError
from lossrun.interrupts import leave_behind
from lossrun.records import ledger, sweep_directory
from lossrun.records.lock import writing
from lossrun.records.provenance.whereabouts import recorded_data_folder
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_events, read_plan
from lossrun.shell import command, run_word
from lossrun.sweeping.cluster.connection import MOST_TASKS, Cluster
from lossrun.sweeping.plan import final_cells
from lossrun.sweeping.pool import MOST_JOBS, cores
from lossrun.sweeping.run import Cells, last_line, recorded_ending
from lossrun.sweeping.shards import Shard, running_shard, waiting_for
from lossrun.sweeping.tuning.extending import Extension, further_cells
from lossrun.sweeping.tuning.halving import Halving, halved_cells
from lossrun.sweeping.tuning.sampling import Sampling, sampled_cells
from lossrun.sweeping.worker import Ended

# Called as each cell ends, as each phase begins with its number of cells, and with the cells that are being trained
# whenever these change.
ReportEnding = Callable[[PlannedCell, Ended], None]
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
    report: ReportEnding = lambda cell, ended: None,
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
    leave_behind(f"continue with\n  {command('resume', run_word(sweep.path))}")
    if shard is not None:
        with running_shard(sweep.path, shard):
            cells = _cells(sweep, data_dir, jobs, report, trains, cluster, fail_fast=fail_fast)
            cells.writing = partial(waiting_for, sweep.path)
            cells.options = {**cells.options, "--shard": str(shard)}
            _run_shard(sweep, cells, shard, begins)
        return cells.endings
    with writing(sweep.path):
        cells = _cells(sweep, data_dir, jobs, report, trains, cluster, fail_fast=fail_fast)
        tuning, final = _planned(sweep)
        # Once the final runs are planned, further tuning cannot change them.
        if not final:
            _run_phase(cells, "tune", tuning, begins)
            while not (final or cells.is_over) and (more := _next(sweep, cells)):
                if more[0].phase == "final":
                    final = more
                else:
                    _run_phase(cells, "tune", more, begins)
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
            more = _next(sweep, cells) if ready else []
        if more and more[0].phase == "tune":
            _run_shard(sweep, cells, shard, begins)
            return
        final = final or more
    if (final or ready) and not cells.is_over:
        _run_phase(cells, "final", shard.of(final), begins)
        with waiting_for(sweep.path):
            if not missing(sweep) and read_events(sweep)[-1]["event"] != "finished":
                _finish(sweep, cells)


class Following(NamedTuple):
    """The cells that a sweep runs next. `event` and `facts`: what its ledger says of them."""

    cells: Sequence[PlannedCell]
    event: str
    facts: Mapping[str, Any]


def following(facts: Mapping[str, Any], tuning: TuningResult, planned: Sequence[PlannedCell]) -> Following:
    """Return the next cells of a sweep whose planned tuning cells have all ended.

    They are the next round of halving, what the sampler draws, or a range that grows at an edge: a draw goes through
    all rounds before the next one, and a range grows only where nothing else is left to try. Once tuning is through,
    they are the final cells; there are none if no tuning run has a score.

    Args:
        facts: What the sweep's ledger says of its start.
    """
    more: Sequence[PlannedCell] = ()
    if facts.get("halving") and (more := halved_cells(Halving(**facts["halving"]), tuning, planned)):
        return Following(more, "halved", {"epochs": max(cell.config["epochs"] for cell in more)})
    if facts.get("sampler"):
        sampling = Sampling(**facts["sampler"])
        if more := sampled_cells(sampling, tuning, planned):
            return Following(more, "sampled", {"keys": list(sampling.spans)})
    if facts.get("extend"):
        extension = Extension(**facts["extend"])
        if more := further_cells(extension, tuning, planned):
            values = sorted({cell.changes[extension.key] for cell in more})
            return Following(more, "extended", {"key": extension.key, "values": values})
    final = final_cells(tuning.pairs, facts["seeds"])
    chosen = [{"pair": dict(cell.pair), "changes": dict(cell.changes)} for cell in final]
    return Following(final, "tuned", {"metric": tuning.metric, "chosen": chosen})


def _next(sweep: SweepDirectory, cells: Cells) -> list[PlannedCell]:
    """Add the next cells to the plan, and return them; none once everything is planned."""
    tuning = tuning_of(sweep)
    if tuning is None:
        return []
    found = following(read_events(sweep)[0], tuning, read_plan(sweep))
    more = cells.with_stacks(found.cells)
    if more:
        failed = {"failed": _failures(cells)} if found.event == "tuned" else {}
        sweep_directory.extend_plan(sweep, more, found.event, **found.facts, **failed)
    return more


def missing(sweep: SweepDirectory) -> list[PlannedCell]:
    """Return the cells planned so far that have not ended."""
    failed = failures(sweep)
    return [cell for cell in read_plan(sweep) if cell.directory not in failed and not recorded_ending(sweep, cell)]


def _cells(
    sweep: SweepDirectory,
    data_dir: Path | None,
    jobs: int | None,
    report: ReportEnding,
    trains: Trains,
    cluster: Cluster | None,
    *,
    fail_fast: bool,
) -> Cells:
    facts = read_events(sweep)[0]
    folder = data_dir or recorded_data_folder(facts, sweep.path, default_data_dir())
    options = {"--jobs": None if jobs is None else str(jobs)}
    if cluster is not None:
        again = {**cluster.options, **options}
        return Cells(sweep, jobs or MOST_TASKS, folder, report, fail_fast, cluster.workers, again, trains=trains)
    return Cells(sweep, min(jobs or cores(), MOST_JOBS), folder, report, fail_fast, options=options, trains=trains)


def _planned(sweep: SweepDirectory) -> tuple[list[PlannedCell], list[PlannedCell]]:
    """Return the tuning cells and the final cells planned so far."""
    plan = read_plan(sweep)
    return [cell for cell in plan if cell.phase == "tune"], [cell for cell in plan if cell.phase == "final"]


def _run_phase(cells: Cells, phase: str, planned: Sequence[PlannedCell], begins: Begins) -> None:
    begins(phase, len(planned))
    cells.run(planned)
    _refuse_blocked(cells)


def _refuse_blocked(cells: Cells) -> None:
    """Raise RunError if the data could not be read or writing failed.

    The result of such a cell is unknown, so nothing is chosen without it.
    """
    blocked = [ended.problem for ended in cells.endings.values() if ended.ending == "blocked"]
    if blocked:
        raise RunError(f"{blocked[0]}; once that is fixed, this continues the sweep:\n  {cells.how_to_continue}")


def _finish(sweep: SweepDirectory, cells: Cells) -> None:
    if read_events(sweep)[-1]["event"] != "finished" or cells.has_run:  # otherwise nothing was left to do
        endings = [ended.ending for ended in cells.endings.values()]
        counts = {f"{ending}_cells": endings.count(ending) for ending in sorted(set(endings))}
        ledger.append(sweep.ledger_path, "finished", **counts, failed=_failures(cells))
    leave_behind(f"{sweep.path.name} is finished; to print its result:\n  {command('compare', run_word(sweep.path))}")


def _failures(cells: Cells) -> dict[str, str]:
    """Return {cell that failed: the last line of its message}."""
    return {name: last_line(ended.problem) for name, ended in cells.endings.items() if ended.ending == "failed"}
