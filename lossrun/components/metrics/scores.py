"""Metrics that are not losses: one function for each, by its declared name.

`name(predicted, targets, weights)` returns a scalar. predicted: (N, K), of one model: what the metrics score
(`metrics.predictions`), in original units; for a metric declared `of_decisions` what is predicted, bool; for one
declared `of_ranks` any scores in the order of the predictions. targets: class indices (N,) for multiclass, otherwise
rows (N, K). weights: (N,), of the samples, at least 0. Numbers are in double precision.

A metric that shares its work with others has a formula in `classes.py` or `regression.py`, which is used instead to
score runs. These functions are what it must equal, and their derivatives by the weights say how a metric varies over
samples (`item_shares.py`). So the weights are used by differentiable operations only.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.metrics.classes import BINS
from lossrun.components.metrics.decisions import Decisions, decisions
from lossrun.components.metrics.ranks import ranked
from lossrun.components.metrics.sample_means import over_samples


def accuracy(decided: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Share of correct labels; with several labels for each sample, of correct cells."""
    right = decided == _truths(targets, decided)
    return over_samples((right.all(dim=1) if targets.ndim == 1 else right.double().mean(dim=1)).double(), weights)


def f1(decided: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """F1 of class 1."""
    return _by_class(decided, targets, weights).f1.mean()


def macro_f1(decided: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """F1 of each class, averaged over the classes that occur."""
    return _by_class(decided, targets, weights).f1.mean()


def precision(decided: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Share of a class among the samples predicted as this class; mean over the classes that occur."""
    return _by_class(decided, targets, weights).precision.mean()


def recall(decided: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Share of the samples of a class that are predicted as this class; mean over the classes that occur."""
    return _by_class(decided, targets, weights).recall.mean()


def auc(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Area under the ROC curve; mean over the classes with samples inside and outside them."""
    truths = _truths(targets, scores).double().mT
    counts = (truths * weights).sum(dim=1)
    two_sided = (counts > 0) & (counts < weights.sum())
    return ranked(scores.mT[two_sided], truths[two_sided], weights).auc.mean()


def average_precision(scores: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Precision at the rank of each sample of a class, averaged; mean over the classes with samples."""
    truths = _truths(targets, scores).double().mT
    present = (truths * weights).sum(dim=1) > 0
    return ranked(scores.mT[present], truths[present], weights).average_precision.mean()


def brier(predicted: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Squared error of the probabilities, summed over the classes. Source: Brier 1950, Verification of Forecasts."""
    return over_samples((predicted - _truths(targets, predicted).double()).square().sum(dim=1), weights)


def expected_calibration_error(predicted: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Sum over 15 bins of |mean of p - share of true labels|, by the weight of the bin. Source: Guo et al. 2017."""
    if targets.ndim == 1:
        sure, guesses = predicted.max(dim=1)
        gaps = sure - (guesses == targets).double()
    else:
        sure, gaps = predicted.flatten(), (predicted - targets).flatten()
        weights = weights.repeat_interleave(predicted.shape[1])
    edges = torch.arange(1, BINS, dtype=sure.dtype, device=sure.device) / BINS
    sums = gaps.new_zeros(BINS).scatter_add(0, torch.bucketize(sure, edges), gaps * weights)
    return sums.abs().sum() / weights.sum()


def rmse(predicted: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Root of the mean squared error, over samples and outputs."""
    return over_samples((predicted - targets).square().mean(dim=1), weights).sqrt()


def r2(predicted: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """1 - squared error / variance of the targets, mean over the outputs; NaN if a target is constant."""
    errors, distances = (predicted - targets).mT, (targets - targets[weights.argmax()]).mT
    distances = distances - over_samples(distances, weights).unsqueeze(1)
    variance = over_samples(distances.square(), weights)
    return 1 - (over_samples(errors.square(), weights) / variance.where(variance > 0, torch.nan)).mean()


def _truths(targets: Tensor, of_classes: Tensor) -> Tensor:
    """Return what is true, bool (N, K)."""
    return F.one_hot(targets, of_classes.shape[1]).bool() if targets.ndim == 1 else targets > 0.5


def _by_class(decided: Tensor, targets: Tensor, weights: Tensor) -> Decisions:
    """Return the metrics of each class; of exclusive classes, those that are a label or a prediction of a sample."""
    each, truths = weights.unsqueeze(1), _truths(targets, decided)
    hits, guessed, counts = ((each * one).sum(dim=0) for one in (decided & truths, decided, truths))
    met = guessed + counts > 0 if targets.ndim == 1 else torch.ones_like(counts, dtype=torch.bool)
    return decisions(hits[met], guessed[met], counts[met])
