"""From per-sample losses to the one number that training minimises."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from lossrun.catalog.losses import REDUCTIONS
from lossrun.components.losses import Weights, binary_cross_entropy, cross_entropy

Reduction: TypeAlias = Literal["mean", "sum", "half_sum", "sample_mean", "half_sample_mean"]


class Objective(nn.Module):
    """What training minimises: `objective(outputs, targets)` is a mean per sample, and `factor` scales its gradient.

    The two are apart so that the recorded loss is a mean per sample whatever the reduction:
    `(objective.factor(batch_size) * objective(outputs, targets)).backward()`.

    loss: `(outputs, targets) -> (N,)`, its parameters already bound (`functools.partial`); an `nn.Module` with weights
        or buffers of its own becomes a submodule.
    outputs_per_sample: K, over which `loss` has averaged; `cross_entropy` has one target per sample and counts as 1.
    class_weights: handed to `loss` as its `class_weights`.
    weight_convention: what a weighted mean divides by: the sum of the samples' weights ("pytorch") or N ("keras"). A
        sum divides by neither: under `sum` and `half_sum` the mean is over N, so that the factor gives the weighted
        sum.

    Raises ValueError for an unknown reduction or weight convention, and where `loss` does not give one value per
    sample.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        loss: Callable[..., Any],
        *,
        reduction: Reduction = "mean",
        outputs_per_sample: int = 1,
        weight_convention: Literal["pytorch", "keras"] = "pytorch",
        class_weights: Weights | None = None,
    ) -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"unknown reduction {reduction!r}; expected one of {', '.join(REDUCTIONS)}")
        if weight_convention not in ("pytorch", "keras"):
            raise ValueError(f"unknown weight convention {weight_convention!r}; expected pytorch or keras")
        self.loss = loss
        self.reduction: Reduction = reduction
        function = loss.func if isinstance(loss, partial) else loss
        self.outputs_per_sample = 1 if function is cross_entropy else outputs_per_sample
        self._sample_weights: Callable[[Tensor, Tensor], Tensor] | None = None
        if weight_convention == "pytorch" and reduction not in ("sum", "half_sum"):
            if function is cross_entropy:
                self._sample_weights = _cross_entropy_weights
            elif function is binary_cross_entropy:
                self._sample_weights = _binary_cross_entropy_weights
        weights = None if class_weights is None else torch.as_tensor(class_weights)
        # They come from the config and the data, so a checkpoint need not hold them.
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss per sample, a scalar: weighted if there are class weights. outputs (N, K)."""
        if self.class_weights is None:
            return self._per_sample(self.loss(outputs, targets), outputs).mean()
        losses = self._per_sample(self.loss(outputs, targets, class_weights=self.class_weights), outputs)
        if self._sample_weights is None:
            return losses.mean()
        total = self._sample_weights(targets, self.class_weights.to(losses.dtype)).sum()
        # A batch of classes that all weigh nothing teaches nothing; 0 / 0 would end the run instead.
        return losses.sum() / total.clamp(min=torch.finfo(total.dtype).tiny)

    def factor(self, batch_size: int) -> float:
        """What the mean is multiplied by before the backward pass, for a batch of so many samples."""
        match self.reduction:
            case "mean":
                return 1.0
            case "sample_mean":
                return float(self.outputs_per_sample)
            case "half_sample_mean":
                return self.outputs_per_sample / 2
            case "sum":
                return float(batch_size * self.outputs_per_sample)
            case "half_sum":
                return batch_size * self.outputs_per_sample / 2

    def _per_sample(self, losses: Tensor, outputs: Tensor) -> Tensor:
        if losses.shape != outputs.shape[:1]:
            raise ValueError(
                f"the loss gave shape {tuple(losses.shape)} for outputs of shape {tuple(outputs.shape)}; expected one "
                f"value per sample, shape ({outputs.shape[0]},): average over the outputs, but not over the samples"
            )
        return losses


def _cross_entropy_weights(targets: Tensor, class_weights: Tensor) -> Tensor:
    """The weight of each sample's class; of a soft target, its mixture. Hence an index and its one-hot row weigh alike
    (torch.nn.CrossEntropyLoss divides by N once the targets are rows)."""
    if targets.ndim == 1:
        return class_weights[targets.long()]
    return (targets * class_weights).sum(dim=1)


def _binary_cross_entropy_weights(targets: Tensor, class_weights: Tensor) -> Tensor:
    """The weight of no or yes for one output; the mean of the outputs' weights for several."""
    if targets.ndim == 2 and targets.shape[1] == 1:
        return torch.lerp(class_weights[0], class_weights[1], targets[:, 0].to(class_weights.dtype))
    return class_weights.mean().expand(targets.shape[0])
