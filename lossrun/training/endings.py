"""Make the errors that end a run early, each with the command that continues from there."""

import math
from collections.abc import Sequence
from typing import Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Optimizer
from lossrun.digits import reach
from lossrun.errors import DivergedError, LostProcessError, OutOfMemoryError, StoppedError, UsageError
from lossrun.health.finding import Finding
from lossrun.lint.size import how_to_need_less
from lossrun.records import checkpoints
from lossrun.shell import run_command
from lossrun.training.session import Session

# Settings with which a run can be resumed.
RATE: Final = "learning_rate="
SCHEDULE: Final = "schedule="


def stopped(error: type[StoppedError], reason: str, session: Session) -> StoppedError:
    """Make the error that ends a run after a signal. The state has already been saved."""
    step, epoch = session.position.step, min(session.position.epoch, session.config.epochs)
    last = "" if session.training else ", the last one, before the end was scored"
    return error(
        f"{reason} in epoch {epoch} after step {step}{last}; state saved; continue with\n"
        f"  {run_command('resume', session.members[0].run.path)}"
    )


def interrupted(session: Session) -> StoppedError:
    """Make the error for a second Ctrl-C, which does not wait for the state to be saved."""
    return StoppedError(
        f"interrupted twice, after step {session.position.step}; {_saved(session)}; continue with\n"
        f"  {run_command('resume', session.run.path)}"
    )


def out_of_memory(session: Session) -> OutOfMemoryError:
    """Make the error for too little memory."""
    return OutOfMemoryError(
        f"not enough memory after step {session.position.step}; {how_to_need_less(session.config, session.facts)} in a "
        f"new run, or close other programs; {_saved(session)}; to continue where there is more memory:\n"
        f"  {run_command('resume', session.members[0].run.path)}"
    )


def own_code_failed(failure: str, session: Session) -> UsageError:
    """Make the error for an exception in the user's own code. `failure`: what it raised, and where."""
    return UsageError(
        f"{failure}, after step {session.position.step}; {_saved(session)}; fix the code, and continue with\n"
        f"  {run_command('resume', session.members[0].run.path)}"
    )


def lost_process(error: LostProcessError, session: Session) -> LostProcessError:
    """Make the error for the loss of another process that computed a part of each batch."""
    return LostProcessError(
        f"after step {session.position.step}, {error}; {_saved(session)}; continue with any number of processes:\n"
        f"  {run_command('resume', session.run.path)}"
    )


def diverged(findings: Sequence[Finding], session: Session) -> DivergedError:
    """Make the error for divergence.

    No checkpoint is written, and checkpoints that may hold the diverged state are removed, so that the newest one left
    is the last good state.
    """
    first = min(findings, key=lambda finding: finding.step)
    checkpoints.remove_after(session.run.checkpoints, session.good_step)
    good_step = checkpoints.metadata(checkpoints.candidates(session.run.checkpoints)[0])["step"]
    seeds = ", ".join(str(finding.seed) for finding in findings)
    factor = session.replicas[0].objective.factor(session.batch_size)
    reduction = session.config.loss["reduction"]
    settings, what = [one for one in first.cure if one.startswith(SCHEDULE)], "a constant learning rate"
    if not settings:
        rate, what = _lower_rate(session, first.cure, from_the_beginning=not good_step)
        settings = [f"{RATE}{rate:g}"]
    summed = f" (reduction: {reduction} makes it act like {first.learning_rate * factor:g})" if factor != 1 else ""
    where = f"step {good_step}, the last good checkpoint," if good_step else "the beginning"
    return DivergedError(
        f"diverged in epoch {first.epoch} at step {first.step} (seed {seeds}): {first.diagnosis.meaning}. "
        f"train_loss {first.loss:g}, learning rate {first.learning_rate:g}{summed}, gradient norm "
        f"{first.gradient_norm:.4g} (the last finite one): {first.why or first.diagnosis.why} [{first.name}].\n"
        + (
            f"To fix it, {first.remedy}."
            if any(not setting.startswith((RATE, SCHEDULE)) for setting in first.cure)
            else f"To continue from {where} with {what}:\n  {run_command('resume', session.run.path, set_=settings)}"
        )
    )


def _lower_rate(session: Session, cure: Sequence[str], *, from_the_beginning: bool) -> tuple[float, str]:
    """Return a learning rate to try instead, and a description of it.

    The rate that worked in a trial; otherwise half the rate; or the middle of the optimizer's usual rates, if
    half the rate is still beyond these, or if the run starts again anyway.
    """
    choice, half = session.config.optimizer, session.config.learning_rate / 2
    tried = [setting.partition("=")[2] for setting in cure if setting.startswith(RATE)]
    if tried and from_the_beginning:
        return float(tried[0]), "a learning rate that worked in a trial"
    declared = None if choice.is_plugin else get("optimizer", choice.name)
    if not isinstance(declared, Optimizer):
        return half, "half the learning rate"
    low, high = declared.usual_rates
    middle = float(f"{math.sqrt(low * high):.0e}")
    if middle < half and (from_the_beginning or half > high):
        return middle, f"a learning rate from the middle of what is usual for {choice.name} ({reach(low, high)})"
    return half, "half the learning rate"


def _saved(session: Session) -> str:
    folder = session.run.checkpoints if session.stack is None else session.stack
    saved = checkpoints.candidates(folder)
    return f"the state of step {checkpoints.metadata(saved[0])['step']} is saved" if saved else "nothing is saved"
