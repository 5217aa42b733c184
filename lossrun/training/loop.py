"""The main path: everything that happens in training, in the order in which it happens.

A generator of `StepProgress | EpochRecord`. It persists, then yields: a row on screen is a row on disk.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, Final, TypeAlias

import torch

from lossrun.catalog import get
from lossrun.catalog.declaration import Optimizer
from lossrun.errors import DivergedError, OutOfMemoryError, StoppedError, ran_out_of_memory
from lossrun.health.examine import Finding, examine
from lossrun.lint.size import how_to_need_less
from lossrun.records import checkpoints, ledger
from lossrun.shell import run_command
from lossrun.steps.replica import Replica
from lossrun.training.criteria import thaw
from lossrun.training.events import EpochRecord, StepProgress
from lossrun.training.finish import finish
from lossrun.training.isolation import step_by_step
from lossrun.training.session import Session, Stopwatch
from lossrun.training.state import capture, keep_best
from lossrun.training.stopping import Request

PROGRESS_INTERVAL: Final = 0.1  # seconds; the eye needs no more, and the step pays for each

Asked = Callable[[], Request | None]
Event: TypeAlias = StepProgress | EpochRecord
Loop: TypeAlias = Callable[[Session, Asked], Iterator[Event]]


def saying_what_is_saved(
    function: Callable[[Session, Asked], Iterator[Event]],
) -> Callable[[Session, Asked], Iterator[Event]]:
    """Where memory runs out, the newest checkpoint is what there is to go on from."""

    @wraps(function)
    def wrapped(session: Session, asked: Asked) -> Iterator[Event]:
        events = function(session, asked)
        while True:
            try:
                event = next(events)
            except StopIteration:
                return
            except (MemoryError, RuntimeError, OSError) as error:
                if not ran_out_of_memory(error):
                    raise
                raise _without_memory(session) from error
            yield event

    return wrapped


@saying_what_is_saved
@step_by_step(lambda session: session.stream)
def train(session: Session, asked: Asked) -> Iterator[Event]:
    """Train from where the session stands to the end of the run.

    `asked` tells before every step whether somebody wants a checkpoint or a stop. Raises StoppedError (its state saved)
    if so, DivergedError where the loss of a seed is no longer finite and the config does not say to go on.
    """
    config, position, sums = session.config, session.position, session.sums
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
        train_losses = sums.mean().tolist()
        gradient_norms = sums.gradient_norm.tolist()
        session.stopwatch.training_done()

        active = [replica for replica in session.replicas if not replica.frozen]
        validation = session.validate()
        rows: list[dict[str, Any]] = [
            {
                "epoch": position.epoch,
                "step": position.step,
                "seed": replica.seed,
                "train_loss": train_losses[index],
                **validation.get(replica.seed, {}),
                "learning_rate": float(sums.rates[index]),
                "grad_norm": gradient_norms[index],
            }
            for index, replica in enumerate(session.replicas)
            if not replica.frozen
        ]
        spent, session.stopwatch = session.stopwatch, Stopwatch()
        seconds = spent.seconds
        session.seconds += seconds
        rows = [{**row, "seconds": seconds, "train_seconds": spent.trained} for row in rows]
        findings = examine(session, rows)
        improved = [replica for replica, row in zip(active, rows, strict=True) if _judge(replica, row, session)]
        for replica in improved:
            keep_best(replica)

        session.history.append(rows)
        _record(findings, session)
        diverged = [finding for finding in findings if finding.diverged]
        if diverged and _ends_by_divergence(session):
            raise _diverged(diverged, session)
        position.epoch += 1
        sums.reset()
        thaw(session.replicas)
        # A state that may be past saving must not take the place of a good one.
        if not session.training or not any(replica.health.suspicious for replica in active):
            session.good_step = position.step
            if _checkpoint_due(session):
                _save(session)
        yield EpochRecord(position.epoch - 1, rows, frozenset(replica.seed for replica in improved), findings)

    finish(session, lambda: _heed(asked(), session))


def _judge(replica: Replica, row: Mapping[str, Any], session: Session) -> bool:
    """Draw this epoch's consequences for one seed; whether it is its best epoch so far."""
    epoch, step = row["epoch"], row["step"]
    if replica.diverged_epoch is not None:
        return False
    if session.plateau and replica.plateau:
        replica.plateau = session.plateau.after(replica.plateau, row[session.config.schedule["metric"]])
    if replica.stopping and not replica.stopping.update(row[replica.stopping.metric], epoch, step):
        assert session.config.early_stopping is not None
        if replica.stopping.bad_epochs >= session.config.early_stopping.patience:
            replica.stopped_epoch = epoch
    return replica.best.update(row[replica.best.metric], epoch, step)


def _ends_by_divergence(session: Session) -> bool:
    if session.config.on_divergence == "stop":
        return True
    return all(replica.diverged_epoch is not None for replica in session.replicas)


