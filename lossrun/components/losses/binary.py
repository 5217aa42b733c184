"""The losses for binary labels, one or several per sample.

Unless a docstring says otherwise:
- outputs have shape (N, K) and the form that `inputs` names: logits (the stable form), probabilities, or
  log_probabilities, of label 1.
- targets have shape (N, K) and values in [0, 1], or are class indices (N,), which mean their one-hot rows.
- The result has shape (N,); each value is the mean over the K outputs.
- class_weights are, for K = 1, the weights of label 0 and label 1, otherwise one weight for each output.

All losses raise ValueError for shapes, weights or `inputs` that do not fit, and TypeError for arguments that are not
tensors. Nothing is broadcast.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.losses.arguments import (
    EPSILON,
    Form,
    Labels,
    Weights,
    binary_log_probabilities,
    binary_probabilities,
    output_weighted,
    smoothed,
    target_rows,
    weight_tensor,
    zero_one,
)


def binary_cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    inputs: Form = "logits",
    label_smoothing: float = 0.0,
    class_weights: Weights | None = None,
    pos_weight: float | Weights | None = None,
    labels: Labels = "zero_one",
) -> Tensor:
    """Negative log-likelihood of binary labels: mean over K of -(t ln p + (1 - t) ln(1 - p)), in nats, in [0, inf).

    Probabilities are clipped to [1e-7, 1 - 1e-7], as in Keras, and have no gradient if they are clipped.
    Log-probabilities are kept above -100, as in torch.nn.BCELoss. From logits the gradient is p - t.

    Args:
        outputs, targets, inputs: See the module.
        label_smoothing: s; t becomes t (1 - s) + s / 2, as in Keras' BinaryCrossentropy.
        class_weights: With K = 1 they make this the weighted cross-entropy of the two classes.
        pos_weight: The factor of the loss of label 1, one number or K, as in torch.nn.BCEWithLogitsLoss.
        labels: How labels are written; torch.nn.SoftMarginLoss takes -1 and 1.

    Source: Good 1952, Rational Decisions.
    """
    targets = smoothed(zero_one(target_rows(outputs, targets), labels), label_smoothing, 2)
    if class_weights is None and pos_weight is None and inputs == "logits":
        return F.binary_cross_entropy_with_logits(outputs, targets, reduction="none").mean(dim=1)
    log_yes, log_no = binary_log_probabilities(outputs, inputs)
    yes, no = -targets * log_yes, -(1 - targets) * log_no
    if pos_weight is not None:
        yes = yes * _positive_weight(pos_weight, outputs)
    if class_weights is None:
        return (yes + no).mean(dim=1)
    count = outputs.shape[1]
    weights = weight_tensor(class_weights, outputs, count=2 if count == 1 else count)
    if count == 1:
        return (weights[0] * no + weights[1] * yes).mean(dim=1)
    return (weights * (yes + no)).mean(dim=1)


def binary_focal(
    outputs: Tensor,
    targets: Tensor,
    *,
    inputs: Form = "logits",
    gamma: float = 2.0,
    alpha: float | None = None,
    apply_class_balancing: bool = True,
    label_smoothing: float = 0.0,
    class_weights: Weights | None = None,
) -> Tensor:
    """Binary cross-entropy times (1 - q)^gamma, q = t p + (1 - t) (1 - p), in nats: mean over K, in [0, inf).

    From logits nothing is clipped, so logits of any size give the true value and a finite gradient. Keras computes from
    probabilities clipped to [1e-7, 1 - 1e-7]: a sample that is wrong by a logit of 100 then costs 16.1 instead of 100,
    and has no gradient.

    Args:
        outputs, targets, inputs: See the module.
        gamma: At least 0; with 0 this is `binary_cross_entropy`.
        alpha: The factor for label 1; label 0 has 1 - alpha, and a target in between their mixture.
        apply_class_balancing: Whether to use alpha.
        label_smoothing: As in `binary_cross_entropy`, as is the clipping of probabilities.

    Source: Lin and others 2017, Focal Loss for Dense Object Detection.
    """
    hard = target_rows(outputs, targets)
    targets = smoothed(hard, label_smoothing, 2)
    log_yes, log_no = binary_log_probabilities(outputs, inputs)
    yes, no = binary_probabilities(outputs, inputs)
    # 1 - q, kept above 0, because its power has an infinite slope at 0 for gamma < 1.
    misses = (targets * no + (1 - targets) * yes).clamp(min=torch.finfo(outputs.dtype).tiny)
    losses = misses.pow(gamma) * -(targets * log_yes + (1 - targets) * log_no)
    if alpha is not None and apply_class_balancing:
        losses = losses * (targets * alpha + (1 - targets) * (1 - alpha))
    return output_weighted(losses, class_weights, hard).mean(dim=1)


def hinge(
    outputs: Tensor, targets: Tensor, *, class_weights: Weights | None = None, labels: Labels = "zero_one"
) -> Tensor:
    """Mean over K of max(0, 1 - s y), s = 2 t - 1: how far the output falls short of a margin of 1, in [0, inf).

    outputs: logits. targets t of 0 and 1, or as `labels` says. The gradient is -s within the margin and 0 beyond it.
    Source: Cortes and Vapnik 1995, Support-Vector Networks.
    """
    targets = zero_one(target_rows(outputs, targets), labels)
    return output_weighted(_shortfall(outputs, targets), class_weights, targets).mean(dim=1)


def squared_hinge(
    outputs: Tensor, targets: Tensor, *, class_weights: Weights | None = None, labels: Labels = "zero_one"
) -> Tensor:
    """Mean over K of max(0, 1 - s y)^2, s = 2 t - 1, in [0, inf). As `hinge`, but its gradient does not jump.

    Source: Lee and Mangasarian 2001, SSVM: A Smooth Support Vector Machine for Classification.
    """
    targets = zero_one(target_rows(outputs, targets), labels)
    return output_weighted(_shortfall(outputs, targets).square(), class_weights, targets).mean(dim=1)


def multilabel_soft_margin(outputs: Tensor, targets: Tensor, *, class_weights: Weights | None = None) -> Tensor:
    """`binary_cross_entropy` of logits under the name that PyTorch gives it for several labels, in nats."""
    return binary_cross_entropy(outputs, targets, class_weights=class_weights)


def dice(outputs: Tensor, targets: Tensor, *, inputs: Form = "logits", eps: float = EPSILON) -> Tensor:
    """1 - (2 TP + eps) / (sum of t + sum of p + eps), TP = sum of t p: one value for all K of a sample, in [0, 1].

    eps is above 0: a sample without labels and without predictions has a loss of 0. The function computes the part that
    does not overlap, which keeps its digits if nearly everything overlaps. Keras' Dice has no eps in the numerator, so
    such a sample costs 1 there, and it takes sums over the whole batch, or for axis=-1 over each sample.

    Source: Milletari, Navab and Ahmadi 2016, V-Net, which squares p and t in the denominator; here they are not
    squared.
    """
    hits, missed, false_alarms = _overlap(outputs, targets, inputs)
    return _share(missed + false_alarms, 2 * hits + eps)


def tversky(
    outputs: Tensor,
    targets: Tensor,
    *,
    inputs: Form = "logits",
    alpha: float = 0.5,
    beta: float = 0.5,
    eps: float = EPSILON,
) -> Tensor:
    """1 - (TP + eps) / (TP + alpha M + beta F + eps), one value for all K of a sample, in [0, 1].

    TP = sum of t p; M = sum of t (1 - p), missed; F = sum of (1 - t) p, false alarms. alpha and beta are at least 0.
    eps is as in `dice`, and Keras' Tversky differs as its Dice does. Source: Salehi, Erdogmus and Gholipour 2017, with
    alpha and beta exchanged.
    """
    hits, missed, false_alarms = _overlap(outputs, targets, inputs)
    return _share(alpha * missed + beta * false_alarms, hits + eps)


def _overlap(outputs: Tensor, targets: Tensor, inputs: Form) -> tuple[Tensor, Tensor, Tensor]:
    """Return the hits, missed labels and false alarms of each sample, (N,) each, as sums of probabilities."""
    targets = target_rows(outputs, targets)
    yes, no = binary_probabilities(outputs, inputs)
    return (targets * yes).sum(dim=1), (targets * no).sum(dim=1), ((1 - targets) * yes).sum(dim=1)


def _share(apart: Tensor, common: Tensor) -> Tensor:
    """Return apart / (apart + common), so that neither the value nor the gradient loses its digits.

    The gradient of the quotient is the difference of two numbers, which are nearly equal if `apart` is by far the
    larger part; that of 1 - common / (apart + common) is, if it is the smaller one.
    """
    total = apart + common
    return torch.where(apart < common, apart / total, 1 - common / total)


def _shortfall(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.relu(1 - (2 * targets - 1) * outputs)


def _positive_weight(pos_weight: float | Weights, outputs: Tensor) -> float | Tensor:
    if isinstance(pos_weight, (float, int)) or (isinstance(pos_weight, Tensor) and pos_weight.ndim == 0):
        return pos_weight
    return weight_tensor(pos_weight, outputs, count=outputs.shape[1], name="pos_weight")
