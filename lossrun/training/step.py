"""One optimizer update of every seed: the readable reference that any faster step is measured against."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from lossrun.training.randomness import generator_state, set_generator_state
from lossrun.training.replica import Replica


class Step(Protocol):
    """Takes the batch at `[start, stop)` of each seed's order; `rates` holds a learning rate per seed.

    Gives the batch's mean loss per seed, shape (seeds,), on the device and not yet read: reading it would wait for
    the device. A frozen seed is left alone and gives 0.
    """

    kind: str

    def begin_epoch(self) -> None:
        """Called once the seeds' orders of an epoch are set out, and before its first step."""
        ...

    def publish(self) -> None:
        """Called before the seeds' models and optimizers are looked at by anybody else."""
        ...

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor: ...

    def gradient_norm(self) -> Tensor:
        """Euclidean norm of the last step's gradient per seed, over all its weights, shape (seeds,);
        0 for a frozen seed."""
        ...


class EagerStep:
    """Seed after seed, operation after operation."""

    kind = "eager"

    def __init__(self, replicas: Sequence[Replica], *, own_randomness: bool) -> None:
        """`own_randomness`: the models draw random numbers, so several seeds must take turns with the generator."""
        self.replicas = replicas
        self.take_turns = own_randomness and len(replicas) > 1
        self.device = replicas[0].parts.train.inputs.device
        self._zero = torch.zeros((), dtype=replicas[0].parts.train.inputs.dtype, device=self.device)

    def begin_epoch(self) -> None:
        """Nothing to prepare."""

    def publish(self) -> None:
        """Every seed's state is in its own place already."""

    def __call__(self, start: int, stop: int, rates: Sequence[float]) -> Tensor:
        losses = [
            self._zero if replica.frozen else self._update(replica, start, stop, rate)
            for replica, rate in zip(self.replicas, rates, strict=True)
        ]
        return losses[0].reshape(1) if len(losses) == 1 else torch.stack(losses)

    def _update(self, replica: Replica, start: int, stop: int, rate: float) -> Tensor:
        if self.take_turns and replica.generator_state is not None:
            set_generator_state(replica.generator_state, self.device)
        for group in replica.optimizer.param_groups:
            group["lr"] = rate

        # First, so that the forward pass finds the gradients' memory free and still in the cache. By hand, because the
        # profiler hooks around optimizer.zero_grad() cost 15 us a step.
        for weight in replica.weights:
            weight.grad = None
        train, batch = replica.parts.train, replica.order[start:stop]
        targets = train.targets.index_select(0, batch)
        outputs = replica.network(train.inputs.index_select(0, batch))
        loss: Tensor = replica.objective(outputs, targets)
        # The objective is the mean; a sum, say, is that many times as steep.
        factor = replica.objective.factor(stop - start)
        (loss if factor == 1 else loss * factor).backward()  # type: ignore[no-untyped-call]
        replica.optimizer.step()

        if self.take_turns:
            replica.generator_state = generator_state(self.device)
        return loss.detach()

    def gradient_norm(self) -> Tensor:
        norms = []
        for replica in self.replicas:
            if replica.frozen:
                norms.append(self._zero)
                continue
            gradients = [weight.grad for weight in replica.weights if weight.grad is not None]
            norms.append(torch.nn.utils.get_total_norm(gradients) if gradients else self._zero)
        return torch.stack(norms)
