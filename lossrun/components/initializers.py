"""The initializers: one function each, which fills the weights of a layer in place.

They are declared in `catalog/initializers.py`.

The weights of a dense layer have shape (outputs, inputs), those of a convolution (outputs, inputs, height, width). Fans
include a convolution's window, as in Keras. The functions draw from torch's global generator.
"""

from math import sqrt
from typing import Final

from torch import Tensor, nn, no_grad

# Standard deviation of a standard normal number that is redrawn beyond 2, as in Keras' VarianceScaling.
TRUNCATED_STD: Final = 0.87962566103423978


def torch(weights: Tensor) -> None:
    """Leave the weights as torch drew them when it made the layer."""


def glorot_uniform(weights: Tensor) -> None:
    """Uniform within sqrt(6 / (fan_in + fan_out))."""
    nn.init.xavier_uniform_(weights)


def glorot_normal(weights: Tensor, *, truncated: bool = False) -> None:
    """Normal, of variance 2 / (fan_in + fan_out)."""
    if truncated:
        _truncated(weights, sqrt(2 / (_fan_in(weights) + _fan_out(weights))))
    else:
        nn.init.xavier_normal_(weights)


def he_uniform(weights: Tensor) -> None:
    """Uniform within sqrt(6 / fan_in)."""
    nn.init.kaiming_uniform_(weights, nonlinearity="relu")


def he_normal(weights: Tensor, *, truncated: bool = False) -> None:
    """Normal, of variance 2 / fan_in."""
    if truncated:
        _truncated(weights, sqrt(2 / _fan_in(weights)))
    else:
        nn.init.kaiming_normal_(weights, nonlinearity="relu")


def normal(weights: Tensor, *, std: float) -> None:
    """Normal around 0."""
    nn.init.normal_(weights, std=std)


def truncated_normal(weights: Tensor, *, std: float) -> None:
    """Normal around 0, redrawn beyond two standard deviations and not rescaled, as Keras' TruncatedNormal."""
    nn.init.trunc_normal_(weights, std=std, a=-2 * std, b=2 * std)


def constant(weights: Tensor, *, value: float) -> None:
    """The same value everywhere."""
    nn.init.constant_(weights, value)


def _truncated(weights: Tensor, std: float) -> None:
    """Fill with normal numbers that are redrawn beyond two standard deviations, and rescaled to the deviation `std`."""
    nn.init.trunc_normal_(weights, a=-2.0, b=2.0)
    with no_grad():
        weights.mul_(std / TRUNCATED_STD)


def _fan_in(weights: Tensor) -> int:
    return weights[0].numel()


def _fan_out(weights: Tensor) -> int:
    return weights[:, 0].numel()
