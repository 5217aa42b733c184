"""Give a model its initial weights and biases."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from lossrun.components.lookup import function_of


def initialise(model: nn.Module, init: Mapping[str, Any]) -> None:
    """Fill the weights and biases of every dense and convolutional layer, in place, in the order of the layers.

    Batch normalisation always keeps its ones and zeros. Random numbers come from torch's global generator.

    Args:
        model: The model.
        init: A mapping with the `name` of an initializer and all its parameters.

    Raises:
        KeyError: For an unknown name.
    """
    fill = function_of("initializer", init["name"])
    parameters = {name: value for name, value in init.items() if name not in ("name", "bias", "bias_std")}
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            fill(layer.weight, **parameters)
            if layer.bias is not None and "bias" in init:
                nn.init.normal_(layer.bias, mean=init["bias"], std=init.get("bias_std", 0.0))
