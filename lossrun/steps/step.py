"""One optimizer update of every seed. `EagerStep` is the readable reference, with which any faster step is compared.

Read next: `seed_group.py`, what there is to compute for seeds that are trained together.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from lossrun.steps.seed_group import (
    SeedGroup,
    gather,
    gradient_norm,
    keep_generator,
    minimised,
    take_generator,
)


class Step(Protocol):
    """One update of every seed that still trains.

    A step may keep the state of the seeds in its own layout: stacked over seeds, or in memory that a recording writes
    into. Other code may read the following:

    - Weights and buffers of each seed's model are current after every call: they are the memory, or views of the
      memory, that the step updates. Validation, health checks and best weights need nothing else.
    - The state of each seed's optimizer and its `generator_state` are current only after `publish()`. Code that reads
      them to save a checkpoint calls `publish()` first: the training loop, and the start of a run.
    - Changes of a seed's optimizer or order by other code take effect at the next `begin_epoch()`.

    `kind` names how the step is computed: eager, recorded or captured.
    """

    kind: str

    def begin_epoch(self) -> None:
        """Update which seeds still train, and their orders; called before the first step of an epoch."""
        ...

    def publish(self) -> None:
        """Make each seed's optimizer state and generator state current."""
        ...

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        """Train on the batch at `[start, stop)` of each seed's order.

        Args:
            start: The first position of the batch.
            stop: The position after its last.
            rates: A learning rate for each seed.

        Returns:
            The mean loss of the batch for each seed, (seeds,); 0 for a frozen seed, which is not changed. It stays on
            the device, because reading it would wait for the device, and holds until the next step.
        """
        ...

    def gradient_norm(self) -> Tensor:
        """Return the norm of the last step's gradient over all weights of each seed, (seeds,); 0 for a frozen seed."""
        ...


class SeedGroupStep:
    """The common part of all steps of a single seed group."""

    def __init__(self, group: SeedGroup) -> None:
        self.group = group

    def begin_epoch(self) -> None:
        if self.group.begin_epoch():
            self.weights_moved()
        take_generator(self.group)

    def weights_moved(self) -> None:
        """Discard everything that refers to the weights' old memory."""

    def publish(self) -> None:
        self.group.publish()
        keep_generator(self.group)

    def gradient_norm(self) -> Tensor:
        return self.group.for_all(gradient_norm(self.group))


class EagerStep(SeedGroupStep):
    """One operation after another, as you would write it by hand."""

    kind = "eager"

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        group = self.group
        group.set_rates(rates)
        # First, so that the forward pass can use the gradients' memory while it is in the cache. Without
        # optimizer.zero_grad(), because its profiler hooks take 15 us a step.
        for weight in group.weights:
            weight.grad = None
        samples = group.train
        inputs, targets, weights = gather(group, samples, group.rows(start, stop))
        losses = group.losses(samples.scaled(inputs), targets, weights)
        minimised(group, losses, stop - start).backward()  # type: ignore[no-untyped-call]
        losses = group.combined(losses.detach())
        group.update()
        return group.for_all(losses)


class InTurn:
    """Trains one seed group after the other."""

    def __init__(self, steps: Sequence[Step], groups: Sequence[SeedGroup], *, own_randomness: bool) -> None:
        """`own_randomness`: whether the models draw random numbers, so that the groups take turns with the
        generator."""
        self.steps = steps
        self.groups = groups
        self.own_randomness = own_randomness
        self.kind = steps[0].kind

    def begin_epoch(self) -> None:
        for step in self.steps:
            step.begin_epoch()

    def publish(self) -> None:
        # Not through the steps, which would keep the state of torch's one generator, where the last group left it. If
        # groups draw random numbers, each call has already kept the state of each group's stream.
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
