"""The losses of one class of several: outputs first, targets second, one value per sample.

Shapes: outputs (N, K), of the form that `inputs` says: logits (softmax is applied; the stable form), probabilities, or
log_probabilities. targets: class indices (N,), or rows (N, K), one-hot or soft; an index and its one-hot row are the
same target. Returned are (N,), each one value for all K outputs.

class_weights: K of them; a sample's loss is multiplied by the weight of its class, of a soft target by the mixture
(`cross_entropy`: see there).

ValueError is raised for shapes, weights or `inputs` that do not fit; nothing is broadcast.
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
    smoothed,
    target_rows,
    weight_tensor,
)

# What torch takes for "no class".
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

    probabilities are rescaled to sum 1, then clipped to [1e-7, 1 - 1e-7], as Keras (the gradient is 0 where they are
    clipped); log_probabilities taken as they are, as torch.nn.NLLLoss. From logits the gradient is p - t.
    label_smoothing s: t becomes t (1 - s) + s / K. class_weights: of each class, inside the sum, so that the smoothed
    share of a class has that class's weight. Both as torch.nn.CrossEntropyLoss (in Keras the weight is the sample's,
    and also its smoothed shares have that one).
    ignore_index: samples of that class cost 0; a soft row counts for the rest of its shares.
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
    rows = target_rows(outputs, targets)
    shares = smoothed(rows, label_smoothing, classes)
    if weights is not None:
        shares = shares * weights
    if 0 <= ignored < classes:
        shares = shares * (1 - rows[:, ignored : ignored + 1])
    # A class with no share costs nothing, even where its log-probability is -inf.
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
    """Cross-entropy in which what is already right counts less: -alpha sum over K of t (1 - p)^gamma ln p, in nats.

    gamma: at least 0; 0 and alpha 1 are `cross_entropy`. label_smoothing and the clipping of probabilities as there.
    From logits ln p is a log-softmax, so logits of any size give the true value and a finite gradient. Keras goes by
    way of probabilities clipped to [1e-7, 1 - 1e-7]: there a sample that is wrong by a logit of 100 costs alpha 16.1
    instead of alpha 100, and has no gradient. In [0, inf). Source: Lin and others 2017.
    """
    shares = smoothed(target_rows(outputs, targets), label_smoothing, outputs.shape[1])
    logarithms = log_probabilities(outputs, inputs)
    # 1 - p. At 0 the power with gamma < 1 has an infinite slope.
    misses = (-torch.expm1(logarithms)).clamp(min=torch.finfo(outputs.dtype).tiny)
    losses = -alpha * torch.where(shares == 0, 0.0, shares * misses.pow(gamma) * logarithms).sum(dim=1)
    return class_weighted(losses, class_weights, outputs, targets)


def multi_margin(
    outputs: Tensor, targets: Tensor, *, p: int = 1, margin: float = 1.0, class_weights: Weights | None = None
) -> Tensor:
    """(Sum over the wrong classes k of max(0, margin - y_right + y_k)^p) / K, in [0, inf).

    outputs: logits. p: 1 or 2; margin above 0, in units of the outputs. As torch.nn.MultiMarginLoss. Soft rows: y_right
    is the mixture of the outputs, and class k is wrong by 1 - t_k.
    Source: Weston and Watkins 1999, Support Vector Machines for Multi-Class Pattern Recognition.
    """
    rows = target_rows(outputs, targets)
    right = (rows * outputs).sum(dim=1, keepdim=True)
    shortfalls = F.relu(margin - right + outputs)
    if p == 2:
        shortfalls = shortfalls.square()
    return class_weighted(((1 - rows) * shortfalls).mean(dim=1), class_weights, outputs, targets)


def categorical_hinge(outputs: Tensor, targets: Tensor, *, class_weights: Weights | None = None) -> Tensor:
    """max(0, 1 - y_right + the greatest wrong output), in [0, inf).

    outputs: logits. The greatest wrong output counts as at least 0, as in Keras, where the right class takes part as 0.
    Soft rows: y_right is the mixture of the outputs, and output k is wrong by 1 - t_k.
    Source: Crammer and Singer 2001, On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines.
    """
    rows = target_rows(outputs, targets)
    right, rival = (rows * outputs).sum(dim=1), ((1 - rows) * outputs).amax(dim=1)
    return class_weighted(F.relu(1 - right + rival), class_weights, outputs, targets)


def kl_divergence(
    outputs: Tensor, targets: Tensor, *, inputs: Form = "logits", class_weights: Weights | None = None
) -> Tensor:
    """Kullback-Leibler divergence from the targets' distribution: sum over K of t (ln t - ln p), in nats, in [0, inf).

    A class with t = 0 costs nothing; Keras takes its t as 1e-7, which costs up to 1.6e-6 for each such class.
    probabilities are clipped to [1e-7, 1] and not rescaled, as in Keras. From logits the gradient is p - t.
    Source: Kullback and Leibler 1951, On Information and Sufficiency.
    """
    rows = target_rows(outputs, targets)
    clipped = inputs == "probabilities"
    logarithms = outputs.clamp(EPSILON, 1).log() if clipped else log_probabilities(outputs, inputs)
    losses = torch.where(rows == 0, 0.0, rows * (rows.log() - logarithms)).sum(dim=1)
    return class_weighted(losses, class_weights, outputs, targets)


def generalized_cross_entropy(
    outputs: Tensor, targets: Tensor, *, inputs: Form = "logits", q: float = 0.7, class_weights: Weights | None = None
) -> Tensor:
    """(1 - p^q) / q for p of the right class: between cross-entropy (q near 0) and 1 - p (q = 1), in [0, 1 / q].

    q: within (0, 1]. Soft rows: the mixture of the classes' losses. Probabilities are not rescaled, as in Keras. Their
    gradient is -p^(q - 1), which has no bound; so below p = 1e-7 the loss goes in a straight line to 1 / q at p = 0.
    Source: Zhang and Sabuncu 2018, Generalized Cross Entropy Loss for Training Deep Neural Networks.
    """
    rows = target_rows(outputs, targets)
    if inputs == "probabilities":
        powers = -torch.expm1(q * outputs.clamp(min=EPSILON).log())
        losses = powers + (EPSILON - outputs).clamp(min=0) * EPSILON ** (q - 1)
    else:
        losses = -torch.expm1(q * log_probabilities(outputs, inputs))
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

    alpha, beta: at least 0. log_zero: below 0; ln t is at least this, so that of a class index the second part is
    -log_zero beta (1 - p_right). Clipping of probabilities as in `cross_entropy`.
    Source: Wang and others 2019, Symmetric Cross Entropy for Robust Learning with Noisy Labels.
    """
    rows = target_rows(outputs, targets)
    logarithms = log_probabilities(outputs, inputs)
    forward = torch.where(rows == 0, 0.0, rows * logarithms).sum(dim=1)
    reverse = (logarithms.exp() * rows.log().clamp(min=log_zero)).sum(dim=1)
    return class_weighted(-alpha * forward - beta * reverse, class_weights, outputs, targets)
