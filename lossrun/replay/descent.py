"""Compute plain gradient descent on a large matrix as one product: W <- W - rate (left @ right).

The gradient of a linear layer's weights is a product as large as the weights; gradient descent reads it only once. If
nothing else needs the gradient, it need not be written to memory: the product is subtracted from the weights while it
is computed. 784 x 300 weights and a batch of 32 take 80 us instead of 125 for the product and 30 for the update; 300 x
100 weights take 17 to 25 us instead of 28 and the update. For larger batches, where oneDNN is the faster kernel, its
product is subtracted at once instead of being copied into place first.

The norm of the gradient is needed twice in an epoch. For it the product is computed once more.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from lossrun.replay.kernels import Call
from lossrun.replay.products import is_large, one_dnn_product
from lossrun.replay.recording import Chooses
from lossrun.steps.seed_group import SeedGroup

# With fewer multiplications, Python's part of a call takes longer than what is saved.
LEAST_MULTIPLICATIONS: Final = 500_000
# With at most this many samples in a batch, memory is what counts: seeds side by side take 3.56 s an epoch instead of
# 4.2 if the gradient is not written, although oneDNN would compute it in half of the time.
SMALL_BATCH: Final = 32
# How many numbers may be kept for a product, as a multiple of those of the gradient that is not written.
MOST_KEPT: Final = 4
_LARGEST: Final = torch.finfo(torch.float32).max


@dataclass(frozen=True, slots=True)
class Descent:
    """A weight whose gradient is left @ right.

    Attributes:
        gradient: Memory that only `compute_gradient` writes.
        product: Computes the gradient into new memory, where that is the fastest; otherwise None.
    """

    weight: Tensor
    gradient: Tensor
    left: Tensor
    right: Tensor
    product: Callable[[], Tensor] | None

    def update(self, rate: float) -> None:
        """Take one step of gradient descent. A rate beyond float32 becomes infinite, as it would in the weights."""
        step = -rate if rate <= _LARGEST else -math.inf
        if self.product is None:
            self.weight.addmm_(self.left, self.right, alpha=step)
        else:
            self.weight.add_(self.product(), alpha=step)

    def compute_gradient(self) -> None:
        """Compute the gradient of the last replay."""
        torch.mm(self.left, self.right, out=self.gradient)


def descends(group: SeedGroup) -> bool:
    """Return whether a lone seed on the CPU is updated by weight - rate * gradient and nothing else.

    A user's own optimizer may leave weights out or have hooks, so it does not count.
    """
    optimizer = group.optimizer
    return (
        not group.axis
        and not group.replicas[0].own_optimizer
        and group.weights[0].device.type == "cpu"
        and isinstance(optimizer, torch.optim.SGD)
        and not any(group["momentum"] or group["weight_decay"] or group["maximize"] for group in optimizer.param_groups)
    )


def may_be_deferred(weights: Sequence[Tensor]) -> Chooses:
    """Choose the products that are worth deferring. None may read one of `weights`, which change meanwhile."""
    moving = {weight.untyped_storage().data_ptr() for weight in weights}

    def chosen(call: Call) -> bool:
        if call.op is not torch.ops.aten.mm.default:
            return False
        left, right = call.args
        if not is_large(left, right, LEAST_MULTIPLICATIONS):
            return False
        # What a deferred call reads cannot lie in the memory that records share.
        small = left.numel() + right.numel() <= MOST_KEPT * call.result.numel()
        return small and not any(tensor.untyped_storage().data_ptr() in moving for tensor in (left, right))

    return chosen


def descents(calls: Sequence[Call], weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> dict[int, Descent]:
    """Return the deferred products that are gradients, by their weight's position."""
    products = {call.result.data_ptr(): call for call in calls}
    found: dict[int, Descent] = {}
    for position, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        if call := products.get(gradient.data_ptr()):
            left, right = call.args
            found[position] = Descent(weight.detach(), gradient, left, right, _product(left, right))
    made = {descent.gradient.data_ptr() for descent in found.values()}
    assert made == products.keys(), "a deferred product that is never computed"
    return found


def _product(left: Tensor, right: Tensor) -> Callable[[], Tensor] | None:
    return None if left.shape[1] <= SMALL_BATCH else one_dnn_product(left, right)
