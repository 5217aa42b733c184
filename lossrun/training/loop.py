"""Train: everything that happens in training, in the order in which it happens.

`train` is a generator of events. It persists, then yields: a row on screen is a row on disk. No function that it calls
changes state behind its back: health examines and the loop acts on the findings; the loop publishes the state before it
saves it.

Read next: `session.py`, what a run in progress consists of; `steps/step.py`, one update of every seed;
`health/examine.py`, what can be wrong; `saving.py`, what is written when; `finish.py`, the end of a run;
`endings.py`, how a run ends early. `starting/start.py` and `starting/resume.py` lead here.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, wraps
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

import torch

from lossrun.errors import LossrunError, LostProcessError, ran_out_of_memory
from lossrun.health.examine import examine
from lossrun.health.finding import Finding
from lossrun.health.output_checks import OutputChecks, StackOutputs
from lossrun.plugins.calling import own_code_failure
from lossrun.records import ledger
from lossrun.steps.randomness import generator_state, set_generator_state
from lossrun.steps.remembered import Health
from lossrun.steps.replica import Replica
from lossrun.training.criteria import thaw
from lossrun.training.endings import diverged, lost_process, out_of_memory, own_code_failed, stopped
from lossrun.training.events import EpochRecord, RunFinished, StepProgress
from lossrun.training.finish import finish
from lossrun.training.good_states import keep_good_states, put_aside
from lossrun.training.observing import KnownFloors, MeasuredEpoch, ReadSums, read_sums, seed_epoch, stack_outputs
from lossrun.training.process.isolation import step_by_step
from lossrun.training.process.stopping import Request, StopNowError, interruptible
from lossrun.training.process.stopwatch import Stopwatch
from lossrun.training.saving import due_within_epoch, keep_rows, record, save, save_after_epoch
from lossrun.training.session import MemberRun, Session

PROGRESS_INTERVAL: Final = 0.1  # seconds; more events would cost time and not be visible

T = TypeVar("T")
Asked = Callable[[], Request | None]
Event: TypeAlias = StepProgress | EpochRecord | RunFinished
Loop: TypeAlias = Callable[[Session, Asked], Iterator[Event]]


def saying_how_to_resume(function: Loop) -> Loop:
    """Name the checkpoint to resume from when memory or another process is lost, or the user's code fails."""

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
            except LossrunError:
                raise
            # Python, torch and the operating system raise different errors when memory runs out. The user's code may
            # raise anything, even SystemExit.
            except (Exception, SystemExit) as error:
                if ran_out_of_memory(error):
                    raise out_of_memory(session) from error
                if failure := own_code_failure(error) or _unfit_outputs(error, session):
                    raise own_code_failed(failure, session) from error
                raise
            yield event

    return wrapped


@saying_how_to_resume
@step_by_step(lambda session: session.stream)
def train(session: Session, asked: Asked) -> Iterator[Event]:
    """Train from where the session stands to the end of the run.

    Args:
        session: The run, or the stack of runs; it is changed as training goes on.
        asked: Called before every step; returns a request from outside for a checkpoint or a stop, if there is one.

    Yields:
        `StepProgress` at most ten times a second, an `EpochRecord` for each finished epoch of each run, and finally a
        `RunFinished` for each run.

    Raises:
        StoppedError: A stop was asked for; the state is saved.
        DivergedError: A seed of a lone run has diverged, and the config does not say to continue with the others. In a
            stack, a run that diverges leaves the stack instead, and the others continue.
    """
    position, sums = session.position, session.sums
    floors = KnownFloors(session.config, session.output_spec)
    outputs = stack_outputs(session)
    shown = time.perf_counter()
    while session.training:
        session.stopwatch.start()
        steps_per_epoch = session.steps_per_epoch
        session.begin_epoch()
        keep_good_states(session)

        for batches in session.next_batches():
            _answer(asked(), session)
            rates = [session.rates(step) for step in range(position.step, position.step + len(batches))]
            losses = sums.add([stop - start for start, stop in batches])
            session.step.several(batches, rates, losses)
            position.step += len(batches)

            if session.step_in_epoch == 1:
                sums.first_gradient_norm.copy_(session.step.gradient_norm())
            if position.step == position.epoch * steps_per_epoch:
                sums.gradient_norm.copy_(session.step.gradient_norm())
                sums.rates.copy_(torch.tensor(rates[-1], dtype=torch.float64))
            elif due_within_epoch(session):
                save(session)
            if (now := time.perf_counter()) - shown >= PROGRESS_INTERVAL:
                shown = now
                yield StepProgress(position.epoch, session.step_in_epoch, steps_per_epoch)

        _answer(asked(), session)
        # Reading the sums waits for the device, so the training part of the epoch ends only now.
        measured = read_sums(sums)
        session.stopwatch.training_done()
        epoch, looks = _unless_stopped(session, asked, partial(_looked_at, session, measured, floors, outputs))
        session.stopwatch = Stopwatch()
        session.seconds += epoch.seconds

        active = [replica for replica in session.replicas if not replica.frozen]
        records = [_after_epoch(session, member, own, floors) for member, own in looks]
        for stack in outputs.values():
            stack.forget()
        position.epoch += 1
        sums.reset()
        thaw(session.replicas)
        put_aside(session)
        session.end_members()
        save_after_epoch(session, suspicious=any(replica.health.suspicious for replica in active))
        yield from records

    yield from _unless_stopped(session, asked, lambda: finish(session, lambda: _answer(asked(), session)))


