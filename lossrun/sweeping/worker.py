"""What a worker process does: train one cell to its end, or go on with it.

torch is imported inside the functions: the process that hands out the cells names them, and needs no torch itself.
"""

import os
import signal
import threading
import time
import traceback
from collections.abc import Mapping
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from lossrun.errors import DataError, DivergedError, LockedError, LossrunError, OutOfMemoryError, RunError, StoppedError

if TYPE_CHECKING:
    from lossrun.training.session import Session

# "failed": by itself, and it would fail again. "blocked": the data or the disk were not to be had, so that nothing is
# known about the cell.
Ending: TypeAlias = Literal["finished", "diverged", "stopped", "failed", "blocked"]
LOCK_CHECKED_EVERY: Final = 0.2  # seconds
# Imported once, by the process that workers are forked from.
PRELOADED: Final = ["lossrun.experiment", "lossrun.training.loop", "lossrun.training.resume", "lossrun.training.start"]


class Ended(NamedTuple):
    """How a cell ended, and why it failed."""

    ending: Ending
    problem: str = ""


def begin_worker() -> None:
    """Called once per worker. Small models train fastest on one thread, and the workers share the cores.

    Ctrl-C reaches every process of a terminal; the one that hands out the cells decides what it means.
    """
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    if (parent := parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """Stop, with the state saved, once the process that hands out the cells is gone: nobody else would."""
    parent.join()
    _orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)


# Set once the process that hands out the cells is gone: a worker that waited for the next cell would wait for ever.
_orphaned: Final = threading.Event()


def train_cell(sweep: Path, directory: str, config: Mapping[str, Any], config_dir: Path, data_dir: Path) -> Ended:
    """Train the run `directory` of a sweep, from its newest checkpoint if it was begun."""
    try:
        while True:
            try:
                return _trained(sweep, directory, config, config_dir, data_dir)
            except LockedError:
                # A worker of a sweep that was killed is still saving its state.
                time.sleep(LOCK_CHECKED_EVERY)
    finally:
        if _orphaned.is_set():
            os._exit(0)


def _trained(sweep: Path, directory: str, config: Mapping[str, Any], config_dir: Path, data_dir: Path) -> Ended:
    """Raises LockedError where another process trains the cell."""
    from lossrun.config.read import from_mapping
    from lossrun.experiment import load_experiment
    from lossrun.records.run_directory import is_run
    from lossrun.training.resumable import resuming
    from lossrun.training.resume import resume_at
    from lossrun.training.start import begin, prepare

    try:
        if is_run(sweep / directory):
            with resuming(sweep / directory, [], data_dir) as resumable:
                if resumable.finished:
                    return Ended("finished")
                prepared = prepare(load_experiment(resumable.reading, data_dir), resumable)
                with resume_at(prepared, resumable, lambda _path, _reason: None, lambda _text: None) as session:
                    _train(session)
        else:
            reading = from_mapping(config, config_dir, name=directory)
            with begin(prepare(load_experiment(reading, data_dir)), sweep, directory) as session:
                _train(session)
    except DivergedError:
        return Ended("diverged")
    except StoppedError:
        return Ended("stopped")
    except LockedError:
        raise
    except LossrunError as error:
        outside = isinstance(error, DataError | RunError) and not isinstance(error, OutOfMemoryError)
        return Ended("blocked" if outside else "failed", "\n".join(error.problems))
    except Exception:
        # A user's own code may raise anything, and one bad cell does not end the others.
        return Ended("failed", traceback.format_exc())
    return Ended("finished")


def _train(session: "Session") -> None:
    from lossrun.training.loop import train
    from lossrun.training.stopping import listening

    with listening() as asked:
        for _ in train(session, asked):
            pass
