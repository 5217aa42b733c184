"""Update the weights of a stack: all at one learning rate, or each replica at its own.

torch's optimizers take one rate for all weights. Where an optimizer is linear in its rate (`linear_in_rate` in the
catalogue), a step at another rate is the same move with another length. So torch's optimizer moves tensors of zeros at
rate 1, and each replica adds its move times its own rate. The numbers are those of torch up to rounding.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from lossrun.steps.replica import Replica
from lossrun.torch_internals import bare_step

MakeOptimizer = Callable[[Sequence[Tensor]], torch.optim.Optimizer]


class OneRate:
    """torch's optimizer as it is.

    Attributes:
        moved: The tensors that the optimizer updates, one for each weight, and for which it keeps its state.
    """

    def __init__(self, weights: Sequence[Tensor], make_optimizer: MakeOptimizer) -> None:
        self.moved: Sequence[Tensor] = weights
        self.optimizer = make_optimizer(weights)
        self._step = bare_step(self.optimizer)

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the learning rate of each stacked replica."""
        for parameters in self.optimizer.param_groups:
            parameters["lr"] = rates[0]

    def __call__(self) -> None:
        self._step()


class OwnRates:
    """A learning rate and a weight decay for each replica. The attributes are those of `OneRate`."""

    def __init__(self, weights: Sequence[Tensor], make_optimizer: MakeOptimizer, replicas: Sequence[Replica]) -> None:
        """`replicas`: the stacked ones; the optimizer of each has its weight decay."""
        settings = [replica.optimizer.param_groups[0] for replica in replicas]
        self.weights = weights
        self.moved: Sequence[Tensor] = [torch.zeros_like(weight, requires_grad=False) for weight in weights]
        self.optimizer = make_optimizer(self.moved)
        for parameters in self.optimizer.param_groups:
            parameters.update(lr=1.0, weight_decay=0.0)
        self._step = bare_step(self.optimizer)
        self._decays = [float(each["weight_decay"]) for each in settings]
        # adamw and similar optimizers shrink the weights; for the others the decay is a part of the gradient.
        self._shrinks = any(self._decays) and bool(settings[0].get("decoupled_weight_decay"))
        self._adds = any(self._decays) and not self._shrinks
        like = weights[0]
        self._rates = torch.zeros(len(replicas), dtype=like.dtype, device=like.device)
        self._kept = torch.ones_like(self._rates)
        self._decay = torch.tensor(self._decays, dtype=like.dtype, device=like.device)
        self._now: list[float] = []

    def set_rates(self, rates: Sequence[float]) -> None:
        """Set the learning rate of each stacked replica."""
        if self._now == rates:
            return
        self._now = list(rates)
        self._rates.copy_(torch.tensor(rates, dtype=torch.float64))
        if self._shrinks:
            kept = [1 - rate * decay for rate, decay in zip(rates, self._decays, strict=True)]
            self._kept.copy_(torch.tensor(kept, dtype=torch.float64))

    @torch.no_grad()
    def __call__(self) -> None:
        for weight, move in zip(self.weights, self.moved, strict=True):
            gradient = weight.grad
            if gradient is not None and self._adds:
                gradient = torch.addcmul(gradient, weight, _along(self._decay, weight))
            move.grad = gradient
            move.zero_()
        self._step()
        for weight, move in zip(self.weights, self.moved, strict=True):
            if weight.grad is None:
                continue
            if self._shrinks:
                weight.mul_(_along(self._kept, weight))
            weight.addcmul_(move, _along(self._rates, weight))


def _along(values: Tensor, weight: Tensor) -> Tensor:
    """Return a value for each replica, in a shape that broadcasts over the stacked weight's replica axis."""
    return values.view(-1, *[1] * (weight.ndim - 1))


StackUpdate: TypeAlias = OneRate | OwnRates
