"""The losses for exclusive classes: each sample belongs to one of several.

Unless a docstring says otherwise:
- outputs have shape (N, K) and the form that `inputs` names: logits (softmax is applied; the stable form),
  probabilities, or log_probabilities.
- targets are class indices (N,), or rows (N, K), one-hot or soft. An index and its one-hot row are the same target.
- The result has shape (N,), with one value for all K outputs of a sample.
- class_weights are K numbers. A sample's loss is multiplied by the weight of its class, or for a soft target by the
  mixture of the weights.

All losses raise ValueError for shapes, weights or `inputs` that do not fit, and TypeError for arguments that are not
tensors. Nothing is broadcast.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.losses.arguments import (
    EPSILON,
    Form,
    Weights,
    are_indices,
    class_weighted,
    log_probabilities,
    one_minus_exp,
    smoothed,
    target_rows,
    weight_tensor,
    widened,
)

# torch's index for "no class".
_NO_CLASS = -100


def cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    inputs: Form = "logits",
    label_smoothing: float = 0.0,
    class_weights: Weights | None = None,
    ignore_index: int | None = None,
) -> Tensor:
    """Negative log-likelihood of the right class: -sum over K of w t ln p, in nats, in [0, inf).

    Probabilities are rescaled to sum to 1, then clipped to [1e-7, 1 - 1e-7], as in Keras, and have no gradient if they
    are clipped. Log-probabilities are taken as they are, as in torch.nn.NLLLoss. From logits the gradient is p - t.

    Args:
        outputs, targets, inputs: See the module.
        label_smoothing: s; t becomes t (1 - s) + s / K.
        class_weights: The weight w of each class, inside the sum, so that the smoothed share of a class has the weight
            of that class, as in torch.nn.CrossEntropyLoss. (In Keras all shares have the weight of the sample's class.)
        ignore_index: Samples of this class cost 0; the share of this class in a soft row does not count.

    Source: Good 1952, Rational Decisions; with softmax Bridle 1990; smoothed Szegedy and others 2016.
    """
    indexed = are_indices(outputs, targets)
    targets = targets.long() if indexed else target_rows(outputs, targets)
    classes = outputs.shape[1]
    weights = None if class_weights is None else weight_tensor(class_weights, outputs, count=classes)
    ignored = _NO_CLASS if ignore_index is None else ignore_index
    if inputs == "logits" and (indexed or ignore_index is None):
        return F.cross_entropy(
            outputs, targets, weights, reduction="none", label_smoothing=label_smoothing, ignore_index=ignored
        )
    logarithms = log_probabilities(outputs, inputs)
    if indexed and not label_smoothing:
        return F.nll_loss(logarithms, targets, weights, reduction="none", ignore_index=ignored)
    # What is ignored need not be a class.
    counts = (targets != ignored).unsqueeze(1) if indexed else None
    rows = target_rows(outputs, targets if counts is None else targets * counts.squeeze(1))
    shares = smoothed(rows, label_smoothing, classes)
    if weights is not None:
        shares = shares * weights
    if counts is not None:
        shares = shares * counts
    elif 0 <= ignored < classes:
        shares = shares * (1 - rows[:, ignored : ignored + 1])
    # A class with a share of 0 costs nothing, even if its log-probability is -inf.
    return -torch.where(shares == 0, 0.0, shares * logarithms).sum(dim=1)


def focal(
    outputs: Tensor,
    targets: Tensor,
    *,
    inputs: Form = "logits",
    gamma: float = 2.0,
    alpha: float = 1.0,
    label_smoothing: float = 0.0,
    class_weights: Weights | None = None,
) -> Tensor:
    """Cross-entropy in which samples that are already right count less, in nats, in [0, inf).

    It is -alpha sum over K of t (1 - p)^gamma ln p. gamma is at least 0; with gamma 0 and alpha 1 this is
    `cross_entropy`, which also has the same label_smoothing and clipping of probabilities.

    From logits ln p is a log-softmax, so logits of any size give the true value and a finite gradient. Keras computes
    from probabilities clipped to [1e-7, 1 - 1e-7]: a sample that is wrong by a logit of 100 then costs 16.1 alpha
    instead of 100 alpha, and has no gradient.

    Source: Lin and others 2017, Focal Loss for Dense Object Detection.
    """
    shares = smoothed(target_rows(outputs, targets), label_smoothing, outputs.shape[1])
    logarithms = log_probabilities(outputs, inputs)
    # 1 - p, kept above 0, because its power has an infinite slope at 0 for gamma < 1.
    misses = one_minus_exp(logarithms).clamp(min=torch.finfo(outputs.dtype).tiny)
    losses = -alpha * torch.where(shares == 0, 0.0, shares * misses.pow(gamma) * logarithms).sum(dim=1)
    return class_weighted(losses, class_weights, outputs, targets)


def multi_margin(
    outputs: Tensor, targets: Tensor, *, p: int = 1, margin: float = 1.0, class_weights: Weights | None = None
) -> Tensor:
    """(Sum over the wrong classes k of max(0, margin - y_right + y_k)^p) / K, in [0, inf).

    outputs are logits. p is 1 or 2; margin is above 0, in units of the outputs. The values are those of
    torch.nn.MultiMarginLoss. For soft rows y_right is the mixture of the outputs, and class k is wrong by 1 - t_k.

    Source: Weston and Watkins 1999, Support Vector Machines for Multi-Class Pattern Recognition.
    """
    rows = target_rows(outputs, targets)
    right = (rows * outputs).sum(dim=1, keepdim=True)
    shortfalls = F.relu(margin - right + outputs)
    if p == 2:
        shortfalls = shortfalls.square()
    return class_weighted(((1 - rows) * shortfalls).mean(dim=1), class_weights, outputs, targets)


def categorical_hinge(outputs: Tensor, targets: Tensor, *, class_weights: Weights | None = None) -> Tensor:
    """max(0, 1 - y_right + the largest wrong output), in [0, inf).

    outputs are logits. A largest wrong output below 0 counts as 0, as in Keras, whose maximum includes the right class
    as 0. For soft rows y_right is the mixture of the outputs, and output k is wrong by 1 - t_k.

    Source: Crammer and Singer 2001, On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines.
    """
    rows = target_rows(outputs, targets)
    right, rival = (rows * outputs).sum(dim=1), ((1 - rows) * outputs).amax(dim=1)
    return class_weighted(F.relu(1 - right + rival), class_weights, outputs, targets)


def kl_divergence(
    outputs: Tensor, targets: Tensor, *, inputs: Form = "logits", class_weights: Weights | None = None
) -> Tensor:
    """Kullback-Leibler divergence from the targets' distribution: sum over K of t (ln t - ln p), in nats, in [0, inf).

    A class with t = 0 costs nothing; Keras replaces its t by 1e-7, which costs up to 1.6e-6 for each such class.
    Probabilities are clipped to [1e-7, 1] and not rescaled, as in Keras. From logits the gradient is p - t.

    Source: Kullback and Leibler 1951, On Information and Sufficiency.
    """
    rows = target_rows(outputs, targets)
    clipped = inputs == "probabilities"
    logarithms = widened(outputs).clamp(EPSILON, 1).log() if clipped else log_probabilities(outputs, inputs)
    losses = torch.where(rows == 0, 0.0, rows * (rows.log() - logarithms)).sum(dim=1)
    return class_weighted(losses, class_weights, outputs, targets)


def generalized_cross_entropy(
    outputs: Tensor, targets: Tensor, *, inputs: Form = "logits", q: float = 0.7, class_weights: Weights | None = None
) -> Tensor:
    """(1 - p^q) / q for p of the right class: between cross-entropy (q near 0) and 1 - p (q = 1), in [0, 1 / q].

    q is in (0, 1]. The loss of a soft row is the mixture of the classes' losses. Probabilities are not rescaled, as in
    Keras. Their gradient is -p^(q - 1), which has no bound; therefore the loss is a straight line below p = 1e-7, to
    1 / q at p = 0.

    Source: Zhang and Sabuncu 2018, Generalized Cross Entropy Loss for Training Deep Neural Networks.
    """
    rows = target_rows(outputs, targets)
    if inputs == "probabilities":
        outputs = widened(outputs)
        curve = one_minus_exp(q * outputs.clamp(min=EPSILON).log())
        losses = torch.where(outputs < EPSILON, 1 - outputs * EPSILON ** (q - 1), curve)
    else:
        losses = one_minus_exp(q * log_probabilities(outputs, inputs))
    return class_weighted((rows * losses).sum(dim=1) / q, class_weights, outputs, targets)


def symmetric_cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    inputs: Form = "logits",
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    class_weights: Weights | None = None,
) -> Tensor:
    """Cross-entropy and its reverse: alpha (-sum over K of t ln p) + beta (-sum over K of p ln t), in [0, inf).

    alpha and beta are at least 0. log_zero is below 0 and is the lowest value of ln t, so that for a class index the
    second part is -log_zero beta (1 - p_right). Probabilities are clipped as in `cross_entropy`.

    Source: Wang and others 2019, Symmetric Cross Entropy for Robust Learning with Noisy Labels.
    """
    rows = target_rows(outputs, targets)
    logarithms = log_probabilities(outputs, inputs)
    forward = torch.where(rows == 0, 0.0, rows * logarithms).sum(dim=1)
    reverse = (logarithms.exp() * rows.log().clamp(min=log_zero)).sum(dim=1)
    return class_weighted(-alpha * forward - beta * reverse, class_weights, outputs, targets)
