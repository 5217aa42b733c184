"""Show a run in progress on a terminal. This module connects training with the reports."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from lossrun.analysis.values.constant_answers import constant_remark
from lossrun.catalog.declaration import Layer
from lossrun.catalog.schedules import moves
from lossrun.config.config import Best
from lossrun.experiment import Experiment
from lossrun.files import is_there
from lossrun.interrupts import leave_behind
from lossrun.output import write_data
from lossrun.records import history, ledger, recorded
from lossrun.records.status import note_on_missing_locks
from lossrun.report import training as report
from lossrun.report.facts import facts
from lossrun.report.facts import layers as summary_rows
from lossrun.report.layout.console import abandon_unwritable, note, stderr, stdout, warning
from lossrun.report.reference.names_in_brackets import where_to_read
from lossrun.shell import run_command
from lossrun.training.endings import interrupted
from lossrun.training.events import EpochRecord, RunFinished, StepProgress
from lossrun.training.loop import train
from lossrun.training.process.isolation import isolated
from lossrun.training.process.stopping import listening
from lossrun.training.session import Session

# A run is still improving if each of this many last epochs was better than the one before.
STEADY: Final = 3


def train_on_screen(
    session: Session,
    experiment: Experiment,
    *,
    quiet: bool,
    layers: Sequence[Layer],
    tensorboard: Path | None,
) -> None:
    """Train to the end, showing what will be done, a row for each epoch, a progress bar, and the result.

    Args:
        quiet: Whether to print only the run directory, at the end.
        layers: The layers of the user's own model.
        tensorboard: A folder for event files of the epochs, in a folder named like the run.
    """
    config, run, err, out = experiment.config, session.run.path, stderr(), stdout()
    screen_is_there = not quiet

    def shown(draw: Callable[[], None]) -> None:
        """Draw while there is something to draw on: a closed pipe or a full disk must not end the run."""
        nonlocal screen_is_there
        if screen_is_there:
            try:
                draw()
            except OSError:
                screen_is_there = False
                abandon_unwritable()

    warned: list[str] = []
    table = report.EpochTable(
        out,
        task=experiment.facts.task,
        epochs=config.epochs,
        seeds=len(config.seeds),
        constant_rate=not (moves(config.schedule.name) or config.schedule["warmup_epochs"]),
    )
    recent: deque[EpochRecord] = deque(maxlen=STEADY + 1)
    # If rows and bar go to the same terminal, they share a console, or they would overwrite each other.
    screen = out if out.is_terminal else err
    with listening(_say_what_comes) as asked, _saying_how_to_go_on(session):
        shown(lambda: _beginning(session, experiment, layers))
        with (
            report.progress_bar(screen, config.epochs, hidden=quiet) as show_progress,
            _event_files(session, tensorboard) as write_events,
            # For the whole training, because nothing else uses torch here between two steps.
            isolated(session.stream),
        ):
            for event in train(session, asked):
                if isinstance(event, EpochRecord):
                    recent.append(event)
                    write_events(event.rows)
                    shown(partial(table.add, event.epoch, event.rows, event.best_seeds))
                    for text in event.sentences(len(config.seeds)):
                        shown(partial(warning, screen, text))
                        warned.append(text)
                    for text in event.notes:
                        shown(partial(note, screen, text))
                elif isinstance(event, StepProgress):
                    shown(partial(show_progress, event.epoch, event.step_in_epoch, event.steps_per_epoch))
                else:
                    finished = event
                    leave_behind(f"{run.name} is finished")
    if more := where_to_read(warned):
        shown(partial(note, screen, more))
    if quiet:
        write_data(f"{run}\n")
    shown(lambda: _ending(session, finished, still_better=still_better(session.config.best, recent)))


@contextmanager
def _saying_how_to_go_on(session: Session) -> Iterator[None]:
    """Raise StoppedError for a second Ctrl-C, which interrupts anything in the block."""
    try:
        yield
    except KeyboardInterrupt:
        raise interrupted(session) from None


def _say_what_comes() -> None:
    """Say at the first Ctrl-C that training stops after this step, which may take a while.

    It is written at once, because a signal may arrive while something else is being printed.
    """
    with suppress(OSError):
        os.write(2, b"\nstopping after this step, to save the state; Ctrl-C again stops without saving\n")


@contextmanager
def _event_files(session: Session, folder: Path | None) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """Return a function that writes an epoch's rows for TensorBoard. A full disk must not end the run."""
    if folder is None:
        yield lambda rows: None
        return
    from lossrun.inference.tensorboard import EventFiles, add_history

    open_ = True

    def guarded(write: Callable[[], None]) -> None:
        nonlocal open_
        if open_:
            try:
                write()
            except OSError as problem:
                open_ = False
                warning(stderr(), f"--tensorboard: cannot write {folder}: {problem.strerror or problem}")

    # A resumed run may have been trained without event files, and its history may have been cut. So the curves are
    # written again from the history, without gaps and without epochs that are trained again.
    run = session.run
    so_far = history.read(run.history_path).rows if is_there(run.history_path) else ()
    with EventFiles(folder / run.name, session.config.seeds) as files:
        guarded(lambda: add_history(files, so_far, ledger.read(run.ledger_path)))
        yield lambda rows: guarded(lambda: files.add(rows))


def _beginning(session: Session, experiment: Experiment, own_layers: Sequence[Layer]) -> None:
    """Show what will be done, with notes and warnings."""
    config, err = experiment.config, stderr()
    machine = {"device": session.where, "run": str(session.run.path)}
    known = facts(
        config, experiment.facts, (*experiment.done, *experiment.notes), own_layers, experiment.reading.source.written
    )
    report.banner(err, {**known, **machine}, summary_rows(config, experiment.facts, own_layers))
    for text in filter(None, (*experiment.remarks, note_on_missing_locks(session.run.path))):
        note(err, text)
    for text in experiment.warnings:
        warning(err, text)
    if more := where_to_read(experiment.warnings):
        note(err, more)


def still_better(best: Best, recent: Sequence[EpochRecord]) -> bool:
    """Return whether every seed's validation metric improved in each of the last epochs, without a diagnosis.

    (The training loss nearly always improves.)
    """
    if len(recent) < 2 or not best.metric.startswith("val_"):
        return False
    if any(not finding.diagnosis.harmless for event in recent for finding in event.findings):
        return False
    sign = 1 if best.mode == "min" else -1
    values = [{row["seed"]: sign * row[best.metric] for row in event.rows} for event in recent]
    seeds = values[-1].keys()
    return all(seed in one and two[seed] < one[seed] for one, two in pairwise(values) for seed in seeds)


def _ending(session: Session, finished: RunFinished, *, still_better: bool) -> None:
    """Show the result and the next commands."""
    config, run = session.config, session.run.path
    remark = constant_remark(recorded.load(run))
    # If a seed reached the last epoch, early stopping did not end the run.
    stopped = finished.epoch < config.epochs
    further = "early_stopping=null" if stopped else f"epochs={2 * config.epochs}"
    best = {"metric": config.best.metric, "mode": config.best.mode}
    commands = [run_command("show", run), run_command("resume", run, set_=[further])]
    report.ending(stderr(), asdict(finished), best, commands, still_better=still_better, remark=remark)
