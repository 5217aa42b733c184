"""Train and resume from Python."""

import sys
import warnings
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from lossrun.api.checking import checked
from lossrun.api.given import (
    ConfigLike,
    Overrides,
    RunLike,
    changes_of,
    config_of,
    data_folder,
    expanded,
    optional,
    path_of,
)
from lossrun.api.results import Run
from lossrun.api.runs import load
from lossrun.config import SourcedConfig
from lossrun.data import default_data_dir
from lossrun.experiment import Experiment, load_experiment
from lossrun.processes.taking_part import require_one_process
from lossrun.shell import command

if TYPE_CHECKING:
    from lossrun.training.session import Session


@checked
def train(
    config: ConfigLike,
    *,
    overrides: Overrides = (),
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> Run:
    """Train a config and return the finished run, as `load` reads it.

    Notes and warnings of the command line, about the config, its data and the epochs, are UserWarnings.

    Args:
        config: A config file, the name of a packaged config, or a mapping.
        overrides: `KEY=VALUE` as for `--set`, or a mapping from keys to values.
        runs_dir: The folder that the run's directory is made in.
        data_dir: The folder of the datasets.

    Raises:
        ConfigError: If the config has mistakes; all of them at once.
        DataError: If the data are missing or do not fit.
        DivergedError: If training diverged.
        LossrunError: For any other expected error. Ctrl-C raises KeyboardInterrupt; the last checkpoint stays.
    """
    require_one_process(
        "lossrun.train trains in one process", f"`torchrun -m {command('train', 'CONFIG')}` trains in several"
    )
    reading = config_of(config, overrides)
    with _apart(reading):
        experiment = load_experiment(reading, data_folder(data_dir))

    # torch takes a second to import, so mistakes in the config are reported first.
    from lossrun.training.starting.prepare import prepare
    from lossrun.training.starting.start import begin

    prepared = prepare(experiment)
    for text in _told(experiment):
        warnings.warn(text, stacklevel=3)
    with begin(prepared, expanded(runs_dir)) as session:
        _run(session)
    return load(session.run.path)


@checked
def resume(
    run: RunLike,
    *,
    overrides: Overrides = (),
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> Run:
    """Continue a run from its newest checkpoint that can be trusted.

    A finished run without changes is returned unchanged. Notes and warnings of the command line, such as a skipped
    checkpoint or a jump of the learning rate, are UserWarnings.

    Args:
        run: A run, as for `load`.
        overrides: Changes of the config, as in `train`.
        data_dir: The folder of the datasets; by default the one that the run last used.

    Raises:
        LossrunError: One of its kinds, as in `train`; CheckpointError if no checkpoint can be trusted.
    """
    require_one_process(
        "lossrun.resume trains in one process", f"`torchrun -m {command('resume', 'RUN')}` trains in several"
    )
    from lossrun.training.starting.prepare import prepare
    from lossrun.training.starting.resumable import resuming
    from lossrun.training.starting.resume import resume_at

    def skipped(_path: Path, reason: str) -> None:
        warnings.warn(f"checkpoint skipped: {reason}", stacklevel=3)

    def note(text: str) -> None:
        warnings.warn(text, stacklevel=3)

    where = optional(data_dir)
    with resuming(path_of(run, runs_dir), changes_of(overrides), where) as resumable:
        if not resumable.finished or resumable.changes:
            default = resumable.data_dir(default_data_dir())
            with _apart(resumable.reading):
                experiment = load_experiment(resumable.reading, where or default)
            prepared = prepare(experiment, resumable)
            for text in (*resumable.notes, *_told(experiment)):
                warnings.warn(text, stacklevel=3)
            with resume_at(prepared, resumable, skipped, note) as session:
                _run(session)
    return load(resumable.run.path)


def _run(session: "Session") -> None:
    """Train to the end. Notes of the screen become UserWarnings."""
    from lossrun.training.events import EpochRecord
    from lossrun.training.loop import train as run_loop

    for event in run_loop(session, lambda: None):
        if isinstance(event, EpochRecord):
            for text in (*event.sentences(len(session.config.seeds)), *event.notes):
                warnings.warn(text, stacklevel=4)


def _told(experiment: Experiment) -> tuple[str, ...]:
    """Return what the screen shows about the config and its data before the first epoch.

    The user's own modules are read for it, so `prepare` has to load them first.
    """
    return (*experiment.remarks, *experiment.notes, *experiment.warnings)


def _apart(reading: SourcedConfig) -> AbstractContextManager[object]:
    """Return a context in which to read data, so that it cannot disturb torch's random numbers.

    The user's own dataset may draw from torch's generator, or seed it. If nothing has imported torch, there is
    nothing to disturb.
    """
    if "torch" not in sys.modules and not reading.config.dataset.is_plugin:
        return nullcontext()
    from lossrun.training.process.isolation import isolated

    return isolated()
