"""Plain gradient descent on a large matrix as one product: W <- W - rate (left @ right).

The gradient of a linear layer's weights is a product as large as they are; gradient descent reads it once and forgets
it. Where nothing else wants it, it need not be written down at all: the product is subtracted from the weights while it
is computed. 784 x 300 weights and a batch of 32: 80 us instead of 125 for the product and 30 for the update; 300 x 100
weights: 17 to 25 instead of 28, and less to update.

The gradient's norm is wanted twice an epoch; for that the product is computed once more.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from lossrun.replay.kernels import Call
from lossrun.replay.products import is_large, one_dnn_is_faster
from lossrun.replay.recording import Chooses
from lossrun.steps.seed_group import SeedGroup

# Samples in a batch beyond which a product is mostly arithmetic: then it matters more that the faster kernel computes
# it than that its result is written and read again.
LARGEST_BATCH: Final = 64
# Multiplications below which Python's part of a call is more than is saved.
LEAST_MULTIPLICATIONS: Final = 500_000
# Numbers that may be kept for a product, as a multiple of its gradient's, which need not be written.
MOST_KEPT: Final = 4
_LARGEST: Final = torch.finfo(torch.float32).max


@dataclass(frozen=True, slots=True)
class Descent:
    """`weight`: its data. `gradient`: memory for left @ right, which is written only by `compute_gradient`."""

    weight: Tensor
    gradient: Tensor
    left: Tensor
    right: Tensor

    def update(self, rate: float) -> None:
        """One step of gradient descent. A rate beyond float32 is infinite, as it would be in the weights."""
        self.weight.addmm_(self.left, self.right, alpha=-rate if rate <= _LARGEST else -math.inf)

    def compute_gradient(self) -> None:
        """Of the last replay."""
        torch.mm(self.left, self.right, out=self.gradient)


def descends(group: SeedGroup) -> bool:
    """Whether the update is weight - rate * gradient and nothing else, for a seed alone on the CPU. A user's optimizer
    may leave weights out, or have hooks."""
    optimizer = group.optimizer
    return (
        not group.axis
        and not group.replicas[0].own_optimizer
        and group.weights[0].device.type == "cpu"
        and isinstance(optimizer, torch.optim.SGD)
        and not any(group["momentum"] or group["weight_decay"] or group["maximize"] for group in optimizer.param_groups)
    )


def may_be_deferred(weights: Sequence[Tensor]) -> Chooses:
    """Chooses the products that it pays to put off. None that reads one of `weights`, which move meanwhile."""
    moving = {weight.untyped_storage().data_ptr() for weight in weights}

    def chosen(call: Call) -> bool:
        if call.op is not torch.ops.aten.mm.default:
            return False
        left, right = call.args
        if not is_large(left, right, LEAST_MULTIPLICATIONS):
            return False
        # What it reads is kept from the memory that records share.
        small = left.numel() + right.numel() <= MOST_KEPT * call.result.numel()
        fast = left.shape[1] <= LARGEST_BATCH or not one_dnn_is_faster()
        return small and fast and not any(tensor.untyped_storage().data_ptr() in moving for tensor in (left, right))

    return chosen


def descents(calls: Sequence[Call], weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> dict[int, Descent]:
    """The deferred products that are gradients, by their weight's position."""
    products = {call.result.data_ptr(): call for call in calls}
    found: dict[int, Descent] = {}
    for position, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        if call := products.get(gradient.data_ptr()):
            left, right = call.args
            found[position] = Descent(weight.detach(), gradient, left, right)
    made = {descent.gradient.data_ptr() for descent in found.values()}
    assert made == products.keys(), "a deferred product that nobody makes"
    return found
