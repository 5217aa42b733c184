"""Build the models: one function each, from shapes and parameters to a `Network`. Declared in `catalog/models.py`.

The layers have the names of the declared summary (`hidden1`, `norm1`, `output`, ...).
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Final, cast

from torch import nn

from lossrun.catalog import get
from lossrun.catalog.activations import ACTIVATIONS as DECLARED
from lossrun.catalog.declaration import Model
from lossrun.components.initial_weights import initialise
from lossrun.components.network import Network, Output

ACTIVATIONS: Final[Mapping[str, type[nn.Module]]] = {one.name: getattr(nn, one.torch_class) for one in DECLARED}


def linear(input_shape: Sequence[int], output_size: int, *, output: Output, init: Mapping[str, Any]) -> Network:
    """One dense layer on the flattened input."""
    return _network(_dense_layers([], prod(input_shape), output_size), output, init)


def mlp(
    input_shape: Sequence[int],
    output_size: int,
    *,
    hidden: Sequence[int],
    activation: str,
    output: Output,
    init: Mapping[str, Any],
    dropout: float,
    batch_norm: bool,
) -> Network:
    """Hidden layers on the flattened input (each: dense, batch norm, activation, dropout), then a dense output.

    Args:
        input_shape: The shape of a sample.
        output_size: The number of outputs.
        hidden: The units of each hidden layer.
        activation: A key of ACTIVATIONS.
        output: The activation of the last layer.
        init: See `initialise`.
        dropout: The share of units that are switched off, in [0, 1).
        batch_norm: Whether to normalise before each activation.
    """
    layers = _dense_layers(
        hidden, prod(input_shape), output_size, activation=activation, dropout=dropout, batch_norm=batch_norm
    )
    return _network(layers, output, init)


def cnn(
    input_shape: Sequence[int],
    output_size: int,
    *,
    layers: Sequence[Mapping[str, Any]],
    activation: str,
    output: Output,
    init: Mapping[str, Any],
    dropout: float,
    batch_norm: bool,
) -> Network:
    """Convolutions and pools on an image, then dense layers as in `mlp` and a dense output.

    A convolution is followed by batch norm and the activation. Max pooling rounds sizes up, average pooling down.

    Args:
        input_shape: (channels, height, width).
        layers: Mappings with a `name` (conv, max_pool, avg_pool, dense) and all parameters of that layer.

    The other arguments are those of `mlp`.

    Raises:
        ValueError: If the input is not an image, or the layers do not fit it.
    """
    summary = cast(Model, get("model", "cnn")).layers(
        {"layers": layers, "batch_norm": batch_norm}, tuple(input_shape), output_size
    )
    shapes = {row.name: row.output_shape for row in summary}
    body: dict[str, nn.Module] = {}
    shape = tuple(input_shape)
    dense: list[int] = []
    for number, layer in enumerate(layers, 1):
        kind = layer["name"]
        if kind == "dense":
            dense.append(layer["units"])
            continue
        row = f"{kind}{number}"
        if kind == "conv":
            body |= _convolution(row, layer, shape, shapes[row])
            if batch_norm:
                body[f"norm{number}"] = nn.BatchNorm2d(layer["filters"])
            body[f"activation{number}"] = ACTIVATIONS[activation]()
        elif kind == "max_pool":
            body[row] = nn.MaxPool2d(layer["size"], ceil_mode=True)
        else:
            body[row] = nn.AvgPool2d(layer["size"])
        shape = shapes[row]
    first = len(layers) - len(dense) + 1
    body |= _dense_layers(
        dense, prod(shape), output_size, activation=activation, dropout=dropout, batch_norm=batch_norm, first=first
    )
    return _network(body, output, init)


def _network(body: dict[str, nn.Module], output: Output, init: Mapping[str, Any]) -> Network:
    sequence = nn.Sequential()
    for name, module in body.items():
        sequence.add_module(name, module)
    network = Network(sequence, output)
    initialise(network, init)
    return network


def _dense_layers(
    units: Sequence[int],
    inputs: int,
    output_size: int,
    *,
    activation: str = "none",
    dropout: float = 0.0,
    batch_norm: bool = False,
    first: int = 1,
) -> dict[str, nn.Module]:
    """Return the dense layers by name, in order; hidden layers are numbered from `first`."""
    body: dict[str, nn.Module] = {"flatten": nn.Flatten()}
    for number, outputs in enumerate(units, first):
        body[f"hidden{number}"] = nn.Linear(inputs, outputs)
        if batch_norm:
            body[f"norm{number}"] = nn.BatchNorm1d(outputs)
        body[f"activation{number}"] = ACTIVATIONS[activation]()
        if dropout:
            body[f"dropout{number}"] = nn.Dropout(dropout)
        inputs = outputs
    body["output"] = nn.Linear(inputs, output_size)
    return body


def _convolution(
    name: str, layer: Mapping[str, Any], before: tuple[int, ...], after: tuple[int, ...]
) -> dict[str, nn.Module]:
    """Return a convolution from an image of shape `before` to one of shape `after`, both (channels, height, width)."""
    filters, kernel, stride, padding = layer["filters"], layer["kernel"], layer["stride"], layer["padding"]
    if padding != "same":
        zeros = 0 if padding == "valid" else padding
        return {name: nn.Conv2d(before[0], filters, kernel, stride, zeros)}
    # As in Keras, pad only the zeros that the last window lacks, an odd one at the end. torch's "same" has no strides.
    missing = [max((end - 1) * stride + kernel - start, 0) for start, end in zip(before[1:], after[1:], strict=True)]
    top, left = (m // 2 for m in missing)
    bottom, right = (m - m // 2 for m in missing)
    if (top, left) == (bottom, right):
        return {name: nn.Conv2d(before[0], filters, kernel, stride, (top, left))}
    return {
        f"{name}_padding": nn.ZeroPad2d((left, right, top, bottom)),
        name: nn.Conv2d(before[0], filters, kernel, stride),
    }
