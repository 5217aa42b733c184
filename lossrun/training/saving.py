"""Decide what a session writes while it trains, and when.

A run that trains alone writes the rows of each epoch at once, and a checkpoint as often as its config says. A stack of
runs writes few files: one checkpoint for all of its members, at most once a second, and just before it the rows that
its members have collected. Events for the ledgers wait in that checkpoint until the end.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lossrun.health.finding import Finding
from lossrun.records import checkpoints, history, ledger
from lossrun.training.good_states import with_good_states
from lossrun.training.session import MemberRun, Session
from lossrun.training.state import capture

SAVED_EVERY: Final = 1.0  # seconds between two checkpoints of a stack, which a kill may lose
# A stack spends at most 1 / LEAST_OF_A_SAVE of its time on saving.
LEAST_OF_A_SAVE: Final = 10
KEPT: Final = 2  # checkpoints of a stack


def save(session: Session) -> None:
    """Write a checkpoint of the present state."""
    # Reading the state waits for the device, which is the epoch's own time; writing it is not.
    session.step.publish()
    began, step = time.perf_counter(), session.position.step
    if session.stack is not None:
        write_rows(session)  # first: the state says how long the histories are
    state = capture(session)
    if session.stack is not None:
        state = with_good_states(state, session)
    with session.stopwatch.paused():
        if session.stack is None:
            member = session.lone
            keep = member.config.checkpoint.keep
            checkpoints.save(member.run.checkpoints, step, state, keep, also_keep=member.good_step)
        else:
            checkpoints.save(session.stack, step, state, KEPT)
    session.saved = time.perf_counter(), time.perf_counter() - began


def write_rows(session: Session) -> None:
    """Write the waiting rows of all members in one commit."""
    waiting = [member for member in session.members if member.waiting_rows and not member.closed]
    history.append_all([(member.history, member.waiting_rows) for member in waiting])
    for member in session.members:
        member.waiting_rows = []


def due_within_epoch(session: Session) -> bool:
    """Return whether to save after a step that is not the last of its epoch."""
    if session.stack is not None:
        return is_due(session)
    every = session.config.checkpoint.every_steps
    return bool(every) and session.position.step % (every or 1) == 0


def save_after_epoch(session: Session, *, suspicious: bool) -> None:
    """Save after an epoch, if a checkpoint is due. The position is already that of the next epoch.

    `suspicious`: whether a seed may have diverged.
    """
    if session.stack is not None:
        # At the end the members get their own files.
        if session.training and is_due(session):
            save(session)
        return
    # A state that may have diverged must not replace a good one.
    if not session.training or not suspicious:
        session.lone.good_step = session.position.step
        if _checkpoint_due(session):
            save(session)


def keep_rows(session: Session, member: MemberRun, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the rows of an epoch to a member's history."""
    if session.stack is None:
        member.history.append(rows)
    else:
        member.waiting_rows += map(dict, rows)


def record(session: Session, member: MemberRun, findings: Sequence[Finding]) -> None:
    """Write findings into the member's ledger.

    Each is written once, even if its epoch is trained again after a crash, unless the learning rate has changed since.
    """
    if not findings:
        return
    path = member.run.ledger_path
    names = ("diagnosis", "seed", "epoch", "learning_rate")
    known = [tuple(map(event.get, names)) for event in ledger.read(path)]
    for finding in findings:
        if tuple(map(finding.facts().get, names)) in known:
            continue
        event = "diverged" if finding.diverged else "diagnosed"
        if session.stack is None:
            ledger.append(path, event, **finding.facts(), history=member.history.mark.facts())
        else:
            member.waiting_events.append((event, finding.facts()))


def is_due(session: Session) -> bool:
    """Return whether it is time to save a stack."""
    when, took = session.saved
    return time.perf_counter() - when >= max(SAVED_EVERY, LEAST_OF_A_SAVE * took)


def _checkpoint_due(session: Session) -> bool:
    """Return whether the config asks for a checkpoint after an epoch: as often as it says, and always at the end."""
    wanted, position = session.config.checkpoint, session.position
    if not session.training:
        return True
    if wanted.every_steps:
        return position.step % wanted.every_steps == 0
    return wanted.every_epochs is not None and (position.epoch - 1) % wanted.every_epochs == 0
