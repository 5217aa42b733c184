"""Write the model in PyTorch, layer by layer."""

from collections.abc import Mapping
from math import prod
from typing import Any, Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Activation
from lossrun.script.lines.image_layers import ImageLayer, image_layers
from lossrun.script.lines.own import own_import
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, function, literal, number

OUTPUTS: Final[Mapping[str, str]] = {
    "sigmoid": "nn.Sigmoid()",
    "softmax": "nn.Softmax(dim=1)",
    "log_softmax": "nn.LogSoftmax(dim=1)",
}

SEED_TORCH = '''def seed_torch(purpose, epoch=0):
    """Seed torch as lossrun does; initial weights (0) and dropout (2) have separate random streams."""
    stream = np.random.SeedSequence([SEED, purpose, epoch])
    torch.manual_seed(int(stream.generate_state(1, np.uint64)[0]))'''


def model_section(experiment: ScriptInput) -> Section:
    """Return `build_model()`, which returns a module with the same initial weights as in lossrun."""
    model = experiment.config.model
    section = Section(imports=["from torch import nn"], functions=[SEED_TORCH])
    if model.is_plugin:
        module, _, attribute = model.name.partition(":")
        parameters = {key: value for key, value in model.parameters.items() if key != "output"}
        arguments = [literal(experiment.facts.input_shape), str(experiment.outputs)]
        arguments += [f"{key}={literal(value)}" for key, value in parameters.items()]
        section = section + own_import(module, attribute, experiment.directory)
        made = call(f"model = {attribute}", arguments, level=1)
        if model["output"] in OUTPUTS:
            made += f"\nmodel = nn.Sequential(model, {OUTPUTS[model['output']]})"
        body = ["seed_torch(0)", made, "return model.to(DEVICE)"]
    else:
        layers = call("model = nn.Sequential", _layers(experiment), level=1)
        body = ["seed_torch(0)", layers, *_initial_weights(model["init"]), "return model.to(DEVICE)"]
    section.functions.append(function("def build_model()", "", body))
    return section


def _layers(experiment: ScriptInput) -> list[str]:
    model, shape = experiment.config.model, experiment.facts.input_shape
    if model.name == "cnn":
        found = image_layers(experiment)
        rows = [*(row for one in found.layers for row in _of_image(one, model.parameters)), "nn.Flatten()"]
        inputs, hidden = found.outputs, found.dense
    else:
        rows = ["nn.Flatten()"] if len(shape) > 1 else []
        inputs, hidden = prod(shape), model.parameters.get("hidden", [])
    for units in hidden:
        rows.append(f"nn.Linear({inputs}, {units})")
        if model["batch_norm"]:
            rows.append(f"nn.BatchNorm1d({units})")
        rows += _activation(model["activation"])
        if model["dropout"]:
            rows.append(f"nn.Dropout({number(model['dropout'])})")
        inputs = units
    rows.append(f"nn.Linear({inputs}, {experiment.outputs})")
    output = model["output"]
    return [*rows, OUTPUTS[output]] if output in OUTPUTS else rows


def _activation(name: str) -> list[str]:
    declared = get("activation", name)
    assert isinstance(declared, Activation)
    return [] if name == "none" else [f"nn.{declared.torch_class}()"]


def _of_image(one: ImageLayer, parameters: Mapping[str, Any]) -> list[str]:
    layer = one.configured
    if layer["name"] == "conv":
        norm = [f"nn.BatchNorm2d({layer['filters']})"] if parameters["batch_norm"] else []
        return [*_convolution(layer, one.before, one.after), *norm, *_activation(parameters["activation"])]
    if layer["name"] == "max_pool":
        exact = all(side % layer["size"] == 0 for side in one.before[1:])
        return [f"nn.MaxPool2d({layer['size']}{'' if exact else ', ceil_mode=True'})"]
    return [f"nn.AvgPool2d({layer['size']})"]


def _convolution(layer: Mapping[str, Any], before: tuple[int, ...], after: tuple[int, ...]) -> list[str]:
    filters, kernel, stride, padding = layer["filters"], layer["kernel"], layer["stride"], layer["padding"]
    plain = [str(before[0]), str(filters), str(kernel), *([f"stride={stride}"] if stride > 1 else [])]
    if padding != "same":
        zeros = 0 if padding == "valid" else padding
        return [call("nn.Conv2d", [*plain, *([f"padding={zeros}"] if zeros else [])], level=2)]
    missing = [max((end - 1) * stride + kernel - start, 0) for start, end in zip(before[1:], after[1:], strict=True)]
    if all(m % 2 == 0 for m in missing):
        top, left = (m // 2 for m in missing)
        return [call("nn.Conv2d", [*plain, f"padding={top if top == left else (top, left)}"], level=2)]
    # As in Keras' "same", an odd zero is at the end.
    (top, bottom), (left, right) = ((m // 2, m - m // 2) for m in missing)
    return [f"nn.ZeroPad2d(({left}, {right}, {top}, {bottom}))", call("nn.Conv2d", plain, level=2)]


# Standard deviation of a standard normal number that is redrawn beyond 2.
TRUNCATED_STD: Final = 0.8796256610342398


def _initial_weights(init: Mapping[str, Any]) -> list[str]:
    """Return lines that replace the weights and biases that torch has drawn."""
    name = init["name"]
    if name == "torch":
        return []
    std = init.get("std", 0.0)
    filled = {
        "glorot_uniform": "nn.init.xavier_uniform_(layer.weight)",
        "glorot_normal": "nn.init.xavier_normal_(layer.weight)",
        "he_uniform": 'nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")',
        "he_normal": 'nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")',
        "normal": f"nn.init.normal_(layer.weight, std={number(std)})",
        "truncated_normal": call(
            "nn.init.trunc_normal_",
            ["layer.weight", f"std={number(std)}", f"a={number(-2 * std)}", f"b={number(2 * std)}"],
            level=3,
        ),
        "constant": f"nn.init.constant_(layer.weight, {number(init.get('value', 0.0))})",
    }[name]
    if init.get("truncated"):
        fan = "layer.weight[0].numel()"
        fan = fan if name == "he_normal" else f"({fan} + layer.weight[:, 0].numel())"
        filled = "nn.init.trunc_normal_(layer.weight, a=-2.0, b=2.0)\n"
        filled += f"std = (2 / {fan}) ** 0.5\nlayer.weight.data *= std / {TRUNCATED_STD}"
    bias, bias_std = init["bias"], init.get("bias_std", 0.0)
    # As in lossrun, normal_ draws random numbers even for a deviation of 0.
    lines = [filled, f"nn.init.normal_(layer.bias, mean={number(bias)}, std={number(bias_std)})"]
    return [
        "for layer in model:",
        "    if isinstance(layer, (nn.Linear, nn.Conv2d)):",
        *(f"        {line}" for text in lines for line in text.split("\n")),
    ]
