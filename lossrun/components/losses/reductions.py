"""Reduce the losses of the samples to the one number that training minimises."""

from collections.abc import Callable
from math import prod
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lossrun.catalog.losses.reductions import REDUCTIONS, Reduction, adds_up_samples, factor
from lossrun.components.losses.arguments import Weights


class Objective(nn.Module):
    """What training minimises: `objective(outputs, targets)` is a mean per sample, and `factor` scales its gradient.

    They are separate so that the recorded loss is a mean per sample for every reduction:
    `(objective.factor(batch_size) * objective(outputs, targets)).backward()`.

    The reductions `sum` and `half_sum` have no divisor: the mean is over all N, so that the factor turns it into the
    weighted sum over the samples that count.

    To average the means of several batches, weight each mean by `counted`, the divisor of that mean.

    Args:
        loss: `(outputs, targets) -> (N,)`, with its parameters already bound (`functools.partial`). An `nn.Module`
            with weights or buffers becomes a submodule.
        outputs_per_sample: K if `loss` averages over the outputs; 1 if it returns one value for all outputs together.
        class_weights, pos_weight: Passed to `loss` under these names. Only class_weights count in a weighted mean.
        weights_of: What `class_weights` belong to: exclusive "classes", or "outputs" (a single output has a weight for
            label 0 and one for label 1).
        weight_convention: What a weighted mean divides by: the sum of the samples' weights ("pytorch") or their number
            ("keras").
        ignore_index: The class whose samples count in no mean. `loss` must return 0 for them.

    Raises:
        ValueError: For an unknown reduction, weight convention or `weights_of`, or if `loss` does not return one value
            per sample.
    """

    class_weights: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        loss: Callable[..., Any],
        *,
        reduction: Reduction = "mean",
        outputs_per_sample: int = 1,
        weights_of: Literal["classes", "outputs"] = "classes",
        weight_convention: Literal["pytorch", "keras"] = "pytorch",
        class_weights: Weights | None = None,
        pos_weight: float | Weights | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"unknown reduction {reduction!r}; expected one of {', '.join(REDUCTIONS)}")
        if weight_convention not in ("pytorch", "keras"):
            raise ValueError(f"unknown weight convention {weight_convention!r}; expected pytorch or keras")
        if weights_of not in ("classes", "outputs"):
            raise ValueError(f"unknown weights_of {weights_of!r}; expected classes or outputs")
        self.loss = loss
        self.reduction: Reduction = reduction
        self.outputs_per_sample = outputs_per_sample
        self.weights_of = weights_of
        self.weight_convention = weight_convention
        self.ignore_index = ignore_index
        # These come from the config and the data, so checkpoints leave them out.
        for name, given in (("class_weights", class_weights), ("pos_weight", pos_weight)):
            tensor = None if given is None else torch.as_tensor(given, dtype=torch.float64)
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the mean loss per sample, a scalar; weighted if there are class weights or `weights`.

        Args:
            outputs: (N, K).
            targets: As `loss` takes them.
            weights: (N,), of the samples. They multiply the losses, and in PyTorch's convention also count in the
                divisor.
        """
        own = {
            name: value
            for name, value in (("class_weights", self.class_weights), ("pos_weight", self.pos_weight))
            if value is not None
        }
        losses = self._per_sample(self.loss(outputs, targets, **own), outputs)
        if weights is not None:
            losses = losses * weights
        counted = self.counted(targets, weights)
        if counted is None:
            return losses.mean()
        total = counted.to(losses.dtype).sum()
        # A batch in which no sample counts must not change the weights. Dividing by 0, or by the smallest number, would
        # make its loss or gradient NaN and end the run.
        return losses.sum() / total.masked_fill(total == 0, 1.0)

    def factor(self, batch_size: int) -> float:
        """Return the factor of the mean before the backward pass, for a batch of that size."""
        return factor(self.reduction, batch_size, self.outputs_per_sample)

    def counted(self, targets: Tensor, weights: Tensor | None = None) -> Tensor | None:
        """Return how much each sample counts in the divisor of the mean, (N,); None if all count the same.

        weights: (N,), of the samples.
        """
        if adds_up_samples(self.reduction):
            return None
        factors = []
        if self.weight_convention == "pytorch":
            if self.class_weights is not None:
                weigh = _weights_of_classes if self.weights_of == "classes" else _weights_of_outputs
                factors.append(weigh(targets, self.class_weights))
            if weights is not None:
                factors.append(weights)
        if self.ignore_index is not None:
            factors.append(_kept(targets, self.ignore_index))
        return prod(factors[1:], start=factors[0]) if factors else None

    def _per_sample(self, losses: Tensor, outputs: Tensor) -> Tensor:
        if losses.shape != outputs.shape[:1]:
            raise ValueError(
                f"the loss gave shape {tuple(losses.shape)} for outputs of shape {tuple(outputs.shape)}; expected one "
                f"value per sample, shape ({outputs.shape[0]},): average over the outputs, but not over the samples"
            )
        return losses


def _weights_of_classes(targets: Tensor, class_weights: Tensor) -> Tensor:
    """Return the weight of each sample's class; for a soft target the mixture of the weights.

    So an index and its one-hot row have the same weight. (torch.nn.CrossEntropyLoss divides by N if targets are rows.)
    """
    if targets.ndim == 1:
        return class_weights[targets.long()]
    return (targets * class_weights).sum(dim=1)


def _weights_of_outputs(targets: Tensor, class_weights: Tensor) -> Tensor:
    """Return the weight of each sample's label if there is one output; otherwise the mean of the outputs' weights."""
    if targets.ndim == 2 and targets.shape[1] == 1:
        return torch.lerp(class_weights[0], class_weights[1], targets[:, 0].to(class_weights.dtype))
    return class_weights.mean().expand(targets.shape[0])


def _kept(targets: Tensor, ignored: int) -> Tensor:
    """Return 1 for samples that count and 0 for the ignored class; for a soft target the sum of its other shares."""
    if targets.ndim == 1:
        return targets != ignored
    return 1 - targets[:, ignored] if 0 <= ignored < targets.shape[1] else torch.ones_like(targets[:, 0])
