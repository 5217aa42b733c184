"""Write the model in Keras, layer by layer. Images have their channels last."""

from collections.abc import Mapping
from math import prod
from typing import Any, Final

from lossrun.errors import UsageError
from lossrun.script.lines.image_layers import ImageLayer, image_layers
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, number, quoted
from lossrun.shell import command

TORCH_INIT: Final = '''def torch_init(fan_in):
    """PyTorch's first values: weights and biases uniform within 1 / sqrt(fan_in).

    Keras' own defaults are glorot_uniform, and biases of 0.
    """
    limit = fan_in**-0.5
    return {
        "kernel_initializer": keras.initializers.RandomUniform(-limit, limit),
        "bias_initializer": keras.initializers.RandomUniform(-limit, limit),
    }'''


def layers_section(experiment: ScriptInput) -> tuple[Section, list[str]]:
    """Return what the layers need, and the lines that make `model`. Raises UsageError for what Keras does not have."""
    model, shape = experiment.config.model, experiment.facts.input_shape
    if model.is_plugin:
        raise UsageError(
            f"model: {model.name} is your own torch.nn.Module, which Keras cannot train; use --as pytorch, or a model "
            f"from `{command('list', 'models')}`"
        )
    own = Section(imports=["from keras import layers"])
    if model["init"]["name"] == "torch":
        own.functions.append(TORCH_INIT)
    input_shape = shape if len(shape) == 1 else (*shape[1:], shape[0])
    rows = [f"keras.Input({input_shape!r})"]
    if model.name == "cnn":
        found = image_layers(experiment)
        rows += [*(row for one in found.layers for row in _of_image(one, model.parameters)), "layers.Flatten()"]
        inputs, hidden = found.outputs, found.dense
    else:
        rows += ["layers.Flatten()"] if len(shape) > 1 else []
        inputs, hidden = prod(shape), model.parameters.get("hidden", [])
    for units in hidden:
        rows += _active("Dense", [str(units)], inputs, model.parameters)
        rows += [f"layers.Dropout({number(model['dropout'])})"] if model["dropout"] else []
        inputs = units
    output = [] if model["output"] == "none" else [f"activation={quoted(model['output'])}"]
    rows.append(_layer("Dense", [str(experiment.outputs), *output], inputs, model["init"]))
    return own, [call("model = keras.Sequential", [_list(rows)], level=1)]


def _list(rows: list[str]) -> str:
    body = "".join(f"    {line}\n" for row in rows for line in f"{row},".split("\n"))
    return f"[\n{body}]"


def _layer(kind: str, arguments: list[str], fan_in: int, init: Mapping[str, Any]) -> str:
    return call(f"layers.{kind}", [*arguments, *_initial(fan_in, init)], level=3)


def _active(kind: str, arguments: list[str], fan_in: int, parameters: Mapping[str, Any]) -> list[str]:
    """Return a layer, batch norm if configured, and the activation, which is part of the layer if possible."""
    activation, init = parameters["activation"], parameters["init"]
    separate = parameters["batch_norm"] or activation == "leaky_relu"
    if activation == "none":
        rows = [_layer(kind, arguments, fan_in, init)]
    elif not separate:
        rows = [_layer(kind, [*arguments, f"activation={quoted(activation)}"], fan_in, init)]
    else:
        rows = [_layer(kind, arguments, fan_in, init)]
    if parameters["batch_norm"]:
        # PyTorch's momentum is the share of the new value, Keras' that of the old one: 0.1 there is 0.9 here.
        rows.append("layers.BatchNormalization(momentum=0.9, epsilon=1e-5)")
    if activation == "leaky_relu":
        rows.append("layers.LeakyReLU(negative_slope=0.01)")
    elif separate and activation != "none":
        rows.append(f"layers.Activation({quoted(activation)})")
    return rows


def _initial(fan_in: int, init: Mapping[str, Any]) -> list[str]:
    name, bias, bias_std = init["name"], init.get("bias", 0.0), init.get("bias_std", 0.0)
    if name == "torch":
        return [f"**torch_init({fan_in})"]
    # Keras' he_normal and glorot_normal are truncated; PyTorch's are not.
    if init.get("truncated"):
        return [f"kernel_initializer={quoted(name)}", *_bias(bias, bias_std)]
    untruncated = "kernel_initializer=keras.initializers.VarianceScaling"
    if name in ("glorot_normal", "he_normal"):
        scale = ["1.0", '"fan_avg"'] if name == "glorot_normal" else ["2.0", '"fan_in"']
        return [call(untruncated, [*scale, '"untruncated_normal"'], level=4), *_bias(bias, bias_std)]
    kernel = {
        "glorot_uniform": '"glorot_uniform"',
        "he_uniform": '"he_uniform"',
        "normal": f"keras.initializers.RandomNormal(stddev={number(init.get('std', 0.0))})",
        "truncated_normal": f"keras.initializers.TruncatedNormal(stddev={number(init.get('std', 0.0))})",
        "constant": f"keras.initializers.Constant({number(init.get('value', 0.0))})",
    }[name]
    return [f"kernel_initializer={kernel}", *_bias(bias, bias_std)]


def _bias(bias: float, bias_std: float) -> list[str]:
    if bias_std:
        return [f"bias_initializer=keras.initializers.RandomNormal({number(bias)}, {number(bias_std)})"]
    return [f"bias_initializer=keras.initializers.Constant({number(bias)})"] if bias else []


def _of_image(one: ImageLayer, parameters: Mapping[str, Any]) -> list[str]:
    layer = one.configured
    if layer["name"] == "conv":
        return _convolution(layer, one.before[0], parameters)
    if layer["name"] == "max_pool":
        return [_max_pool(layer["size"], one.before[1:])]
    return [f"layers.AveragePooling2D({layer['size']})"]


def _convolution(layer: Mapping[str, Any], channels: int, parameters: Mapping[str, Any]) -> list[str]:
    filters, kernel, stride, padding = layer["filters"], layer["kernel"], layer["stride"], layer["padding"]
    arguments, rows = [str(filters), str(kernel)], []
    if stride > 1:
        arguments.append(f"strides={stride}")
    if padding == "same" or (stride == 1 and padding not in ("valid", 0) and 2 * padding == kernel - 1):
        arguments.append('padding="same"')
    elif padding not in ("valid", 0):
        rows.append(f"layers.ZeroPadding2D({padding})")
    return [*rows, *_active("Conv2D", arguments, channels * kernel**2, parameters)]


def _max_pool(size: int, sides: tuple[int, ...]) -> str:
    """Return a pool that rounds sizes up and pads at the end, as lossrun does."""
    lacking = [-side % size for side in sides]
    if not any(lacking):
        return f"layers.MaxPooling2D({size})"
    if max(lacking) > 1:
        raise UsageError(
            f"model.layers: max_pool {size} on an image of {' x '.join(map(str, sides))}: Keras pads such a window on "
            "both sides, lossrun at the end; use a size that divides the image, or --as pytorch"
        )
    return f'layers.MaxPooling2D({size}, padding="same")'
