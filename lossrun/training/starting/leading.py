"""Train one run in several processes: the leader runs the loop as if it were alone, and its steps direct the others.

`LeadingStep` takes the place of the leader's step. Before each update it sends the batch and the learning rates to the
others, and each computes its part of the batch (`steps/shared_batch.py`). Only the leader decides anything, so no two
processes can disagree. The others start from a checkpoint that is sent instead of written.
"""

import os
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from lossrun.errors import UsageError
from lossrun.plugins.calling import own_code_errors
from lossrun.processes.exchange import Processes
from lossrun.records.checkpoints import from_bytes, to_bytes
from lossrun.records.run_directory import RunDirectory
from lossrun.steps.step import Step
from lossrun.training.process.isolation import isolated
from lossrun.training.session import Session
from lossrun.training.state import capture, restore

# A follower writes nothing.
NOWHERE: Final = RunDirectory(Path(os.devnull))
# Rounding on different machines stays far below this, but weights that are updated differently do not.
LARGEST_DRIFT: Final = 1e-4


class Order(IntEnum):
    """The commands from the leader to the others."""

    TAKE_STATE = 0
    BEGIN_EPOCH = 1
    STEP = 2


class LeadingStep(Step):
    """The leader's step, which the other processes take part in."""

    def __init__(self, step: Step, session: Session, processes: Processes) -> None:
        self.step = step
        self.session = session
        self.processes = processes
        self.kind = step.kind
        self.state_is_sent = False

    def begin_epoch(self) -> None:
        session, seeds = self.session, len(self.session.replicas)
        if not self.state_is_sent:
            self.processes.tell([Order.TAKE_STATE, *[0.0] * (2 + seeds)])
            self.processes.tell_bytes(to_bytes(capture(session)))
            self.state_is_sent = True
        frozen = [float(replica.frozen) for replica in session.replicas]
        self.processes.tell([Order.BEGIN_EPOCH, session.position.epoch, session.position.step, *frozen])
        _refuse_drift(session, self.processes)
        self.step.begin_epoch()

    def publish(self) -> None:
        self.step.publish()

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        self.processes.tell([Order.STEP, start, stop, *rates])
        return self.step(start, stop, rates)

    def gradient_norm(self) -> Tensor:
        return self.step.gradient_norm()


def follow(session: Session, processes: Processes) -> None:
    """Take part in every step of the leader. Raises LeaderLeftError when the leader has left."""
    with isolated(session.stream):
        while True:
            order, first, second, *values = processes.hear(3 + len(session.replicas))
            if order == Order.TAKE_STATE:
                restore(session, from_bytes(processes.hear_bytes(), Path("the leader's state")))
            elif order == Order.BEGIN_EPOCH:
                session.position.epoch, session.position.step = int(first), int(second)
                for replica, frozen in zip(session.replicas, values, strict=True):
                    replica.stopped_epoch = 0 if frozen else None
                _refuse_drift(session, processes)
                session.begin_epoch()
            else:
                with own_code_errors("in a step"):
                    session.step(int(first), int(second), values)


def _refuse_drift(session: Session, processes: Processes) -> None:
    """Raise UsageError in every process if their weights or buffers are no longer the same."""
    modules = [module for replica in session.replicas for module in (replica.network, replica.objective)]
    named = [pair for module in modules for pair in module.state_dict().items()]
    norms = torch.stack([tensor.double().norm() for _, tensor in named]).cpu()
    apart = processes.spread(norms) > LARGEST_DRIFT * norms.abs()
    if bool(apart.any()):
        raise UsageError(
            f"after step {session.position.step} the {processes.count} processes have different weights, such as "
            f"{named[int(apart.int().argmax())][0]}: the model, the loss or the optimizer computes something from a "
            "part of the batch, or at random, in each process; train in one process"
        )
