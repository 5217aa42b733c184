"""One optimizer update of every seed. `EagerStep` is the readable reference, with which any faster step is compared.

Read next: `seed_group.py`, what there is to compute for seeds that are trained together.
"""

import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, Protocol, TypeAlias

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

# The positions of a batch's first sample and of the one after its last, in the order of the epoch.
Batch: TypeAlias = tuple[int, int]
# The most steps that one group takes while the others wait. Ten MNIST MLPs took 10.0 s an epoch with one, 8.4 with 4,
# and 7.3 with 16 or 64.
MOST_AHEAD: Final = 16
LONGEST_CALL: Final = 0.05  # seconds in which no stop is answered; more if a single step takes longer


class Step(Protocol):
    """One update of every seed that still trains.

    A step may keep the state of the seeds in its own layout: stacked over seeds, or in memory that a recording writes
    into. Other code may read the following:

    - Weights and buffers of each seed's model are current after every call: they are the memory, or views of the
      memory, that the step updates. Validation, health checks and best weights need nothing else.
    - The state of each seed's optimizer and its `generator_state` are current only after `publish()`. Code that reads
      them to save a checkpoint calls `publish()` first: the training loop, and the start of a run.
    - Changes of a seed's optimizer or order by other code take effect at the next `begin_epoch()`.

    Attributes:
        kind: How the step is computed: eager, recorded or captured.
        ahead: How many batches `several` may be given; each call may change it.
    """

    kind: str
    ahead: int = 1

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

    def several(self, batches: Sequence[Batch], rates: Sequence[Sequence[float]], losses: Tensor) -> None:
        """Train on several batches, with the very bits of one call for each.

        Args:
            batches: One, unless `ahead` allows for more.
            rates: For each batch, a learning rate for each seed.
            losses: Where the mean losses are written, (batches, seeds), in any precision; 0 for a frozen seed.
        """
        ((start, stop),) = batches
        losses.copy_(self(start, stop, rates[0]))

    def gradient_norm(self) -> Tensor:
        """Return the norm of the last step's gradient over all weights of each seed, (seeds,); 0 for a frozen seed."""
        ...


class SeedGroupStep(Step):
    """The common part of all steps of a single seed group."""

    def __init__(self, group: SeedGroup) -> None:
        self.group = group
        self.has_begun = False

    def begin_epoch(self) -> None:
        if self.group.begin_epoch():
            self.weights_moved()
        take_generator(self.group)
        self.has_begun = True

    def weights_moved(self) -> None:
        """Discard everything that refers to the weights' old memory."""

    def publish(self) -> None:
        self.group.publish()
        # Until an epoch begins, the group's stream is where a checkpoint left it, and not torch's generator.
        if self.has_begun or self.group.replicas[0].generator_state is None:
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
    """Trains one seed group after the other.

    Each takes several steps before the next one, so that its weights stay in the processor's cache meanwhile.
    """

    def __init__(
        self, steps: Sequence[Step], groups: Sequence[SeedGroup], *, own_randomness: bool, own_code: bool
    ) -> None:
        """Train each of `groups` by the step at its place.

        Args:
            own_randomness: Whether steps draw random numbers, so that the groups take turns with the generator.
            own_code: Whether steps run code of the user's. What seeds share in it, such as a counter, must not depend
                on how many steps are taken at a time.
        """
        self.steps = steps
        self.groups = groups
        self.own_randomness = own_randomness
        self.own_code = own_code
        self.kind = steps[0].kind
        self.ahead = 1
        ends = list(accumulate(len(group.replicas) for group in groups))
        self.places = [slice(end - len(group.replicas), end) for end, group in zip(ends, groups, strict=True)]

    def begin_epoch(self) -> None:
        for step in self.steps:
            step.begin_epoch()

    def publish(self) -> None:
        # Not through the steps, which would keep the state of torch's one generator, where the last group left it. If
        # groups draw random numbers, each call has already kept the state of each group's stream.
        for group in self.groups:
            group.publish()

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        train = self.groups[0].replicas[0].parts.train
        losses = torch.empty(1, self.places[-1].stop, dtype=train.dtype, device=train.inputs.device)
        self.several([(start, stop)], [rates], losses)
        return losses[0]

    def several(self, batches: Sequence[Batch], rates: Sequence[Sequence[float]], losses: Tensor) -> None:
        begun = time.perf_counter()
        losses.zero_()
        self.train_groups(batches, rates, losses)
        if not self.own_code:
            self.ahead = _affordable(len(batches), time.perf_counter() - begun)

    def gradient_norm(self) -> Tensor:
        return torch.cat(
            [
                step.gradient_norm() if group.active else self._zeros(group)
                for step, group in zip(self.steps, self.groups, strict=True)
            ]
        )

    def train_groups(self, batches: Sequence[Batch], rates: Sequence[Sequence[float]], losses: Tensor) -> None:
        """Train every group that is active, and write its losses."""
        for place in range(len(self.groups)):
            self._train_group(place, batches, rates, losses)

    def _train_group(
        self, place: int, batches: Sequence[Batch], rates: Sequence[Sequence[float]], losses: Tensor
    ) -> None:
        step, group, seeds = self.steps[place], self.groups[place], self.places[place]
        if not group.active:
            return
        if self.own_randomness:
            take_generator(group)
        for (start, stop), each, row in zip(batches, rates, losses, strict=True):
            row[seeds] = step(start, stop, each[seeds])
        if self.own_randomness:
            keep_generator(group)

    def _zeros(self, group: SeedGroup) -> Tensor:
        train = group.replicas[0].parts.train
        return torch.zeros(len(group.replicas), dtype=train.dtype, device=train.inputs.device)


def _affordable(batches: int, seconds: float) -> int:
    """Return how many batches the next call may take, after one that took this long. No bit depends on it."""
    return max(1, min(MOST_AHEAD, int(batches * LONGEST_CALL / max(seconds, 1e-9))))
