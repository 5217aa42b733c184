"""Try the user's own model on a batch: the shape of its outputs, whether they are finite and whether it can learn."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from lossrun.config import Choice
from lossrun.errors import UsageError
from lossrun.steps.replica import Replica
from lossrun.steps.samples import Samples
from lossrun.training.preflight.trying import called, first_not_finite


def check_sizes_known(kind: str, choice: Choice, module: nn.Module) -> None:
    """Raise UsageError for layers that get their size from their first batch."""
    lazy = [key for key, weight in module.named_parameters() if is_lazy(weight)]
    if lazy:
        raise UsageError(
            f"{kind}: {choice.name} gives {lazy[0]} its size only on its first batch, after the weights were drawn "
            "from the seed; use layers with sizes, such as nn.Linear(input_shape[0], 32)"
        )


def model_outputs(choice: Choice, replica: Replica, batch: Samples, size: int, on: str) -> Tensor:
    """Return the outputs of the model, (N, size). Raises UsageError if they cannot be trained on."""
    inputs = batch.scaled(batch.inputs).clone()
    given = inputs.clone()
    expected = (len(batch), size)
    with replica.arithmetic():
        outputs = called("model", choice, replica.network, given, on=f"{on}, of {len(batch)} samples")
    if not isinstance(outputs, Tensor) or tuple(outputs.shape) != expected:
        got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise UsageError(
            f"model: {choice.name} gives {got} for {len(batch)} samples; expected outputs of shape {expected}"
        )
    if not choice.is_plugin:
        return outputs.to(inputs.dtype)
    if not outputs.is_floating_point():
        raise UsageError(f"model: {choice.name} gives outputs of type {outputs.dtype}; expected real numbers")
    if not outputs.requires_grad:
        raise UsageError(
            f"model: {choice.name} gives outputs without a gradient; do not use .detach(), .data, .item(), "
            "torch.no_grad() or numpy between weights and outputs"
        )
    if not torch.equal(given, inputs) and torch.isfinite(inputs).all():
        raise UsageError(
            f"model: {choice.name} changes its inputs in place, and with them the data; expected it to work on a copy "
            "(x / 255 instead of x /= 255, a first ReLU without inplace=True)"
        )
    if row := first_not_finite(outputs, batch):
        raise UsageError(
            f"model: {choice.name} gives {row}, before the first step; expected finite outputs. Check its first "
            "weights, and set standardize: true if inputs are large"
        )
    return outputs.to(inputs.dtype)


def check_gradients(choice: Choice, weights: Sequence[Tensor]) -> None:
    """Raise UsageError if the gradients of all weights are 0, or if some are sparse or not finite."""
    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if any(gradient.layout != torch.strided for gradient in gradients):
        raise UsageError(
            f"model: {choice.name} has weights with a sparse gradient; expected dense ones: leave out sparse=True"
        )
    if not all(torch.isfinite(gradient).all() for gradient in gradients):
        raise UsageError(
            f"model: {choice.name} has weights with a gradient that is not finite, before the first step; expected "
            "finite ones. Check roots, logarithms and divisions within the model"
        )
    if not any(gradient.any() for gradient in gradients):
        raise UsageError(
            f"model: {choice.name} has a gradient of 0 for every weight, so nothing would be learned; expected outputs "
            "that change with the weights"
        )
