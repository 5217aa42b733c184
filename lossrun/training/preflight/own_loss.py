"""Try the user's own loss on a batch: it must give one finite number for each sample, with a gradient."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lossrun.config import Choice
from lossrun.errors import UsageError
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples
from lossrun.training.preflight.broadcast_guard import NoPairs
from lossrun.training.preflight.trying import called, first_not_finite


def check_loss(choice: Choice, loss: Callable[..., Any], outputs: Tensor, batch: Samples) -> None:
    """Raise UsageError for a loss that changes what it is given, is not finite, or has no gradient."""
    leaf, targets = outputs.clone().requires_grad_(), batch.targets.clone()
    given = leaf.clone()
    losses = sample_losses(choice, loss, given, targets)
    for what, now, before in (("outputs", given, leaf), ("targets", targets, batch.targets)):
        if not torch.equal(now, before):
            raise UsageError(
                f"loss: {choice.name} changes the {what} in place, but metrics are computed from them; expected it to "
                "work on a copy"
            )
    if row := first_not_finite(losses, batch):
        raise UsageError(
            f"loss: {choice.name} is {row}, before the first step; expected finite numbers. Check logarithms, roots "
            "and divisions, and the range of the targets"
        )
    gradient = None
    if losses.requires_grad:
        (gradient,) = called("loss", choice, lambda: torch.autograd.grad(losses.sum(), leaf, allow_unused=True))
    if gradient is None:
        raise UsageError(
            f"loss: {choice.name} has no gradient with respect to the outputs; do not use .detach(), .data, .item(), "
            "comparisons or numpy between outputs and loss"
        )
    if row := first_not_finite(gradient, batch):
        raise UsageError(
            f"loss: {choice.name} has a gradient of {row}, before the first step; expected finite ones. A root has "
            "an infinite slope at 0: add a small number under the root"
        )
    if not gradient.any():
        raise UsageError(
            f"loss: {choice.name} has a gradient of 0 for all of {len(batch)} samples, so nothing would be learned; "
            "expected values that change with the outputs (rounding, comparing and argmax do not)"
        )


def check_size(choice: Choice, replica: Replica, outputs: Tensor, targets: Tensor, count: int, on: str) -> None:
    """Try the loss on `count` samples. Rows are repeated, because only their number matters."""
    rows = torch.arange(count, device=outputs.device) % len(targets)
    sample_losses(choice, replica.objective.loss, outputs[rows], targets[rows], on)


def sample_losses(
    choice: Choice, loss: Callable[..., Any], outputs: Tensor, targets: Tensor, on: str = "a first batch"
) -> Tensor:
    """Return the losses, checked to be one real number for each sample."""
    size = len(targets)
    with NoPairs(size):
        losses = called("loss", choice, loss, outputs, targets, on=on)
    wanted = f"one value per sample, shape ({size},)"
    if not isinstance(losses, Tensor):
        raise UsageError(f"loss: {choice.name} gives {type(losses).__name__}, not a tensor; expected {wanted}")
    if losses.shape != (size,):
        raise UsageError(
            f"loss: {choice.name} gives shape {tuple(losses.shape)} for outputs of shape {tuple(outputs.shape)}; "
            f"expected {wanted}: average over the outputs (dim=1), but not over the samples"
        )
    if not losses.is_floating_point():
        raise UsageError(f"loss: {choice.name} gives values of type {losses.dtype}; expected real numbers")
    return losses
