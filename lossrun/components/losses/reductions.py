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

    The two are apart so that the recorded loss is a mean per sample whatever the reduction:
    `(objective.factor(batch_size) * objective(outputs, targets)).backward()`.

    loss: `(outputs, targets) -> (N,)`, its parameters already bound (`functools.partial`); an `nn.Module` with weights
        or buffers of its own becomes a submodule.
    outputs_per_sample: K, over which `loss` has averaged; 1 where it gives one value for all outputs together.
    class_weights, pos_weight: handed to `loss` under these names. Only the first count in a weighted mean.
    weights_of: what `class_weights` belong to: exclusive "classes", one of which a sample is of, or "outputs" (of a
        single one: no and yes).
    weight_convention: what a weighted mean divides by: the sum of the samples' weights ("pytorch") or their number
        ("keras").
    ignore_index: the class whose samples `loss` gives 0: they count in no mean. It is bound to `loss` as well.

    A sum divides by nothing: under `sum` and `half_sum` the mean is over all N, so that the factor gives the sum,
    weighted, over the samples that count.

    Means of several batches become the mean of all their samples by `counted`: what each mean has divided by.

    Raises ValueError for an unknown reduction, weight convention or `weights_of`, and where `loss` does not give one
    value per sample.
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
        # They come from the config and the data, so a checkpoint need not hold them.
        for name, given in (("class_weights", class_weights), ("pos_weight", pos_weight)):
            tensor = None if given is None else torch.as_tensor(given, dtype=torch.float64)
            self.register_buffer(name, tensor, persistent=False)

    def forward(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the mean loss per sample, a scalar; weighted if there are class weights or `weights`.

        outputs: (N, K). weights: (N,), of the samples; they multiply the losses and, with PyTorch's convention, also
        count in the divisor.
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
        # A batch in which nothing counts teaches nothing; 0 / 0 would end the run instead, and so would a gradient of 0
        # times the inverse of the least number.
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
    """The weight of each sample's class; of a soft target, its mixture. Hence an index and its one-hot row weigh alike
    (torch.nn.CrossEntropyLoss divides by N once the targets are rows)."""
    if targets.ndim == 1:
        return class_weights[targets.long()]
    return (targets * class_weights).sum(dim=1)


def _weights_of_outputs(targets: Tensor, class_weights: Tensor) -> Tensor:
    """The weight of no or yes for one output; the mean of the outputs' weights for several."""
    if targets.ndim == 2 and targets.shape[1] == 1:
        return torch.lerp(class_weights[0], class_weights[1], targets[:, 0].to(class_weights.dtype))
    return class_weights.mean().expand(targets.shape[0])


def _kept(targets: Tensor, ignored: int) -> Tensor:
    """1 for a sample that counts and 0 for one of the ignored class; of a soft target, the rest of its shares."""
    if targets.ndim == 1:
        return targets != ignored
    return 1 - targets[:, ignored] if 0 <= ignored < targets.shape[1] else torch.ones_like(targets[:, 0])
