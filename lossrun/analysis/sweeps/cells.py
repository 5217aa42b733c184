"""Read the cells of a sweep: the runs that have begun, those that have ended or failed, and which data they have."""

from collections.abc import Iterable

from lossrun.analysis.values.splits import splits
from lossrun.errors import RunError
from lossrun.records import history, recorded
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_events, read_plan


def loaded(sweep: SweepDirectory, cell: PlannedCell) -> RecordedRun | None:
    """Return the cell's run; None if it has not begun or cannot be read."""
    if not sweep.is_begun(cell):
        return None
    try:
        return recorded.load(sweep.run(cell))
    except RunError:
        return None


def epochs_done(sweep: SweepDirectory, cell: PlannedCell) -> int | None:
    """Return how many epochs of a cell are recorded, by the end of its history; None if it has not begun."""
    return history.last_epoch(RunDirectory(sweep.run(cell)).history_path) if sweep.is_begun(cell) else None


def loaded_all(sweep: SweepDirectory, cells: Iterable[PlannedCell]) -> dict[str, RecordedRun]:
    """Return {directory: run} of the cells that have begun and can be read."""
    runs = ((cell.directory, loaded(sweep, cell)) for cell in cells)
    return {directory: run for directory, run in runs if run is not None}


def failures(sweep: SweepDirectory) -> dict[str, str]:
    """Return {failed cell: why}, without cells that have ended since."""
    found = {name: why for event in read_events(sweep) for name, why in event.get("failed", {}).items()}
    return {
        cell.directory: found[cell.directory]
        for cell in read_plan(sweep)
        if cell.directory in found and not has_ended(sweep, cell)
    }


def has_ended(sweep: SweepDirectory, cell: PlannedCell) -> bool:
    """Return whether a cell needs no further training."""
    run = loaded(sweep, cell)
    return run is not None and run.status in ("finished", "diverged")


def held_out(run: RecordedRun) -> str:
    """Return what identifies the run's validation and test data.

    The runs of a pair that was tuned on each of several splits have different splits; the dataset identifies their
    data.
    """
    if (found := splits(run)).own:
        dataset = {key: value for key, value in run.config["dataset"].items() if key != "corrupt"}
        return str([dataset, found.total])
    digests = run.environment.get("data") or {}
    return str([digests.get(part) for part in ("validation", "test")])
