"""Keep the state with which a member of a stack ends if it diverges: its state before the epoch that first looked bad.

A run that trains alone has that state on disk, because it never saves a state that looks bad. A stack saves rarely, so
it keeps a copy of the state in memory at the beginning of each epoch. Once an epoch of a member looks bad, its part of
the copy is kept. It is also written into the stack's checkpoints, so that a kill does not lose it.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from lossrun.records import history
from lossrun.records.checkpoints import Checkpoint
from lossrun.records.run_directory import RunDirectory
from lossrun.steps.group_copy import GroupCopy
from lossrun.training.process.stopwatch import Stopwatch
from lossrun.training.session import MemberRun, Position, Session
from lossrun.training.state import capture, cut_out

_KEY: Final = "good"


class EpochStart:
    """A stack's state at the beginning of an epoch."""

    def __init__(self, session: Session) -> None:
        self.position = Position(session.position.epoch, session.position.step)
        self.seconds = session.seconds
        self.groups = [GroupCopy(group) for group in session.groups if group.active]
        sums = session.sums
        self.sums = [tensor.clone() for tensor in (sums.gradient_norm, sums.first_gradient_norm, sums.rates)]
        self.known: Checkpoint | None = None

    def captured(self, session: Session) -> Checkpoint:
        """Return it as a checkpoint of the stack."""
        if self.known is None:
            sums, ends = session.sums, [member.end for member in session.members]
            live = (sums.gradient_norm, sums.first_gradient_norm, sums.rates)
            present = [tensor.clone() for tensor in live]
            now = session.position, session.seconds, session.stopwatch, sums.samples
            with ExitStack() as back:
                for group in self.groups:
                    back.enter_context(group.in_place())
                session.position, session.seconds, session.stopwatch = self.position, self.seconds, Stopwatch()
                sums.samples = []
                for tensor, value in zip(live, self.sums, strict=True):
                    tensor.copy_(value)
                for member in session.members:
                    member.end = None
                try:
                    found = capture(session)
                    # The arrays share the memory that is about to change.
                    self.known = Checkpoint({name: one.copy() for name, one in found.tensors.items()}, found.metadata)
                finally:
                    session.position, session.seconds, session.stopwatch, sums.samples = now
                    for tensor, value in zip(live, present, strict=True):
                        tensor.copy_(value)
                    for member, end in zip(session.members, ends, strict=True):
                        member.end = end
        return self.known

    def of(self, session: Session, member: MemberRun) -> Checkpoint:
        """Return a member's own checkpoint."""
        own = cut_out(self.captured(session), member.run.name)
        return Checkpoint(own.tensors, {**own.metadata, "good_step": self.position.step})


def keep_good_states(session: Session) -> None:
    """Copy the state at the beginning of an epoch, if the session is a stack."""
    if session.stack is not None and session.step_in_epoch == 0:
        session.epoch_start = EpochStart(session)


def put_aside(session: Session) -> None:
    """Keep the state before an epoch that looked bad for a member, unless an earlier one did."""
    if session.stack is None:
        return
    for member in session.members:
        if not (member.diverged or _looks_bad(member)):
            member.good = None
        elif member.good is None and session.epoch_start is not None:
            member.good = session.epoch_start.of(session, member)


def _looks_bad(member: MemberRun) -> bool:
    return any(replica.health.suspicious for replica in member.replicas if not replica.frozen)


def with_good_states(state: Checkpoint, session: Session) -> Checkpoint:
    """Add to the checkpoint of a stack what its members would end with if they diverged now."""
    good = {member.run.name: member.good for member in session.members if member.good is not None}
    if session.step_in_epoch and session.epoch_start is not None:
        going = [member for member in session.members if member.end is None and member.good is None]
        good |= {member.run.name: session.epoch_start.of(session, member) for member in going}
    tensors = {
        f"{_KEY}.{number}.{name}": array
        for number, own in enumerate(good.values())
        for name, array in own.tensors.items()
    }
    facts = {name: own.metadata for name, own in good.items()}
    return Checkpoint({**state.tensors, **tensors}, {**state.metadata, _KEY: facts})


def parted(state: Checkpoint) -> tuple[Checkpoint, dict[str, Checkpoint]]:
    """Return the checkpoint of a stack without its members' states before a bad epoch, and these states."""
    facts: Mapping[str, dict[str, object]] = state.metadata.get(_KEY, {})
    plain = {name: array for name, array in state.tensors.items() if not name.startswith(f"{_KEY}.")}
    good = {}
    for number, (directory, own) in enumerate(facts.items()):
        prefix = f"{_KEY}.{number}."
        tensors = {name.removeprefix(prefix): one for name, one in state.tensors.items() if name.startswith(prefix)}
        good[directory] = Checkpoint(tensors, dict(own))
    metadata = {name: value for name, value in state.metadata.items() if name not in (_KEY, "tensors")}
    return Checkpoint(plain, metadata), good


def fitted(good: Checkpoint, run: RunDirectory) -> Checkpoint:
    """Return the state before a bad epoch, with the length of the history at that time."""
    mark = history.mark_after(run.history_path, good.metadata["epoch"] - 1)
    return Checkpoint(good.tensors, {**good.metadata, "history_length": mark.length, "history": mark.facts()})
