"""Compute the metrics of classes, several from one pass over the outputs. See `metrics.compute_metrics`."""

from dataclasses import dataclass
from math import inf
from typing import Final

import torch
from torch import Tensor

from lossrun.catalog import Task
from lossrun.catalog.declaration import Prediction
from lossrun.catalog.metrics import MOST_RANKED
from lossrun.components.metrics.decisions import decisions
from lossrun.components.metrics.declared import plain
from lossrun.components.metrics.exact_softmax import softmax, softplus
from lossrun.components.metrics.ranks import macro, ranked
from lossrun.components.metrics.sample_means import exact_weights, mean, over_samples, power_of_two
from lossrun.components.network import Output, activated

# The formulas below use a square for a focal gamma of 2, and 1 for all margins.
MARGIN: Final = plain("multi_margin", "margin")
DICE_EPS: Final = plain("dice", "eps")
GENERALIZED_Q: Final = plain("generalized_cross_entropy", "q")
SYMMETRIC_ALPHA: Final = plain("symmetric_cross_entropy", "alpha")
SYMMETRIC_BETA: Final = plain("symmetric_cross_entropy", "beta")
LOG_ZERO: Final = plain("symmetric_cross_entropy", "log_zero")
# The bins of the expected calibration error, as in Guo et al. (2017).
BINS: Final = 15


@dataclass(frozen=True, slots=True)
class ClassTargets:
    """Targets of classes or labels, in the forms that the formulas need.

    Attributes:
        truths: (K, N), bool: whether a class or label is true for a sample.
        values: The same as numbers 0 and 1.
        signs: (K, N): -1 if true, otherwise 1. A logit times its sign is the logit of being wrong.
        counts: (K,): the samples for which each class or label is true, by weight if there are `weights`.
        labels: (1, N): the true class, for exclusive classes.
        mentions: (N,): the number of labels that are true for each sample.
        weights: (N,), float64, at least 0; sums of them are exact in any order. None if all samples count the same.
    """

    truths: Tensor
    values: Tensor
    signs: Tensor
    counts: Tensor
    labels: Tensor
    mentions: Tensor
    weights: Tensor | None = None


def class_targets(targets: Tensor, outputs: int, weights: Tensor | None) -> ClassTargets:
    """See `metrics.prepared_targets`."""
    if targets.ndim == 1:
        labels = targets.long().unsqueeze(0)
        truths = labels == torch.arange(outputs, device=targets.device).unsqueeze(-1)
    else:
        truths = (targets > 0.5).mT.contiguous()
        labels = truths.byte().argmax(dim=0, keepdim=True)
    values = truths.double()
    if weights is not None:
        weights = exact_weights(weights)
    counts = values.sum(dim=1) if weights is None else (values * weights).sum(dim=1)
    return ClassTargets(truths, values, 1 - 2 * values, counts, labels, values.sum(dim=0), weights)


# Most functions below work in place: for arrays larger than the caches, new memory costs more than the arithmetic.


def exclusive_metrics(
    raw: Tensor, targets: ClassTargets, output: Output, reads_as: Prediction | None
) -> dict[str, Tensor]:
    """Return the metrics of exclusive classes. Overwrites `raw` (..., K, N)."""
    top, guesses = raw.max(dim=-2, keepdim=True)
    labels = targets.labels.expand_as(guesses)
    weights = targets.weights
    right = guesses == labels
    ranks = {} if output == "softmax" else _of_ranks(raw, targets)
    if output == "softmax":
        of_right = raw.gather(-2, labels)
        shared = softmax(raw, top, guesses)
        ranks = _of_ranks(shared.order(), targets)
        log_right = shared.log_p.gather(-2, labels)
        values, wrong = _of_right_class(log_right, weights)
        values["binary_cross_entropy"] = -mean(shared.log_no.scatter_(-2, labels, log_right), weights)
        # 1 minus the probability of the right class is the sum of the others, which keeps more digits.
        values["mse"] = mean(shared.p.scatter_(-2, labels, wrong).square_(), weights)
        sure = shared.p_top
        values["mae"] = mean(wrong, weights) * (2 / raw.shape[-2])
        values["categorical_hinge"] = _categorical_hinge(
            of_right, torch.where(right, top + shared.second, top), weights
        )
        values["multi_margin"] = _multi_margin(shared.log_p, log_right, labels, weights)
    elif output == "sigmoid":
        # A cross-entropy needs probabilities that sum to 1.
        values, _ = _of_right_class((-softplus(-raw)).log_softmax(dim=-2).gather(-2, labels), weights)
        wrong_logits = raw * targets.signs
        values["binary_cross_entropy"] = mean(softplus(wrong_logits), weights)
        sure = top.sigmoid()
        values |= _of_errors(wrong_logits.sigmoid_(), weights)
        values |= _of_margins(raw, top, guesses, labels, weights)
    elif reads_as is None:
        values = _of_margins(raw, top, guesses, labels, weights)
    else:
        values = _of_errors(activated(raw, output).sub_(targets.values).abs_(), weights)

    guesses, labels = guesses.squeeze(-2), labels.squeeze(-2)
    hit = right.squeeze(-2).double()
    values["accuracy"] = over_samples(hit, weights)
    if output != "none":
        values["brier"] = values["mse"] * raw.shape[-2]
        sure = sure.squeeze(-2)
        values["expected_calibration_error"] = _calibration_error(sure, sure - hit, weights)
    counts = targets.counts.expand(*hit.shape[:-1], -1)
    # Sums of whole numbers, so they are exact in any order. (Sums over one-hot rows would cost K times as much.)
    ones = torch.ones_like(hit) if weights is None else weights.expand_as(hit)
    hits = torch.zeros_like(counts).scatter_add(-1, labels, hit if weights is None else hit * weights)
    mentions = counts.scatter_add(-1, guesses, ones)
    # As in scikit-learn's f1_score, the mean is over classes that are the label or the prediction of a sample whose
    # weight is not 0.
    decided = decisions(hits, mentions - counts, counts)
    met = mentions.count_nonzero(dim=-1)
    values["macro_f1"] = decided.f1.sum(dim=-1) / met
    values["precision"], values["recall"] = decided.precision.sum(dim=-1) / met, decided.recall.sum(dim=-1) / met
    return values | ranks