class _Look(NamedTuple):
    """What an epoch has shown of one seed.

    Attributes:
        row: Its row of the history.
        health: What to remember of it from now on.
        finding: None if it has no new diagnosis.
    """

    replica: Replica
    row: dict[str, Any]
    health: Health
    finding: Finding | None


def _looked_at(
    session: Session, measured: ReadSums, floors: KnownFloors, outputs: Mapping[int, StackOutputs]
) -> tuple[MeasuredEpoch, list[tuple[MemberRun, list[_Look]]]]:
    """Validate, and examine every active seed of each member that is not over. A stop may interrupt this.

    It changes nothing that is saved, although it may take long: settings are tried before they are advised.
    """
    validation, watch = session.validate(), session.stopwatch
    epoch = MeasuredEpoch(measured, validation, watch.seconds, watch.trained)

    def look(member: MemberRun, place: int, replica: Replica) -> _Look:
        split = member.config.split_of(replica.seed) if member.config.resampling else None
        row = epoch.row(session.position, place, replica.seed, split)
        seen = seed_epoch(session, floors, epoch, place, row)
        checks = OutputChecks(replica, session.output_spec, outputs.get(place))
        return _Look(replica, row, *examine(seen, replica.health, checks))

    with interruptible():
        return epoch, [
            (member, [look(member, *at) for at in enumerate(member.replicas, member.first) if not at[1].frozen])
            for member in session.members
            if member.end is None
        ]


def _after_epoch(session: Session, member: MemberRun, looks: Sequence[_Look], floors: KnownFloors) -> EpochRecord:
    """Act on what an epoch has shown of the seeds of one member, and write its rows.

    Raises:
        DivergedError: The lone run ends because a seed has diverged. A member of a stack only leaves the stack.
    """
    config, position = member.config, session.position
    rows = [look.row for look in looks]
    findings = [look.finding for look in looks if look.finding]
    best: list[Replica] = []
    for replica, row, health, finding in looks:
        replica.health = health
        if finding and finding.diverged:
            replica.diverged_epoch = position.epoch
            continue
        if session.plateau and replica.plateau:
            replica.plateau = session.plateau.after(replica.plateau, row[config.schedule["metric"]])
        if replica.stopping and config.early_stopping:
            better = replica.stopping.update(row[replica.stopping.metric], position.epoch, position.step)
            if not better and replica.stopping.bad_epochs >= config.early_stopping.patience:
                replica.stopped_epoch = position.epoch
        if replica.best.update(row[replica.best.metric], position.epoch, position.step):
            best.append(replica)

    session.keep_best(best)
    keep_rows(session, member, rows)
    record(session, member, findings)
    ended = [finding for finding in findings if finding.diverged]
    if ended and _ends_by_divergence(member):
        if session.stack is None:
            raise diverged(ended, session)
        for replica in member.replicas:
            replica.withdrawn_epoch = position.epoch
    return EpochRecord(position.epoch, rows, frozenset(replica.seed for replica in best), findings, floors.take_notes())


def _unfit_outputs(error: BaseException, session: Session) -> str:
    """Report that lossrun's loss refuses outputs of the user's model, although the first batch had none of these."""
    model = session.config.model
    return f"model: {model.name}: {error}" if model.is_plugin and isinstance(error, ValueError) else ""


def _answer(request: Request | None, session: Session) -> None:
    """Answer a request from outside: save, and perhaps stop."""
    if request is None:
        return
    save(session)
    if request.error is None:
        return
    epoch, step = min(session.position.epoch, session.config.epochs), session.position.step
    for member in session.members:
        if not member.closed:
            ledger.append(member.run.ledger_path, "stopped", reason=request.reason, epoch=epoch, step=step)
    raise stopped(request.error, request.reason, session)


def _unless_stopped(session: Session, asked: Asked, work: Callable[[], T]) -> T:
    """Run a long computation that changes no state. A stop that interrupts it counts as if it had come before."""
    generator = generator_state(session.device)
    try:
        return work()
    except StopNowError:
        set_generator_state(generator, session.device)
        _answer(asked(), session)
        raise


def _ends_by_divergence(member: MemberRun) -> bool:
    """Return whether the run ends now that a seed has diverged."""
    if member.config.on_divergence == "stop":
        return True
    return all(replica.diverged_epoch is not None for replica in member.replicas)
