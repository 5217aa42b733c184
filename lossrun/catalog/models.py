"""The models a config may name, their layers and how each layer changes a shape (so the summary needs no torch)."""

from math import prod
from typing import Any, Final, Literal

from lossrun.catalog.activations import ACTIVATIONS
from lossrun.catalog.alias import also
from lossrun.catalog.declaration import Component, Layer, Model
from lossrun.catalog.parameter import Nested, Parameter

_SPELLINGS: Final = {alias.spelling: one.name for one in ACTIVATIONS for alias in one.aliases}
_SPELLINGS_OF_OUTPUTS: Final = {
    **{spelling: name for spelling, name in _SPELLINGS.items() if name in ("none", "sigmoid")},
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
}
# Why an activation of hidden layers cannot be one of the last layer.
_NEVER_NEGATIVE: Final = (
    "never gives a negative number, and where it gives 0 it has no gradient, so an output may be stuck at 0"
)
_BENT: Final = "bends the outputs at 0 for no reason that the targets give"
_OVERFLOWS: Final = "overflows from 89 on; for counts use the loss poisson_nll, which takes the exponential itself"
_WHY_NOT: Final = {
    "relu": _NEVER_NEGATIVE,
    "relu6": _NEVER_NEGATIVE,
    "tanh": "gives numbers from -1 to 1, and no task here has such targets: classes are 0 or 1",
    "leaky_relu": _BENT,
    "prelu": _BENT,
    "elu": "gives no number below -1",
    "celu": "gives no number below -1",
    "selu": "gives no number below -1.76",
    "gelu": "gives no number below -0.17",
    "silu": "gives no number below -0.28",
    "swish": "gives no number below -0.28",
    "mish": "gives no number below -0.31",
    "hard_swish": "gives no number below -0.38",
    "softplus": "never gives a negative number; for counts use the loss poisson_nll, which takes the exponential",
    "softsign": "gives numbers from -1 to 1, and no task here has such targets: classes are 0 or 1",
    "exponential": _OVERFLOWS,
    "exp": _OVERFLOWS,
    "hard_tanh": "gives numbers from -1 to 1, and has no gradient beyond",
    "log_sigmoid": "never gives a positive number; the loss binary_cross_entropy takes its logarithm itself",
    "hard_sigmoid": "has no gradient where it is 0 or 1; sigmoid has",
}

ACTIVATION: Final = Parameter(
    "activation",
    Literal[tuple(one.name for one in ACTIVATIONS)],
    "relu",
    "activation after every hidden layer",
    spellings=_SPELLINGS,
)
OUTPUT: Final = Parameter(
    "output",
    Literal["auto", "none", "logits", "sigmoid", "softmax", "log_softmax"],
    "auto",
    "activation of the last layer; none and logits are the same; auto: chosen by task and loss",
    spellings=_SPELLINGS_OF_OUTPUTS,
    refused={
        name: f"{name} {_WHY_NOT[name]}; use none for numbers, sigmoid for two classes, softmax for several classes"
        for name in _WHY_NOT
    },
)
INIT: Final = Nested("init", "initializer", "torch", "initial values of the weights and biases")
DROPOUT: Final = Parameter(
    "dropout", float, 0.0, "share of hidden units switched off at each training step", at_least=0, below=1
)
BATCH_NORM: Final = Parameter("batch_norm", bool, False, "normalise before each hidden activation")

LAYERS: Final[tuple[Component, ...]] = (
    Component(
        kind="layer",
        name="conv",
        meaning="2-d convolution, then batch norm (if asked for) and the activation",
        parameters=(
            Parameter("filters", int, 32, "output channels", at_least=1),
            Parameter("kernel", int, 3, "side of the window", unit="pixels", at_least=1),
            Parameter("stride", int, 1, "step of the window", unit="pixels", at_least=1),
            Parameter("padding", int | Literal["same", "valid"], "same", "zeros around the image", at_least=0),
        ),
        aliases=(*also("conv2d", padding="valid"), *also("convolution")),
    ),
    Component(
        kind="layer",
        name="max_pool",
        meaning="largest of each window; rounds the size up",
        parameters=(Parameter("size", int, 2, "side of the window and its step", unit="pixels", at_least=1),),
        aliases=also(
            "MaxPooling2D",
            "MaxPool2d",
            remark="Keras and PyTorch leave out the last row and column of a side that size does not divide; here they "
            "form a window of their own",
        ),
    ),
    Component(
        kind="layer",
        name="avg_pool",
        meaning="mean of each window; rounds the size down",
        parameters=(Parameter("size", int, 2, "side of the window and its step", unit="pixels", at_least=1),),
        aliases=also("AveragePooling2D", "AvgPool2d"),
    ),
    Component(
        kind="layer",
        name="dense",
        meaning="fully connected, then batch norm (if asked for), the activation and dropout",
        parameters=(Parameter("units", int, 128, "outputs", at_least=1),),
        aliases=also("linear", "fully_connected"),
    ),
)

# LeCun et al. 1998, figure 2, on 28 x 28 images padded to 32 x 32, without the partial connections: 61,706 parameters.
LENET5: Final[list[Any]] = [
    {"name": "conv", "filters": 6, "kernel": 5, "padding": 2},
    {"name": "avg_pool", "size": 2},
    {"name": "conv", "filters": 16, "kernel": 5, "padding": 0},
    {"name": "avg_pool", "size": 2},
    {"name": "dense", "units": 120},
    {"name": "dense", "units": 84},
]
# The "2c2d" net of DeepOBS (Schneider, Balles, Hennig 2019): 3,274,634 parameters on 28 x 28 images.
TWO_CONV: Final[list[Any]] = [
    {"name": "conv", "filters": 32, "kernel": 5, "padding": "same"},
    {"name": "max_pool", "size": 2},
    {"name": "conv", "filters": 64, "kernel": 5, "padding": "same"},
    {"name": "max_pool", "size": 2},
    {"name": "dense", "units": 1024},
]


