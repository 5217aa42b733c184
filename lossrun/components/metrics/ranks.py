"""How well outputs put samples in order: the area under the ROC curve and average precision, of each class."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Ranked:
    """`auc`, `average_precision`: (..., K); NaN where a class is true of no sample, `auc` also where of all."""

    auc: Tensor
    average_precision: Tensor


def ranked(scores: Tensor, values: Tensor, weights: Tensor | None = None) -> Ranked:
    """Of each class, how samples of which it is true rank among all.

    scores: (..., K, N), the higher the surer that the class is true; only their order counts, and equal ones tie.
    values: (K, N), 1 where it is true and else 0. weights: (N,), how much each sample counts, None: alike.

    As scikit-learn's `roc_auc_score` and `average_precision_score` for each class. NaN among the scores of a class
    gives NaN. Nothing is read, and no shape depends on a value: samples are sorted, and a sample's tie is found as the
    last place so far at which the score changed.
    """
    ordered, order = scores.sort(dim=-1)
    first = torch.ones_like(ordered[..., :1], dtype=torch.bool)
    changed = torch.cat([first, ordered[..., 1:] != ordered[..., :-1]], dim=-1)
    counted = values if weights is None else values * weights
    positive = counted.expand_as(scores).gather(-1, order)
    if weights is None:
        total = torch.full_like(counted[:, 0], values.shape[-1])
        # Of all samples, those before a place are its number.
        before = torch.arange(values.shape[-1], dtype=values.dtype, device=values.device)
        negative, below = 1 - positive, _at_ties(before.expand_as(ordered), changed)
    else:
        total = weights.sum().expand_as(counted[:, 0])
        each = weights.expand_as(scores).gather(-1, order)
        negative, below = each - positive, _at_ties(each.cumsum(dim=-1) - each, changed)
    positives = counted.sum(dim=-1)
    # Samples, or their weights, that score less: of those of which the class is true, and of the others.
    positive_below = _at_ties(positive.cumsum(dim=-1) - positive, changed)
    # Pairs in the right order less pairs in the wrong one, of all pairs.
    right = (positive * (below - positive_below)).sum(dim=-1)
    wrong = (negative * positive_below).sum(dim=-1)
    auc = 0.5 + (right - wrong) / (2 * positives * (total - positives))
    # At each sample: of those that score as much or more, the share of which the class is true.
    at_least = (total.unsqueeze(-1) - below).clamp_(min=torch.finfo(values.dtype).tiny)
    precision = (positives.unsqueeze(-1) - positive_below).div_(at_least)
    average_precision = (positive * precision).sum(dim=-1) / positives
    broken = scores.isnan().any(dim=-1)
    return Ranked(*(value.masked_fill(broken, torch.nan) for value in (auc, average_precision)))


def macro(values: Tensor, defined: Tensor) -> Tensor:
    """The mean over the classes, (..., K), that are `defined`, (K,); NaN where none is."""
    return torch.where(defined, values, 0.0).sum(dim=-1) / defined.sum()


def _at_ties(amounts: Tensor, changed: Tensor) -> Tensor:
    """Amounts that never fall along the last axis, each as it is at the first place of its tie."""
    return torch.where(changed, amounts, 0.0).cummax(dim=-1).values
