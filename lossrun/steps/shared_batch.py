"""Compute a batch in several processes: each takes a part of it, and gradients and losses are added up.

Except for rounding, nothing in a run depends on the number of processes: the batch, its order, the learning rate, the
mean that is minimised, dropout masks and the statistics of batch norm are those of one process.

`DistributedDataParallel` would do the same for a plain step. But it exchanges gradients in hooks of autograd, and a
recorded step runs without autograd; it averages the means of the processes, which is another number if their parts
differ in size or weight; and it wraps the model, so that all names in checkpoints would change.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lossrun.steps.replica import Replica
from lossrun.steps.seed_group import LoneSeed


@dataclass(slots=True)
class Share:
    """The part of each batch that this process computes.

    Attributes:
        rank: This process, from 0.
        processes: How many there are.
        add_up: Replaces a tensor by its sum over all processes; every process calls it with the same shape.
        first: Where this process's part of the present batch begins; the parts follow each other.
        last: Where it ends. With fewer samples than processes some parts are empty.
        whole: The number of samples in the present batch.
    """

    rank: int
    processes: int
    add_up: Callable[[Tensor], None]
    first: int = 0
    last: int = 0
    whole: int = 0

    def take(self, samples: int) -> slice:
        """Begin a batch of that many samples; return what to compute of it.

        A process without a part computes the first sample with weight 0, so that it takes part in every exchange.
        """
        self.whole = samples
        self.first, self.last = (samples * rank // self.processes for rank in (self.rank, self.rank + 1))
        return slice(self.first, self.last) if self.first < self.last else slice(0, 1)

    @property
    def computed(self) -> int:
        """The number of samples that this process computes."""
        return max(self.last - self.first, 1)


class SharedSeed(LoneSeed):
    """One seed whose batches are computed by several processes, which all hold the same weights."""

    def __init__(self, replica: Replica, share: Share) -> None:
        super().__init__(replica)
        self.share = share
        weight = replica.weights[0]
        # The share of this process's mean loss in the mean of the batch. A tensor, because a recording reads it from
        # memory.
        self.fraction = torch.zeros((), dtype=replica.parts.train.dtype, device=weight.device)

    def rows(self, start: int, stop: int) -> Tensor:
        order, counted = self.replica.order[start:stop], self.replica.counted
        part = self.share.take(len(order))
        if counted is None:
            self.fraction.fill_((self.share.last - self.share.first) / len(order))
        else:
            amounts = counted[order].double()
            total = amounts.sum()
            mine = amounts[self.share.first : self.share.last].sum()
            self.fraction.copy_(mine / total.masked_fill(total == 0, 1.0))
        return order[part]

    def losses(self, inputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        return super().losses(inputs, targets, weights) * self.fraction

    def combined(self, losses: Tensor) -> Tensor:
        given = [weight.grad for weight in self.weights]
        flat = [
            weight.new_zeros(weight.numel()) if gradient is None else gradient.reshape(-1)
            for weight, gradient in zip(self.weights, given, strict=True)
        ]
        # A model may use a weight only in some batches, and therefore only in some processes.
        used = losses.new_tensor([float(gradient is not None) for gradient in given])
        together = torch.cat([losses.detach().reshape(1), used, *flat])
        self.share.add_up(together)
        mean, used, *sums = torch.split(together, [1, len(given), *map(torch.numel, self.weights)])
        for place, (weight, gradient, total) in enumerate(zip(self.weights, given, sums, strict=True)):
            if gradient is not None:
                gradient.copy_(total.view_as(weight))
            elif bool(used[place]):
                weight.grad = total.view_as(weight).to(weight.dtype)
        return mean.to(losses.dtype)
