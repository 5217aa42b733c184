"""The main path: everything that happens in training, in the order in which it happens.

`train` is a generator of events. It persists, then yields: a row on screen is a row on disk. No function that it calls
changes what it decides by behind its back: health examines and the loop acts on the findings, and the loop publishes
the state before it saves it.

Read next: `session.py`, what a run in progress consists of; `steps/step.py`, one update of every seed;
`health/examine.py`, what can be wrong; `state.py`, what a checkpoint holds; `finish.py`, the end of a run;
`endings.py`, how a run ends early. `start.py` and `resume.py` lead here.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Final, TypeAlias

import torch

from lossrun.errors import LostProcessError, ran_out_of_memory
from lossrun.health.examine import examine
from lossrun.health.finding import Finding
from lossrun.health.output_checks import OutputChecks
from lossrun.records import checkpoints, ledger
from lossrun.training.criteria import thaw
from lossrun.training.endings import diverged, lost_process, out_of_memory, stopped
from lossrun.training.events import EpochRecord, RunFinished, StepProgress
from lossrun.training.finish import finish
from lossrun.training.isolation import step_by_step
from lossrun.training.observing import KnownFloors, seed_epoch
from lossrun.training.session import Session
from lossrun.training.state import capture, keep_best
from lossrun.training.stopping import Request
from lossrun.training.stopwatch import Stopwatch

PROGRESS_INTERVAL: Final = 0.1  # seconds; more often would cost time and show nothing more to the eye

Asked = Callable[[], Request | None]
Event: TypeAlias = StepProgress | EpochRecord | RunFinished
Loop: TypeAlias = Callable[[Session, Asked], Iterator[Event]]


def telling_where_to_go_on(function: Loop) -> Loop:
    """Let an error for lack of memory, or of another process, name the newest checkpoint, from which to go on."""

    @wraps(function)
    def wrapped(session: Session, asked: Asked) -> Iterator[Event]:
        events = function(session, asked)
        while True:
            try:
                event = next(events)
            except StopIteration:
                return
            except LostProcessError as error:
                raise lost_process(error, session) from error
            # Python, torch and the system each have an error of their own for lack of memory.
            except (MemoryError, RuntimeError, OSError) as error:
                if not ran_out_of_memory(error):
                    raise
                raise out_of_memory(session) from error
            yield event

    return wrapped


@telling_where_to_go_on
@step_by_step(lambda session: session.stream)
def train(session: Session, asked: Asked) -> Iterator[Event]:
    """Train from where the session stands to the end of the run.

    Args:
        session: The run; it is changed as training goes on.
        asked: Called before every step: says whether a checkpoint or a stop was asked for from outside.

    Yields:
        `StepProgress` at most ten times a second, an `EpochRecord` for each finished epoch, and at last `RunFinished`.

    Raises:
        StoppedError: A stop was asked for; the state is saved.
        DivergedError: A seed has diverged, and the config does not say to go on with the others.
    """
    config, position, sums = session.config, session.position, session.sums
    floors = KnownFloors(config, session.reading)
    shown = time.perf_counter()
    while session.training:
        session.stopwatch.start()
        steps_per_epoch = session.steps_per_epoch
        session.begin_epoch()

        for start, stop in session.remaining_batches():
            _heed(asked(), session)
            rates = session.rates(position.step)
            losses = session.step(start, stop, rates)
            sums.add(losses, stop - start)
            position.step += 1

            if session.step_in_epoch == 1:
                sums.first_gradient_norm.copy_(session.step.gradient_norm())
            if position.step == position.epoch * steps_per_epoch:
                sums.gradient_norm.copy_(session.step.gradient_norm())
                sums.rates.copy_(torch.tensor(rates, dtype=torch.float64))
            elif config.checkpoint.every_steps and position.step % config.checkpoint.every_steps == 0:
                _save(session)
            if (now := time.perf_counter()) - shown >= PROGRESS_INTERVAL:
                shown = now
                yield StepProgress(position.epoch, session.step_in_epoch, steps_per_epoch)

        _heed(asked(), session)
        # Reading the sums waits for the device: only now is the training part of the epoch over.
        train_losses, gradient_norms = sums.mean().tolist(), sums.gradient_norm.tolist()
        session.stopwatch.training_done()
        validation = session.validate()
        spent, session.stopwatch = session.stopwatch, Stopwatch()
        seconds = spent.seconds
        session.seconds += seconds

        active = [(place, replica) for place, replica in enumerate(session.replicas) if not replica.frozen]
        rows: list[dict[str, Any]] = [
            {
                "epoch": position.epoch,
                "step": position.step,
                "seed": replica.seed,
                "train_loss": train_losses[place],
                **validation.get(replica.seed, {}),
                "learning_rate": float(sums.rates[place]),
                "grad_norm": gradient_norms[place],
                "seconds": seconds,
                "train_seconds": spent.trained,
            }
            for place, replica in active
        ]

        findings: list[Finding] = []
        best_seeds: list[int] = []
        for (_, replica), row in zip(active, rows, strict=True):
            seen = seed_epoch(session, floors, replica, row)
            replica.health, finding = examine(seen, replica.health, OutputChecks(replica, session.reading))
            if finding:
                findings.append(finding)
                if finding.diverged:
                    replica.diverged_epoch = position.epoch
                    continue
            if session.plateau and replica.plateau:
                replica.plateau = session.plateau.after(replica.plateau, row[config.schedule["metric"]])
            if replica.stopping and config.early_stopping:
                better = replica.stopping.update(row[replica.stopping.metric], position.epoch, position.step)
                if not better and replica.stopping.bad_epochs >= config.early_stopping.patience:
                    replica.stopped_epoch = position.epoch
            if replica.best.update(row[replica.best.metric], position.epoch, position.step):
                keep_best(replica)
                best_seeds.append(replica.seed)

        session.history.append(rows)
        _record(findings, session)
        ended = [finding for finding in findings if finding.diverged]
        if ended and _ends_by_divergence(session):
            raise diverged(ended, session)
        position.epoch += 1
        sums.reset()
        thaw(session.replicas)
        # A state that may be beyond saving must not replace a good one.
        if not session.training or not any(replica.health.suspicious for _, replica in active):
            session.good_step = position.step
            if _checkpoint_due(session):
                _save(session)
        yield EpochRecord(position.epoch - 1, rows, frozenset(best_seeds), findings, floors.take_notes())

    yield finish(session, lambda: _heed(asked(), session))


def _heed(request: Request | None, session: Session) -> None:
    """Do what was asked for from outside between two steps: save, and perhaps stop."""
    if request is None:
        return
    _save(session)
    if request.error is None:
        return
    epoch, step = min(session.position.epoch, session.config.epochs), session.position.step
    ledger.append(session.run.ledger_path, "stopped", reason=request.reason, epoch=epoch, step=step)
    raise stopped(request.error, request.reason, session)


def _save(session: Session) -> None:
    """Write a checkpoint of the present state."""
    run, keep = session.run, session.config.checkpoint.keep
    # Reading the state waits for the device, which is the epoch's own time; writing it is not.
    session.step.publish()
    state = capture(session)
    with session.stopwatch.paused():
        checkpoints.save(run.checkpoints, session.position.step, state, keep, also_keep=session.good_step)


def _record(findings: Sequence[Finding], session: Session) -> None:
    """Write findings into the ledger.

    Each is written once, also if its epoch is trained again after a crash, unless the learning rate is another one now.
    """
    if not findings:
        return
    path = session.run.ledger_path
    names = ("diagnosis", "seed", "epoch", "learning_rate")
    known = [tuple(map(event.get, names)) for event in ledger.read(path)]
    for finding in findings:
        if tuple(map(finding.facts().get, names)) not in known:
            event = "diverged" if finding.diverged else "diagnosed"
            ledger.append(path, event, **finding.facts(), history=session.history.mark.facts())


def _ends_by_divergence(session: Session) -> bool:
    """Whether the run ends now that a seed has diverged."""
    if session.config.on_divergence == "stop":
        return True
    return all(replica.diverged_epoch is not None for replica in session.replicas)


def _checkpoint_due(session: Session) -> bool:
    """Whether to save after an epoch: as often as the config says, and always at the end.

    The position is already that of the next epoch.
    """
    wanted, position = session.config.checkpoint, session.position
    if not session.training:
        return True
    if wanted.every_steps:
        return position.step % wanted.every_steps == 0
    return wanted.every_epochs is not None and (position.epoch - 1) % wanted.every_epochs == 0