def label_metrics(
    task: Task, raw: Tensor, targets: ClassTargets, output: Output, reads_as: Prediction | None
) -> dict[str, Tensor]:
    """Return the metrics of binary labels, one or several per sample. Overwrites `raw` (..., K, N)."""
    values, weights = {}, targets.weights
    # Outputs trained towards 0 and 1 decide at 0.5, logits and margins at 0.
    plain = output == "none" and reads_as == "mean"
    yeses = raw > (0.5 if plain else 0)
    ranks = {} if output == "softmax" else _of_ranks(raw, targets)
    if plain:
        values = _of_errors(raw.sub_(targets.values).abs_(), weights)
    else:
        wrong = raw * targets.signs
        if task == "binary":
            shortfalls = (wrong + MARGIN).clamp_(min=0)
            values["hinge"] = mean(shortfalls, weights)
            values["squared_hinge"] = mean(shortfalls.square_(), weights)
        if output == "sigmoid":
            costs = softplus(wrong)
            values |= _of_probabilities(task, wrong.sigmoid_(), costs, targets)
        elif output == "softmax":
            shared = softmax(raw, *raw.max(dim=-2, keepdim=True))
            yeses = shared.p > 0.5
            ranks = _of_ranks(shared.order(), targets)
            costs = torch.where(targets.truths, shared.log_p, shared.log_no).neg_()
            values |= _of_probabilities(task, shared.p.sub_(targets.values).abs_(), costs, targets)

    right = yeses == targets.truths
    if weights is None:
        values["accuracy"] = right.sum(dim=(-2, -1), dtype=torch.float64) / targets.truths.numel()
    else:
        values["accuracy"] = mean(right, weights)
    decided = decisions(_count(yeses & targets.truths, weights), _count(yeses, weights), targets.counts)
    values["macro_f1" if task == "multilabel" else "f1"] = decided.f1.mean(dim=-1)
    values["precision"], values["recall"] = decided.precision.mean(dim=-1), decided.recall.mean(dim=-1)
    return values | ranks


def _count(yeses: Tensor, weights: Tensor | None) -> Tensor:
    """Return the number of samples for which each label is true, or the sum of their weights, (..., K)."""
    return yeses.sum(dim=-1) if weights is None else (yeses * weights).sum(dim=-1)


