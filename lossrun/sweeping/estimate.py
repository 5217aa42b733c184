"""Estimate the time and disk space that a sweep takes, from the first epoch of its first stack."""

from pathlib import Path
from typing import Final

from lossrun.analysis.rate_search import readable
from lossrun.config.read import from_mapping
from lossrun.experiment import load_experiment
from lossrun.lint.size import size_of
from lossrun.records.sweep_directory import Cost
from lossrun.sweeping.plan import Planned
from lossrun.sweeping.pool import MOST_JOBS, cores
from lossrun.sweeping.stacks import by_stack

STARTING: Final = 2.0  # seconds until the first worker trains
A_CELL: Final = 0.1  # seconds for the files of a cell
FILES: Final = 45_000  # bytes of a cell without history and checkpoints, on a disk with blocks of 4 kB
A_ROW: Final = 430  # bytes of the history for each epoch and seed
KEPT: Final = 2  # checkpoints of a finished cell: best and last


def estimated(planned: Planned, config_dir: Path, data_dir: Path, jobs: int | None) -> Cost:
    """Train the first stack for a moment, and return an estimate for the whole sweep."""
    import torch

    from lossrun.training.starting.short import epoch_seconds

    stacks = list(by_stack(planned.cells).values())
    readings = [from_mapping(cell.config, config_dir, name="config") for cell in stacks[0]]
    experiment = load_experiment(readings[0], data_dir)
    others = [load_experiment(reading, data_dir, loaded=experiment) for reading in readings[1:]]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker
    try:
        epoch = epoch_seconds([experiment, *others]) / sum(len(cell.config["seeds"]) for cell in stacks[0])
    finally:
        torch.set_num_threads(threads)
    finals = len({str(cell.pair) for cell in planned.cells}) if planned.tunes else 0
    cells = round(planned.growth * len(planned.cells)) + finals
    first = sum(len(cell.config["seeds"]) for cell in planned.cells)
    trainings = round(planned.growth * first) + finals * len(planned.facts["seeds"])
    workers = min(jobs or cores(), MOST_JOBS)
    seconds = STARTING + (cells * A_CELL + planned.epochs * epoch) / min(workers, max(len(stacks), finals))
    checkpoint = size_of(experiment.config, experiment.facts).checkpoint
    size = cells * FILES + planned.epochs * A_ROW + trainings * KEPT * checkpoint
    return Cost(readable(seconds, 2), int(readable(size, 2)), workers)
