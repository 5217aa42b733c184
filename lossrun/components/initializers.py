"""First values of a model's weights and biases. Declared in `catalog/models.py`."""

from collections.abc import Callable, Mapping
from functools import partial
from math import sqrt
from typing import Any, Final

import torch
from torch import Tensor, nn

# Fans include a convolution's window, as in Keras. The gain is 1 for glorot and sqrt(2) for he.
_BY_FAN: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "glorot_uniform": nn.init.xavier_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "he_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "he_normal": partial(nn.init.kaiming_normal_, nonlinearity="relu"),
}


# Standard deviation of a normal of deviation 1 that is cut at 2, as in Keras' VarianceScaling.
TRUNCATED_STD: Final = 0.87962566103423978


def initialise(model: nn.Module, init: Mapping[str, Any]) -> None:
    """Fills the weights and biases of every dense and convolutional layer, in place, in the order of the layers.

    `init` is a mapping with a `name` and that initializer's parameters, all of them. `torch` leaves the layers as torch
    made them; batch normalisation always keeps its ones and zeros. Draws from torch's global generator.
    Raises ValueError for an unknown name.
    """
    if init["name"] == "torch":
        return
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            _fill_weights(layer.weight, init)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, mean=init["bias"], std=init.get("bias_std", 0.0))


def _fill_weights(weights: Tensor, init: Mapping[str, Any]) -> None:
    name = init["name"]
    if init.get("truncated"):
        nn.init.trunc_normal_(weights, a=-2.0, b=2.0)
        # A row holds the weights into one unit, a column those from one input.
        fan_in, fan_out = weights[0].numel(), weights[:, 0].numel()
        std = sqrt(2 / fan_in if name == "he_normal" else 2 / (fan_in + fan_out))
        with torch.no_grad():
            weights.mul_(std / TRUNCATED_STD)
    elif name in _BY_FAN:
        _BY_FAN[name](weights)
    elif name == "normal":
        nn.init.normal_(weights, std=init["std"])
    elif name == "truncated_normal":
        # Cut at two deviations and not rescaled, as Keras' TruncatedNormal.
        nn.init.trunc_normal_(weights, std=init["std"], a=-2 * init["std"], b=2 * init["std"])
    elif name == "constant":
        nn.init.constant_(weights, init["value"])
    else:
        known = ", ".join(("torch", *_BY_FAN, "normal", "truncated_normal", "constant"))
        raise ValueError(f"unknown initializer {name!r}; expected one of {known}")