def _of_errors(errors: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
    """Return the metrics of |p - t|, (..., K, N), which is overwritten."""
    return {"mae": mean(errors, weights), "mse": mean(errors.square_(), weights)}


def _of_probabilities(task: Task, errors: Tensor, costs: Tensor, targets: ClassTargets) -> dict[str, Tensor]:
    """Return the metrics of |p - t|, which is overwritten, and of -ln(1 - |p - t|), both (..., K, N)."""
    weights = targets.weights
    values = {"binary_cross_entropy": mean(costs, weights)}
    if task == "multilabel":
        missing = errors.sum(dim=-2)
        # Because t is 0 or 1, sum of t + sum of p - 2 (sum of t p) is the sum of |p - t|, which loses no digits near 0.
        both = (errors * targets.signs).sum(dim=-2).add_(targets.mentions, alpha=2).add_(DICE_EPS)
        values["dice"] = over_samples(missing / both, weights)
    gaps = errors * targets.signs  # p - t
    values["expected_calibration_error"] = _calibration_error(
        (gaps + targets.values).flatten(-2),
        gaps.flatten(-2),
        None if weights is None else weights.repeat(gaps.shape[-2]),
    )
    values |= _of_errors(errors, weights)
    values["brier"] = values["mse"] * errors.shape[-2]
    # The errors are squared by now, which is the power gamma.
    values["binary_focal"] = mean(errors.mul_(costs), weights)
    return values


def _calibration_error(probabilities: Tensor, gaps: Tensor, weights: Tensor | None) -> Tensor:
    """Return the expected calibration error, (...), to about 1e-11.

    The probabilities are divided into bins of equal width; a bin includes its upper edge, and the first bin also 0. In
    each bin the gaps p - t are added up, by weight. The error is the sum over bins of |sum|, divided by the number of
    samples or the sum of the weights.

    The gaps are rounded to multiples of a power of 2 that is large enough for their sums to be exact, so the result
    does not depend on the order in which a GPU adds.

    Args:
        probabilities, gaps: (..., N).
        weights: (N,), or None.
    """
    edges = torch.arange(1, BINS, dtype=probabilities.dtype, device=probabilities.device) / BINS
    bins = torch.bucketize(probabilities, edges)
    if weights is not None:
        total = weights.sum()
        gaps, power = gaps * weights, power_of_two(total)
        sums = gaps.new_zeros(*gaps.shape[:-1], BINS).scatter_add(-1, bins, (gaps / power).round_())
        return sums.abs_().sum(dim=-1) * (power / total)
    samples = gaps.shape[-1]
    unit = 2.0 ** (samples.bit_length() - 52)
    sums = gaps.new_zeros(*gaps.shape[:-1], BINS).scatter_add(-1, bins, (gaps / unit).round_())
    return sums.abs_().sum(dim=-1) * (unit / samples)


def _of_right_class(log_right: Tensor, weights: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
    """Return the metrics that need only the right class's log-probability, and 1 - its probability, (..., 1, N)."""
    wrong = log_right.expm1().neg_()
    cross_entropy = -mean(log_right, weights)
    values = {
        "cross_entropy": cross_entropy,
        "focal": -mean(wrong.square().mul_(log_right), weights),
        "generalized_cross_entropy": mean((log_right * GENERALIZED_Q).expm1_(), weights) / -GENERALIZED_Q,
        # The reverse cross-entropy is the probability of each wrong class times the logarithm of 0.
        "symmetric_cross_entropy": SYMMETRIC_ALPHA * cross_entropy - SYMMETRIC_BETA * LOG_ZERO * mean(wrong, weights),
    }
    return values, wrong


def _of_margins(raw: Tensor, top: Tensor, guesses: Tensor, labels: Tensor, weights: Tensor | None) -> dict[str, Tensor]:
    """Return the metrics of margins. Overwrites `raw` (..., K, N)."""
    of_right = raw.gather(-2, labels)
    second = raw.scatter(-2, guesses, -inf).amax(dim=-2, keepdim=True)
    rival = torch.where(guesses == labels, second, top)
    return {
        "categorical_hinge": _categorical_hinge(of_right, rival, weights),
        "multi_margin": _multi_margin(raw, of_right, labels, weights),
    }


def _categorical_hinge(of_right: Tensor, rival: Tensor, weights: Tensor | None) -> Tensor:
    """Return the categorical hinge. `rival`, (..., 1, N), is the largest wrong output; below 0 it counts as 0."""
    return mean((rival.clamp(min=0) - of_right).add_(MARGIN).clamp_(min=0), weights)


def _multi_margin(outputs: Tensor, of_right: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
    """Return the multi-class margin, for outputs (..., K, N) up to a constant per sample. Overwrites `outputs`."""
    return mean(outputs.sub_(of_right - MARGIN).clamp_(min=0).scatter_(-2, labels, 0.0), weights)


def _of_ranks(scores: Tensor, targets: ClassTargets) -> dict[str, Tensor]:
    """Return the metrics of ranks, as means over the classes that have a value.

    Args:
        scores: (..., K, N); they are not changed. Log-odds are better than probabilities, which tie if they have been
            rounded to 0 or 1.
        targets: The targets.
    """
    if scores.shape[-2] > MOST_RANKED:
        return {}
    found, counts, weights = ranked(scores, targets.values, targets.weights), targets.counts, targets.weights
    total = targets.values.shape[-1] if weights is None else weights.sum()
    present = counts > 0
    return {
        "auc": macro(found.auc, present & (counts < total)),
        "average_precision": macro(found.average_precision, present),
    }
