"""Train many runs from Python, and search for a learning rate."""

from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from lossrun.api.checking import checked
from lossrun.api.given import (
    Alternatives,
    ConfigLike,
    Jobs,
    Overrides,
    SweepLike,
    config_of,
    data_folder,
    draft_of,
    expanded,
    jobs_of,
    optional,
    options_of,
    words_of,
)
from lossrun.api.results import FoundRate, Sweep, with_methods
from lossrun.records.sweep_directory import SweepDirectory

if TYPE_CHECKING:
    from lossrun.sweeping.cluster.connection import Cluster


@checked
def sweep(
    config: ConfigLike,
    *,
    over: Alternatives = (),
    overrides: Overrides = (),
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
    jobs: Jobs = None,
    ray: str | None = None,
    cpus: float = 1,
    gpus: float = 0,
) -> Sweep:
    """Train every combination of the config's sweep block, or of `over`, and return what was found.

    Args:
        config: A config file, the name of a packaged config, or a mapping.
        over: Alternatives as for `--over`: `"loss=mse,mae"`, `"learning_rate=log:1e-4:1:7"`; or as in a sweep block:
            `{"loss": ["mse", "mae"]}`.
        overrides: Changes of the base config, as in `train`.
        runs_dir: The folder that the sweep's directory is made in.
        data_dir: The folder of the datasets.
        jobs: Worker processes of one thread each; None or "auto" for one per core.
        ray: The address of a Ray cluster to train on, or `"auto"`; `runs_dir` is best a folder that all nodes share.
        cpus: CPUs, and so threads, for each task of Ray.
        gpus: GPUs for each task of Ray.

    Returns:
        The sweep: how each pair was tuned, and the final runs compared.

    Raises:
        LossrunError: One of its kinds, as in `train`. A cell that fails or diverges does not raise.
    """
    from lossrun.records.sweep_directory import create
    from lossrun.sweeping.course import run_sweep
    from lossrun.sweeping.plan import plan_sweep
    from lossrun.sweeping.pool import prepare_workers
    from lossrun.sweeping.reading import read_sweep

    processes = jobs_of(jobs)
    draft = draft_of(config, overrides)
    begin = prepare_workers if ray is None else lambda: None
    planned = plan_sweep(
        read_sweep(draft, options_of(over)),
        expanded(runs_dir),
        data_folder(data_dir),
        meanwhile=begin,
        elsewhere=ray is not None,
    )
    with _workers(ray, cpus, gpus) as cluster:
        made = create(expanded(runs_dir), planned.name, planned.config, planned.cells, planned.facts)
        run_sweep(made, data_dir=data_folder(data_dir), jobs=processes, cluster=cluster)
    return load_sweep(made.path)


@checked
def resume_sweep(
    sweep: SweepLike,
    *,
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
    jobs: Jobs = None,
    ray: str | None = None,
    cpus: float = 1,
    gpus: float = 0,
) -> Sweep:
    """Run the cells of a sweep that are not finished, from their last saved states, and return what was found.

    Args:
        sweep: A sweep, its directory, its name in `runs_dir` or the beginning of it, or "last".
        runs_dir: The folder of the runs, for a name.
        data_dir: The folder of the datasets; by default the one that the sweep was started with.
        jobs, ray, cpus, gpus: As in `sweep`.

    Raises:
        LossrunError: One of its kinds; LockedError if another process runs the sweep.
    """
    from lossrun.sweeping.course import run_sweep
    from lossrun.sweeping.pool import prepare_workers

    processes, path = jobs_of(jobs), _path_of(sweep, runs_dir)
    if ray is None:
        prepare_workers()
    with _workers(ray, cpus, gpus) as cluster:
        run_sweep(SweepDirectory(path), data_dir=optional(data_dir), jobs=processes, cluster=cluster)
    return load_sweep(path)


@contextmanager
def _workers(ray: str | None, cpus: float, gpus: float) -> "Iterator[Cluster | None]":
    """Connect to a Ray cluster for the block; yield None for processes of this machine."""
    if ray is None:
        yield None
        return
    from lossrun.sweeping.cluster.connection import connect

    cluster = connect(ray, cpus, gpus)
    try:
        yield cluster
    finally:
        cluster.leave()


def _path_of(sweep: SweepLike, runs_dir: str | PathLike[str]) -> Path:
    from lossrun.records.finding.sweeps import find_sweep

    return sweep.path if isinstance(sweep, Sweep) else find_sweep(words_of(sweep), expanded(runs_dir))


@checked
def find_lr(
    config: ConfigLike,
    *,
    overrides: Overrides = (),
    steps: int | None = None,
    data_dir: str | PathLike[str] | None = None,
    jobs: Jobs = None,
) -> FoundRate:
    """Suggest a learning rate, from short trainings at many rates. Nothing is written.

    Args:
        config: A config file, the name of a packaged config, or a mapping.
        overrides: Changes of the config, as in `train`.
        steps: How long the longest trainings are; None for the whole run, at most 2000 steps.
        data_dir: The folder of the datasets.
        jobs: Worker processes of one thread each; None or "auto" for one per core.

    Returns:
        What was found: `suggestion`, the range of rates that are `working`, and every score in `rounds`.

    Raises:
        LossrunError: One of its kinds; DivergedError if every rate diverged.
    """
    from lossrun.sweeping.rate_finder import find_rate

    processes = jobs_of(jobs)
    return with_methods(
        FoundRate, find_rate(config_of(config, overrides), data_folder(data_dir), steps=steps, jobs=processes)
    )


@checked
def load_sweep(path: SweepLike, *, runs_dir: str | PathLike[str] = "runs") -> Sweep:
    """Return what a sweep has found so far.

    Args:
        path: A sweep, its directory, its name in `runs_dir` or the beginning of it, or "last".

    Raises:
        RunError: If there is no such sweep, or its files are damaged.
    """
    from lossrun.analysis.sweeps.result import result_of

    found = _path_of(path, runs_dir)
    return with_methods(Sweep, result_of(SweepDirectory(found)), path=found)
