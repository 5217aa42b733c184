"""The losses by name: outputs first, targets second, one value per sample. What each parameter may be:
`catalog/losses/`.

Shapes: outputs (N, K), and targets of the very same shape, or class indices (N,) where a loss takes classes. A
sample's loss is the mean over its K outputs, or one value for all of them together (`averages_outputs` in the
catalogue says which). Nothing is ever broadcast.
"""

from collections.abc import Callable, Mapping
from typing import Final

from torch import Tensor

from lossrun.components.losses.arguments import Form, Weights
from lossrun.components.losses.binary import (
    binary_cross_entropy,
    binary_focal,
    dice,
    hinge,
    multilabel_soft_margin,
    squared_hinge,
    tversky,
)
from lossrun.components.losses.classes import (
    categorical_hinge,
    cross_entropy,
    focal,
    generalized_cross_entropy,
    kl_divergence,
    multi_margin,
    symmetric_cross_entropy,
)
from lossrun.components.losses.regression import (
    cosine_similarity,
    gaussian_nll,
    huber,
    log_cosh,
    mae,
    mape,
    mse,
    msle,
    poisson_nll,
    quantile,
    smooth_l1,
)

LOSS_FUNCTIONS: Final[Mapping[str, Callable[..., Tensor]]] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "smooth_l1": smooth_l1,
    "log_cosh": log_cosh,
    "quantile": quantile,
    "mape": mape,
    "msle": msle,
    "poisson_nll": poisson_nll,
    "gaussian_nll": gaussian_nll,
    "cosine_similarity": cosine_similarity,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_focal": binary_focal,
    "hinge": hinge,
    "squared_hinge": squared_hinge,
    "multilabel_soft_margin": multilabel_soft_margin,
    "dice": dice,
    "tversky": tversky,
    "cross_entropy": cross_entropy,
    "focal": focal,
    "multi_margin": multi_margin,
    "categorical_hinge": categorical_hinge,
    "kl_divergence": kl_divergence,
    "generalized_cross_entropy": generalized_cross_entropy,
    "symmetric_cross_entropy": symmetric_cross_entropy,
}

__all__ = ["LOSS_FUNCTIONS", "Form", "Weights", *LOSS_FUNCTIONS]
