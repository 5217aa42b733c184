"""Estimate the time and disk space that a sweep takes, from the first epoch of its first cell."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from lossrun.analysis.rate_search import readable
from lossrun.config.read import from_mapping
from lossrun.experiment import load_experiment
from lossrun.lint.size import size_of
from lossrun.records.sweep_directory import Cost
from lossrun.sweeping.plan import Planned
from lossrun.sweeping.pool import MOST_JOBS, cores

STARTING: Final = 2.0  # seconds until the first worker trains
A_CELL: Final = 0.1  # seconds for the files of a cell
FILES: Final = 70_000  # bytes of a cell without its checkpoints, on a disk with blocks of 4 kB
KEPT: Final = 2  # checkpoints of a finished cell: best and last


def estimated(planned: Planned, config_dir: Path, data_dir: Path, jobs: int | None) -> Cost:
    """Train the first cell for a moment, and return an estimate for the whole sweep."""
    import torch

    from lossrun.training.starting.short import epoch_seconds

    workers = min(jobs or cores(), MOST_JOBS)
    reading = from_mapping(planned.cells[0].config, config_dir, name="config")
    config = reading.config.on_one_split(reading.config.seeds[:1])
    experiment = load_experiment(replace(reading, config=config), data_dir)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in a worker
    try:
        epoch = epoch_seconds(experiment)
    finally:
        torch.set_num_threads(threads)
    finals = len({str(cell.pair) for cell in planned.cells}) if planned.tunes else 0
    cells = round(planned.growth * len(planned.cells)) + finals
    first = sum(len(cell.config["seeds"]) for cell in planned.cells)
    trainings = round(planned.growth * first) + finals * len(planned.facts["seeds"])
    seconds = STARTING + (cells * A_CELL + planned.epochs * epoch) / min(workers, cells)
    size = cells * FILES + trainings * KEPT * size_of(experiment.config, experiment.facts).checkpoint
    return Cost(readable(seconds, 2), int(readable(size, 2)), workers)
