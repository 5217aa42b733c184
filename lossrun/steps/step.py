"""One optimizer update of every seed: the readable reference that any faster step is measured against."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from lossrun.steps.seed_group import (
    SeedGroup,
    for_all,
    gather,
    gradient_norm,
    keep_generator,
    minimised,
    take_generator,
)


class Step(Protocol):
    """Takes the batch at `[start, stop)` of each seed's order; `rates` holds a learning rate per seed.

    Gives the batch's mean loss per seed, shape (seeds,), on the device and not yet read: reading it would wait for
    the device. It holds until the next step. A frozen seed is left alone and gives 0.

    `kind`: how the step is computed.
    """

    kind: str

    def begin_epoch(self) -> None:
        """Called once the seeds' orders of an epoch are set out, and before its first step."""
        ...

    def publish(self) -> None:
        """Called before the seeds' models, optimizers and generators are looked at by anybody else."""
        ...

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor: ...

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of the last step's gradient per seed, over all its weights, shape (seeds,);
        0 for a frozen seed."""
        ...


class SeedGroupStep:
    """What every step of a single group does alike."""

    def __init__(self, group: SeedGroup) -> None:
        self.group = group

    def begin_epoch(self) -> None:
        if self.group.begin_epoch():
            self.weights_moved()
        take_generator(self.group)

    def weights_moved(self) -> None:
        """Whatever was kept of the old memory is of no use any more."""

    def publish(self) -> None:
        self.group.publish()
        keep_generator(self.group)

    def gradient_norm(self) -> Tensor:
        return for_all(self.group, gradient_norm(self.group))


class EagerStep(SeedGroupStep):
    """Operation after operation, as anybody would write it."""

    kind = "eager"

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        group = self.group
        for parameters in group.optimizer.param_groups:
            parameters["lr"] = rates[0]
        # First, so that the forward pass finds the gradients' memory free and still in the cache. By hand, because the
        # profiler hooks around optimizer.zero_grad() cost 15 us a step.
        for weight in group.weights:
            weight.grad = None
        samples = group.replicas[0].parts.train
        inputs, targets, weights = gather(group, samples, group.rows(start, stop))
        losses = group.losses(samples.scaled(inputs), targets, weights)
        minimised(group, losses, stop - start).backward()  # type: ignore[no-untyped-call]
        group.update()
        return for_all(group, losses.detach())


class InTurn:
    """Trains one seed group after the other."""

    def __init__(self, steps: Sequence[Step], groups: Sequence[SeedGroup], *, own_randomness: bool) -> None:
        """`own_randomness`: the models draw random numbers, so the groups must take turns with the generator."""
        self.steps = steps
        self.groups = groups
        self.own_randomness = own_randomness
        self.kind = steps[0].kind

    def begin_epoch(self) -> None:
        for step in self.steps:
            step.begin_epoch()

    def publish(self) -> None:
        for group in self.groups:
            group.publish()

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        losses, first = [], 0
        for step, group in zip(self.steps, self.groups, strict=True):
            seeds = len(group.replicas)
            if not group.active:
                losses.append(self._zeros(group))
            elif self.own_randomness:
                take_generator(group)
                losses.append(step(start, stop, rates[first : first + seeds]))
                keep_generator(group)
            else:
                losses.append(step(start, stop, rates[first : first + seeds]))
            first += seeds
        return torch.cat(losses)

    def gradient_norm(self) -> Tensor:
        return torch.cat(
            [
                step.gradient_norm() if group.active else self._zeros(group)
                for step, group in zip(self.steps, self.groups, strict=True)
            ]
        )

    def _zeros(self, group: SeedGroup) -> Tensor:
        train = group.replicas[0].parts.train
        return torch.zeros(len(group.replicas), dtype=train.dtype, device=train.inputs.device)
