"""Read the cells of a sweep: the runs that have begun, those that have ended, and those that failed."""

from lossrun.errors import RunError
from lossrun.records import recorded
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_events, read_plan


def loaded(sweep: SweepDirectory, cell: PlannedCell) -> RecordedRun | None:
    """Return the cell's run; None if it has not begun or cannot be read."""
    if not sweep.is_begun(cell):
        return None
    try:
        return recorded.load(sweep.run(cell))
    except RunError:
        return None


def failures(sweep: SweepDirectory) -> dict[str, str]:
    """{cell that failed by itself: why}, of those that have not ended since."""
    found = {name: why for event in read_events(sweep) for name, why in event.get("failed", {}).items()}
    return {
        cell.directory: found[cell.directory]
        for cell in read_plan(sweep)
        if cell.directory in found and not has_ended(sweep, cell)
    }


def has_ended(sweep: SweepDirectory, cell: PlannedCell) -> bool:
    """Return whether there is nothing left to train of a cell."""
    run = loaded(sweep, cell)
    return run is not None and run.status in ("finished", "diverged")
