"""Copy what a seed group has learned so far, to return to that state for a moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, Final

import torch
from torch import Tensor

from lossrun.steps.replica import Replica
from lossrun.steps.seed_group import SeedGroup
from lossrun.steps.seed_stack import SeedStack

# What training changes about a replica, except for its tensors in the group's memory.
_CHANGED: Final = (
    "best",
    "best_weights",
    "stopping",
    "plateau",
    "stopped_epoch",
    "diverged_epoch",
    "withdrawn_epoch",
    "thaws",
    "health",
    "generator_state",
)


class GroupCopy:
    """The group's state as it was when the copy was made. It holds until the group computes other seeds."""

    def __init__(self, group: SeedGroup) -> None:
        self._group = group
        self._live = _memory(group)
        self._kept = [tensor.clone() for tensor in self._live]
        self._optimizer = {
            weight: {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
            for weight, state in group.optimizer.state.items()
        }
        self._replicas = [(replica, _changed(replica)) for replica in group.replicas]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the group and each of its seeds into the copied state for the block."""
        group = self._group
        present = [tensor.clone() for tensor in self._live]
        state = dict(group.optimizer.state)
        replicas = [(replica, _changed(replica)) for replica, _ in self._replicas]
        _put(self._live, self._kept)
        group.optimizer.state.clear()
        group.optimizer.state.update(self._optimizer)
        _set(self._replicas)
        _publish(group)
        try:
            yield
        finally:
            _put(self._live, present)
            group.optimizer.state.clear()
            group.optimizer.state.update(state)
            _set(replicas)
            _publish(group)


def _publish(group: SeedGroup) -> None:
    """Update the optimizers of the seeds from the group's optimizer, even if it has not kept any state yet."""
    for replica in group.active:
        if replica.optimizer is not group.optimizer:
            replica.optimizer.state.clear()
    group.publish()


def _memory(group: SeedGroup) -> list[Tensor]:
    """Return the tensors that every step changes in place."""
    best = list(group.best.values()) if isinstance(group, SeedStack) else []
    return [*(weight.detach() for weight in group.weights), *group.buffers, *best]


def _put(live: list[Tensor], kept: list[Tensor]) -> None:
    with torch.no_grad():
        for tensor, value in zip(live, kept, strict=True):
            tensor.copy_(value)


def _changed(replica: Replica) -> dict[str, Any]:
    # Values that are changed in place are copied, all others are replaced by new ones.
    return {
        name: copy(value) if name in ("best", "stopping", "best_weights") else value
        for name in _CHANGED
        for value in (getattr(replica, name),)
    }


def _set(replicas: list[tuple[Replica, dict[str, Any]]]) -> None:
    for replica, values in replicas:
        for name, value in values.items():
            setattr(replica, name, copy(value) if name in ("best", "stopping", "best_weights") else value)