def _record(findings: Sequence[Finding], session: Session) -> None:
    """Once, also where an epoch is trained again after a crash; again, where it was with another learning rate."""
    if not findings:
        return
    path = session.run.ledger_path
    names = ("diagnosis", "seed", "epoch", "learning_rate")
    known = [tuple(map(event.get, names)) for event in ledger.read(path)]
    for finding in findings:
        if tuple(map(finding.facts().get, names)) not in known:
            event = "diverged" if finding.diverged else "diagnosed"
            ledger.append(path, event, **finding.facts(), history=session.history.mark.facts())


def _diverged(findings: Sequence[Finding], session: Session) -> DivergedError:
    """The end. No checkpoint is written, and those that may hold the divergence itself are removed: the newest one left
    is the last good state."""
    first = min(findings, key=lambda finding: finding.step)
    checkpoints.remove_after(session.run.checkpoints, session.good_step)
    good_step = checkpoints.metadata(checkpoints.candidates(session.run.checkpoints)[0])["step"]
    seeds = ", ".join(str(finding.seed) for finding in findings)
    factor = session.replicas[0].objective.factor(session.batch_size)
    reduction = session.config.loss["reduction"]
    rate, what = _lower_rate(session, from_the_beginning=not good_step)
    summed = f" (reduction: {reduction} makes it act like {first.learning_rate * factor:g})" if factor != 1 else ""
    where = f"step {good_step}, the last good checkpoint," if good_step else "the beginning"
    return DivergedError(
        f"diverged in epoch {first.epoch} at step {first.step} (seed {seeds}): {first.diagnosis.meaning}. "
        f"train_loss {first.loss:g}, learning rate {first.learning_rate:g}{summed}, gradient norm "
        f"{first.gradient_norm:.4g} (the last finite one): {first.diagnosis.why} [{first.name}].\n"
        f"To go on from {where} with {what}:\n"
        f"  {run_command('resume', session.run.path, set_=[f'learning_rate={rate:g}'])}"
    )


def _without_memory(session: Session) -> OutOfMemoryError:
    return OutOfMemoryError(
        f"not enough memory after step {session.position.step}; {how_to_need_less(session.config, session.facts)} in a "
        f"new run, or end other programs; {_saved(session)}, to go on where there is more memory:\n"
        f"  {run_command('resume', session.run.path)}"
    )


def interrupted(session: Session) -> StoppedError:
    """The end by a second Ctrl-C, which has not waited for the state to be saved."""
    return StoppedError(
        f"interrupted twice, after step {session.position.step}; {_saved(session)}; go on with\n"
        f"  {run_command('resume', session.run.path)}"
    )


def _saved(session: Session) -> str:
    newest = checkpoints.metadata(checkpoints.candidates(session.run.checkpoints)[0])
    return f"the state of step {newest['step']} is saved"


def _lower_rate(session: Session, *, from_the_beginning: bool) -> tuple[float, str]:
    """A learning rate to try instead, and what it is: half of it; or in the middle of what is usual for the optimizer,
    where half is still beyond that or where there is nothing to lose by a larger change."""
    choice, half = session.config.optimizer, session.config.learning_rate / 2
    declared = None if choice.is_plugin else get("optimizer", choice.name)
    if not isinstance(declared, Optimizer):
        return half, "half the learning rate"
    low, high = declared.usual_rates
    middle = float(f"{math.sqrt(low * high):.0e}")
    if middle < half and (from_the_beginning or half > high):
        return middle, f"a learning rate from the middle of what is usual for {choice.name} ({low:g} to {high:g})"
    return half, "half the learning rate"


def _checkpoint_due(session: Session) -> bool:
    """After an epoch (the position is already the next one's): by the config's rhythm, and always at the end."""
    wanted, position = session.config.checkpoint, session.position
    if not session.training:
        return True
    if wanted.every_steps:
        return position.step % wanted.every_steps == 0
    return wanted.every_epochs is not None and (position.epoch - 1) % wanted.every_epochs == 0


def _save(session: Session) -> None:
    run, keep = session.run, session.config.checkpoint.keep
    # Reading the state waits for the device, which is the epoch's own time; writing it is not.
    state = capture(session)
    with session.stopwatch.paused():
        checkpoints.save(run.checkpoints, session.position.step, state, keep, also_keep=session.good_step)


def _heed(request: Request | None, session: Session) -> None:
    """Do what somebody outside has asked for between two steps."""
    if request is None:
        return
    _save(session)
    if request.error is None:
        return
    step, epoch = session.position.step, min(session.position.epoch, session.config.epochs)
    ledger.append(session.run.ledger_path, "stopped", reason=request.reason, epoch=epoch, step=step)
    last = "" if session.training else ", the last one, before the end was scored"
    raise request.error(
        f"{request.reason} in epoch {epoch} after step {step}{last}; state saved; go on with\n"
        f"  {run_command('resume', session.run.path)}"
    )
