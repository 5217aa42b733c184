"""Train one stack of cells to its end, or resume it, in a worker process.

torch is imported inside the functions, because the process that distributes the cells refers to them without torch.
"""

import gc
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Mapping, Sequence
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypeVar

from lossrun import interrupts
from lossrun.errors import DataError, DivergedError, LockedError, LossrunError, OutOfMemoryError, RunError, StoppedError
from lossrun.records import ledger
from lossrun.records.run_directory import RunDirectory, is_run
from lossrun.records.sweep_directory import PlannedCell, holding_stack, remove_stack

if TYPE_CHECKING:
    from lossrun.experiment import Experiment
    from lossrun.training.session import Session

# "failed": the cell itself failed, and would fail again. "blocked": the data could not be read or writing failed, so
# the result is unknown. "apart": its stack failed, and which of the cells is the cause is unknown.
Ending: TypeAlias = Literal["finished", "diverged", "stopped", "failed", "blocked", "apart"]
# What signals do in a worker that is not training.
_HANDLERS: Final[dict[str, signal.Handlers | Callable[[int, FrameType | None], None]]] = {
    "SIGINT": signal.SIG_IGN,
    "SIGHUP": signal.SIG_IGN,
    "SIGTERM": signal.SIG_DFL,
    "SIGUSR1": interrupts.go_on,
}
T = TypeVar("T")
Training: TypeAlias = Generator[None, None, T]
LOCK_CHECKED_EVERY: Final = 0.2  # seconds
# Imported once, by the process that workers are forked from.
PRELOADED: Final = [
    "lossrun.experiment",
    "lossrun.training.loop",
    "lossrun.training.starting.resume",
    "lossrun.training.starting.stacks",
]


class Ended(NamedTuple):
    """How a cell ended, and why it failed.

    Attributes:
        notes: What else there is to say, one sentence each, such as a damaged checkpoint that was skipped.
    """

    ending: Ending
    problem: str = ""
    notes: tuple[str, ...] = ()


def begin_worker() -> None:
    """Prepare a worker, once. Small models train fastest on one thread, and the workers share the cores.

    Ctrl-C reaches every process of a terminal, and the process that distributes the cells decides what it means. That
    process stops its workers by SIGTERM, which they obey even if they inherited a setting that ignores it.
    """
    import torch

    gc.freeze()  # the garbage collector would visit all objects of torch in each worker, and so copy their memory
    for name, handler in _HANDLERS.items():
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)
    if hasattr(signal, "pthread_sigmask"):
        # Blocked by `pool.py` until here.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {getattr(signal, name) for name in _HANDLERS})
    torch.set_num_threads(1)
    sys.stdout = sys.stderr  # where only the process that distributes the cells writes data
    if (parent := parent_process()) is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """Save the state and stop once the process that distributes the cells has ended."""
    parent.join()
    _orphaned.set()
    os.kill(os.getpid(), signal.SIGTERM)


# Set once the process that distributes the cells has ended: otherwise a worker would wait forever for the next cell.
_orphaned: Final = threading.Event()


def train_stack(sweep: Path, cells: Sequence[PlannedCell], config_dir: Path, data_dir: Path) -> dict[str, Ended]:
    """Train the cells of one stack, from their newest saved state; return how each ended, by its directory.

    It may be called again, however a worker ended, even while the old worker is saving its state.
    """
    training = stack_training(sweep, cells, config_dir, data_dir)
    try:
        with interrupts.ended_by("SIGTERM"):
            while True:
                try:
                    next(training)
                except StopIteration as over:
                    endings: dict[str, Ended] = over.value
                    return endings
    except interrupts.EndedError:  # before training began, or after it
        return {cell.directory: read_ending(sweep / cell.directory) or Ended("stopped") for cell in cells}


def stack_training(
    sweep: Path, cells: Sequence[PlannedCell], config_dir: Path, data_dir: Path
) -> Training[dict[str, Ended]]:
    """Do what `train_stack` does, and pause at every event of the loop, with everything saved that is due."""
    try:
        while True:
            try:
                if cells[0].stack:
                    return (yield from _trained_together(sweep, cells, config_dir, data_dir))
                endings: dict[str, Ended] = {}
                for cell in cells:
                    endings[cell.directory] = yield from _trained_alone(sweep, cell, config_dir, data_dir)
                return endings
            except LockedError:
                # A worker of a killed sweep is still saving its state.
                time.sleep(LOCK_CHECKED_EVERY)
    finally:
        if _orphaned.is_set():
            os._exit(0)


def read_ending(run: Path) -> Ended | None:
    """Return how a cell has ended, by its ledger; None if it has not."""
    if not is_run(run):
        return None
    events = [event["event"] for event in ledger.read(RunDirectory(run).ledger_path)]
    if "finished" in events:
        return Ended("finished")
    return Ended("diverged") if events[-1:] == ["diverged"] else None


