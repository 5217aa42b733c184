"""Metrics that are not losses: one function for each, by its declared name.

`name(predicted, targets, weights)` returns a scalar. predicted: (N, K), what the metrics score (`metrics.predictions`),
of one model, in original units. targets: class indices (N,) for multiclass, otherwise rows (N, K). weights: (N,), of
the samples; None if all count the same. All are in double precision.

A metric that shares its work with others has a formula in `classes.py` or `regression.py`, which is used instead.
"""

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.components.metrics.sample_means import over_samples


def rmse(predicted: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Root of the mean squared error, over samples and outputs."""
    return over_samples((predicted - targets).square().mean(dim=1), weights).sqrt()


def brier(predicted: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Squared error of the probabilities, summed over the classes. Source: Brier 1950, Verification of Forecasts."""
    truths = F.one_hot(targets, predicted.shape[1]) if targets.ndim == 1 else targets
    return over_samples((predicted - truths).square().sum(dim=1), weights)
