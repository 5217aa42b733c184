"""Measure how well outputs rank samples: the area under the ROC curve and average precision, for each class."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ranked:
    """`auc` and `average_precision`, (..., K).

    Both are NaN for a class without samples; `auc` also for a class that all samples belong to.
    """

    auc: Tensor
    average_precision: Tensor


def ranked(scores: Tensor, values: Tensor, weights: Tensor | None = None) -> Ranked:
    """Return, for each class, how the samples of the class rank among all samples.

    The results are those of scikit-learn's `roc_auc_score` and `average_precision_score` for each class. If a score of
    a class is NaN, so are its results. No value is read back and no shape depends on a value: the samples are sorted,
    and the tie of a sample begins at the last place before it where the score changed.

    Args:
        scores: (..., K, N), higher for samples that more likely belong to the class. Only their order matters; equal
            scores tie.
        values: (K, N), 1 for samples of the class and 0 for others.
        weights: (N,), of the samples; None if all count the same.
    """
    ordered, order = scores.sort(dim=-1)
    first = torch.ones_like(ordered[..., :1], dtype=torch.bool)
    changed = torch.cat([first, ordered[..., 1:] != ordered[..., :-1]], dim=-1)
    counted = values if weights is None else values * weights
    positive = counted.expand_as(scores).gather(-1, order)
    if weights is None:
        total = torch.full_like(counted[:, 0], values.shape[-1])
        # Without weights, the number of samples before a place is the place itself.
        before = torch.arange(values.shape[-1], dtype=values.dtype, device=values.device)
        negative, below = 1 - positive, _at_ties(before.expand_as(ordered), changed)
    else:
        total = weights.sum().expand_as(counted[:, 0])
        each = weights.expand_as(scores).gather(-1, order)
        negative, below = each - positive, _at_ties(each.cumsum(dim=-1) - each, changed)
    positives = counted.sum(dim=-1)
    # Samples with a lower score, or their weights: all of them, and those of the class.
    positive_below = _at_ties(positive.cumsum(dim=-1) - positive, changed)
    # Pairs in the right order minus pairs in the wrong order, divided by all pairs.
    right = (positive * (below - positive_below)).sum(dim=-1)
    wrong = (negative * positive_below).sum(dim=-1)
    auc = 0.5 + (right - wrong) / (2 * positives * (total - positives))
    # For each sample: the share of the class among the samples with at least its score.
    at_least = (total.unsqueeze(-1) - below).clamp_(min=torch.finfo(values.dtype).tiny)
    precision = (positives.unsqueeze(-1) - positive_below).div_(at_least)
    average_precision = (positive * precision).sum(dim=-1) / positives
    broken = scores.isnan().any(dim=-1)
    return Ranked(*(value.masked_fill(broken, torch.nan) for value in (auc, average_precision)))


def macro(values: Tensor, defined: Tensor) -> Tensor:
    """Return the mean over the classes, (..., K), that are `defined`, (K,); NaN if there are none."""
    return torch.where(defined, values, 0.0).sum(dim=-1) / defined.sum()


def _at_ties(amounts: Tensor, changed: Tensor) -> Tensor:
    """Return amounts, which never fall along the last axis, as they are at the first place of each tie."""
    return torch.where(changed, amounts, 0.0).cummax(dim=-1).values