def convolved(side: int, kernel: int, stride: int, padding: int | str) -> int:
    """Return the side of a convolution's output. `same` pads so that a stride of 1 keeps the side."""
    if padding == "same":
        return -(-side // stride)
    return (side + 2 * (0 if padding == "valid" else int(padding)) - kernel) // stride + 1


def _dense_layers(units: list[int], inputs: int, output_size: int, batch_norm: bool, first: int = 1) -> list[Layer]:
    rows: list[Layer] = []
    for number, outputs in enumerate(units, first):
        rows.append(Layer(f"hidden{number}", "dense", (outputs,), inputs * outputs + outputs))
        if batch_norm:
            rows.append(Layer(f"norm{number}", "batch_norm", (outputs,), 2 * outputs))
        inputs = outputs
    return [*rows, Layer("output", "dense", (output_size,), inputs * output_size + output_size)]


def _linear_layers(_parameters: dict[str, Any], input_shape: tuple[int, ...], output_size: int) -> list[Layer]:
    return _dense_layers([], prod(input_shape), output_size, batch_norm=False)


def _mlp_layers(parameters: dict[str, Any], input_shape: tuple[int, ...], output_size: int) -> list[Layer]:
    return _dense_layers(parameters["hidden"], prod(input_shape), output_size, parameters["batch_norm"])


def _cnn_layers(parameters: dict[str, Any], input_shape: tuple[int, ...], output_size: int) -> list[Layer]:
    """Return the layers.

    Raises:
        ValueError: If the input is not an image, or a layer is out of place or leaves nothing of the image.
    """
    if len(input_shape) != 3:
        raise ValueError(f"a cnn needs images (channels, height, width), not inputs of shape {input_shape}")
    rows: list[Layer] = []
    dense: list[int] = []
    shape = input_shape
    for number, layer in enumerate(parameters["layers"], 1):
        if layer["name"] == "dense":
            dense.append(layer["units"])
            continue
        if dense:
            raise ValueError(f"layer {number}, {layer['name']}, comes after a dense layer")
        if layer["name"] == "conv":
            sides = tuple(convolved(s, layer["kernel"], layer["stride"], layer["padding"]) for s in shape[1:])
            weights = layer["filters"] * (shape[0] * layer["kernel"] ** 2 + 1)
            shape = (layer["filters"], *sides)
        else:
            up = layer["size"] - 1 if layer["name"] == "max_pool" else 0
            shape = (shape[0], *((s + up) // layer["size"] for s in shape[1:]))
            weights = 0
        if min(shape) < 1:
            raise ValueError(f"layer {number}, {layer['name']}, leaves nothing of the image: {shape}")
        rows.append(Layer(f"{layer['name']}{number}", layer["name"], shape, weights))
        if layer["name"] == "conv" and parameters["batch_norm"]:
            rows.append(Layer(f"norm{number}", "batch_norm", shape, 2 * shape[0]))
    first = len(parameters["layers"]) - len(dense) + 1
    return [*rows, *_dense_layers(dense, prod(shape), output_size, parameters["batch_norm"], first)]


MODELS: Final[tuple[Model, ...]] = (
    Model(
        name="linear",
        meaning="one dense layer: linear, logistic or softmax regression",
        when="A baseline for any data. If it is nearly as good as a network, prefer it: it is faster and easier to "
        "explain.",
        parameters=(OUTPUT, INIT),
        aliases=also("linear_regression", "logistic_regression", "softmax_regression"),
        layers=_linear_layers,
    ),
    Model(
        name="mlp",
        meaning="dense hidden layers and a dense output",
        when="Tables, and images that are small or centred, such as mnist. Images are flattened, so it does not know "
        "which pixels are neighbours.",
        source="Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors",
        parameters=(
            Parameter("hidden", list[int], [100], "units of each hidden layer", unit="units", at_least=1),
            ACTIVATION,
            OUTPUT,
            INIT,
            DROPOUT,
            BATCH_NORM,
        ),
        aliases=also("dense", "feedforward", "multilayer_perceptron"),
        layers=_mlp_layers,
    ),
    Model(
        name="cnn",
        meaning="convolutions and pools, then dense layers and a dense output",
        when="Images. A convolution uses the same weights at every place, so it finds a shape wherever it is, and "
        "needs far fewer parameters than a dense layer.",
        source="lenet5: LeCun, Bottou, Bengio and Haffner 1998, figure 2, without the partial connections; two_conv: "
        "Schneider, Balles and Hennig 2019, DeepOBS, 2c2d",
        parameters=(
            Nested(
                "layers",
                "layer",
                "lenet5",
                "the layers before the output layer",
                many=True,
                presets={"lenet5": LENET5, "two_conv": TWO_CONV},
            ),
            ACTIVATION,
            OUTPUT,
            INIT,
            DROPOUT,
            BATCH_NORM,
        ),
        aliases=(*also("convnet", "convolutional"), *also("lenet", "LeNet5", layers="lenet5")),
        layers=_cnn_layers,
    ),
)
