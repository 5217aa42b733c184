"""One optimizer update of every seed: the readable reference that any faster step is measured against."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from lossrun.steps.seed_group import Chunk, for_all, gather, gradient_norm, keep_generator, minimised, take_generator


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


class ChunkStep:
    """What every step of a single chunk does alike."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk

    def begin_epoch(self) -> None:
        if self.chunk.begin_epoch():
            self.weights_moved()
        take_generator(self.chunk)

    def weights_moved(self) -> None:
        """Whatever was kept of the old memory is of no use any more."""

    def publish(self) -> None:
        self.chunk.publish()
        keep_generator(self.chunk)

    def gradient_norm(self) -> Tensor:
        return for_all(self.chunk, gradient_norm(self.chunk))


class EagerStep(ChunkStep):
    """Operation after operation, as anybody would write it."""

    kind = "eager"

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        chunk = self.chunk
        for group in chunk.optimizer.param_groups:
            group["lr"] = rates[0]
        # First, so that the forward pass finds the gradients' memory free and still in the cache. By hand, because the
        # profiler hooks around optimizer.zero_grad() cost 15 us a step.
        for weight in chunk.weights:
            weight.grad = None
        samples = chunk.replicas[0].parts.train
        inputs, targets, weights = gather(chunk, samples, chunk.rows(start, stop))
        losses = chunk.losses(samples.scaled(inputs), targets, weights)
        minimised(chunk, losses, stop - start).backward()  # type: ignore[no-untyped-call]
        chunk.update()
        return for_all(chunk, losses.detach())


class InTurn:
    """Chunk after chunk."""

    def __init__(self, steps: Sequence[Step], chunks: Sequence[Chunk], *, own_randomness: bool) -> None:
        """`own_randomness`: the models draw random numbers, so the chunks must take turns with the generator."""
        self.steps = steps
        self.chunks = chunks
        self.own_randomness = own_randomness
        self.kind = steps[0].kind

    def begin_epoch(self) -> None:
        for step in self.steps:
            step.begin_epoch()

    def publish(self) -> None:
        for chunk in self.chunks:
            chunk.publish()

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        losses, first = [], 0
        for step, chunk in zip(self.steps, self.chunks, strict=True):
            seeds = len(chunk.replicas)
            if not chunk.active:
                losses.append(self._zeros(chunk))
            elif self.own_randomness:
                take_generator(chunk)
                losses.append(step(start, stop, rates[first : first + seeds]))
                keep_generator(chunk)
            else:
                losses.append(step(start, stop, rates[first : first + seeds]))
            first += seeds
        return torch.cat(losses)

    def gradient_norm(self) -> Tensor:
        return torch.cat(
            [
                step.gradient_norm() if chunk.active else self._zeros(chunk)
                for step, chunk in zip(self.steps, self.chunks, strict=True)
            ]
        )

    def _zeros(self, chunk: Chunk) -> Tensor:
        train = chunk.replicas[0].parts.train
        return torch.zeros(len(chunk.replicas), dtype=train.dtype, device=train.inputs.device)