def _trained_together(
    sweep: Path, cells: Sequence[PlannedCell], config_dir: Path, data_dir: Path
) -> Training[dict[str, Ended]]:
    """Raise LockedError where another process trains the stack or one of its cells."""
    from lossrun.training.starting.stacks import is_begun

    with holding_stack(sweep, cells[0].stack):
        gone = [cell.directory for cell in cells if not is_run(sweep / cell.directory)]
        if gone and is_begun(sweep, cells[0].stack):
            apart = Ended("apart", f"{gone[0]} was removed")
            return {cell.directory: read_ending(sweep / cell.directory) or apart for cell in cells}
        experiments, endings = _experiments(sweep, cells, config_dir, data_dir)
        notes: list[str] = []
        going_on = [name for name in experiments if read_ending(sweep / name) is None]
        try:
            yield from _train_stack(sweep, cells[0].stack, experiments, notes)
        except LockedError:
            raise
        except Exception as error:
            over = _ended_by(error)
            if over.ending == "failed" and len(experiments) > 1:
                over = Ended("apart", over.problem)
            endings |= {name: read_ending(sweep / name) or over for name in experiments}
        if going_on and going_on[0] not in endings and (ended := read_ending(sweep / going_on[0])):
            endings[going_on[0]] = ended._replace(notes=tuple(notes))
        for cell in cells:
            if cell.directory not in endings:
                # It did not end with its stack, because it was resumed alone.
                ended = read_ending(sweep / cell.directory)
                endings[cell.directory] = ended or (yield from _trained_alone(sweep, cell, config_dir, data_dir))
        if all(read_ending(sweep / name) for name in experiments):
            remove_stack(sweep, cells[0].stack)
    return endings


def _experiments(
    sweep: Path, cells: Sequence[PlannedCell], config_dir: Path, data_dir: Path
) -> tuple[dict[str, "Experiment"], dict[str, Ended]]:
    """Return the experiments of a stack by their directories, and how the cells without an experiment ended."""
    from lossrun.config.read import from_mapping
    from lossrun.experiment import load_experiment
    from lossrun.records.provenance.saved_state import check_as_planned

    found: dict[str, Experiment] = {}
    endings: dict[str, Ended] = {}
    for cell in cells:
        try:
            reading = from_mapping(cell.config, config_dir, name=cell.directory)
            check_as_planned(sweep / cell.directory, reading.config.to_mapping())
            # The data stay in the worker, because most cells of a sweep share them.
            found[cell.directory] = load_experiment(reading, data_dir, loaded=_loaded.get("last"))
            _loaded["last"] = found[cell.directory]
        except Exception as error:
            endings[cell.directory] = _ended_by(error)
    return found, endings


_loaded: Final[dict[str, "Experiment"]] = {}


def _train_stack(sweep: Path, name: str, experiments: Mapping[str, "Experiment"], notes: list[str]) -> Training[None]:
    """Train a stack, or resume it. An error that it raises ends all of its cells.

    `notes`: gets what there is to say.
    """
    from lossrun.records import recorded
    from lossrun.training.starting.prepare import prepare_stack
    from lossrun.training.starting.stacks import begin_stack, is_begun, left_stack, resume_stack

    directories = list(experiments)
    if is_begun(sweep, name):
        runs = [recorded.load(sweep / directory) for directory in directories]
        if all(map(left_stack, runs)):
            return
        prepared = prepare_stack(list(experiments.values()), runs[0].environment)
        with resume_stack(prepared, sweep, name, directories, _skipped_into(notes)) as session:
            yield from _train(session)
    elif all(read_ending(sweep / directory) is None for directory in directories):
        with begin_stack(prepare_stack(list(experiments.values())), sweep, name, directories) as session:
            yield from _train(session)


def _trained_alone(sweep: Path, cell: PlannedCell, config_dir: Path, data_dir: Path) -> Training[Ended]:
    """Raise LockedError where another process trains the cell."""
    from lossrun.config.read import from_mapping
    from lossrun.experiment import load_experiment
    from lossrun.training.starting.prepare import prepare
    from lossrun.training.starting.resumable import resuming
    from lossrun.training.starting.resume import resume_at
    from lossrun.training.starting.stacks import is_begun, remove_unfinished
    from lossrun.training.starting.start import begin

    run, notes = sweep / cell.directory, list[str]()
    try:
        if not (cell.stack and is_begun(sweep, cell.stack)):
            # Its stack was divided, or other cells of the stack have ended and this one was removed. Alone it starts
            # from the beginning, so that its result does not depend on when that happened.
            remove_unfinished(run)
        if is_run(run):
            with resuming(run, [], data_dir) as resumable:
                if resumable.finished:
                    return Ended("finished")
                prepared = prepare(load_experiment(resumable.reading, data_dir), resumable)
                with resume_at(prepared, resumable, _skipped_into(notes), lambda _text: None) as session:
                    yield from _train(session)
        else:
            reading = from_mapping(cell.config, config_dir, name=cell.directory)
            with begin(prepare(load_experiment(reading, data_dir)), sweep, cell.directory) as session:
                yield from _train(session)
    except LockedError:
        raise
    except Exception as error:
        return _ended_by(error)._replace(notes=tuple(notes))
    return Ended("finished", notes=tuple(notes))


def _skipped_into(notes: list[str]) -> Callable[[Path, str], None]:
    return lambda _path, reason: notes.append(f"checkpoint skipped: {reason}")


def _ended_by(error: Exception) -> Ended:
    """Return how a cell ended, by the error that ended it."""
    if isinstance(error, DivergedError):
        return Ended("diverged")
    if isinstance(error, StoppedError):
        return Ended("stopped")
    if isinstance(error, LossrunError):
        outside = isinstance(error, DataError | RunError) and not isinstance(error, OutOfMemoryError)
        return Ended("blocked" if outside else "failed", "\n".join(error.problems))
    # The user's own code may raise anything, and one bad cell must not end the others.
    return Ended("failed", "".join(traceback.format_exception(error)))


def _train(session: "Session") -> Training[None]:
    from lossrun.training.loop import train
    from lossrun.training.process.isolation import isolated
    from lossrun.training.process.stopping import listening

    # Nobody computes anything between two events, so torch's state need not be restored for each of them.
    with listening() as asked, isolated(session.stream):
        for _ in train(session, asked):
            yield
