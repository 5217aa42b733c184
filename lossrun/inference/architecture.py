"""What is exported next to the weights: the architecture for programs (JSON) and for people (README)."""

from collections.abc import Collection
from typing import Final

import torch
from torch import nn

from lossrun.components.network import Network
from lossrun.config import Choice
from lossrun.data import Data
from lossrun.inference.program import INPUTS, PREDICTIONS, PredictionModule
from lossrun.inference.scoring import gives_probabilities, names_of
from lossrun.inference.trained import Trained, TrainedModel
from lossrun.records.files import strict_json
from lossrun.version import __version__

WEIGHTS: Final = "model.safetensors"
ARCHITECTURE: Final = "model.json"
PROGRAM: Final = "model.pt2"
ONNX: Final = "model.onnx"


def prefix(program: PredictionModule) -> str:
    """Return the prefix of the names of weights in lossrun's own models, which an export leaves out."""
    return "body." if isinstance(program.network, Network) else ""


def architecture(trained: Trained, model: TrainedModel, program: PredictionModule) -> str:
    """Return everything that is needed in addition to the weights, as strict JSON."""
    seed = model.replica.seed
    data, spec = trained.data(seed), program.spec
    tree = {
        "lossrun": __version__,
        "run": trained.recorded.name,
        "seed": seed,
        "epoch": model.epoch,
        "step": model.step,
        "task": spec.task,
        "model": trained.config.model.to_mapping(),
        "input": {
            "shape": list(data.input_shape),
            "dtype": _name(program.kind),
            "columns": _columns(trained),
            "mean": data.input_scaling.mean.tolist(),
            "std": data.input_scaling.std.tolist(),
        },
        "output": {
            "size": spec.outputs,
            "activation": spec.output,
            "read_as": spec.reads_as,
            "mean": data.target_scaling.mean.tolist(),
            "std": data.target_scaling.std.tolist(),
        },
        "classes": list(names_of(trained)),
    }
    return strict_json.dumps(tree, indent=2) + "\n"


def readme(trained: Trained, model: TrainedModel, program: PredictionModule, formats: Collection[str]) -> str:
    """Return a README with code that loads the export and runs as it is, without lossrun."""
    data = trained.data(model.replica.seed)
    shape = ", ".join(("N", *map(str, data.input_shape)))
    kind = "bytes (uint8)" if program.pixels else _name(program.kind)
    sections = [
        f"# {trained.recorded.name}, seed {model.replica.seed}",
        f"The model {trained.config.model.name}, trained with lossrun {__version__} on {trained.config.dataset.name} "
        f"({program.spec.task}); weights after epoch {model.epoch}, step {model.step}.",
        f"Inputs ({shape}), {kind}, in original units{_columns_in_words(trained)}. "
        f"{_outputs_in_words(trained, program)}",
    ]
    if "torch" in formats:
        sections += [f"## As a program: {PROGRAM}", _code(_PROGRAM_CODE, inputs=_example(program, data))]
    if "onnx" in formats:
        sections += [
            f"## In ONNX: {ONNX}, from `{INPUTS}` to `{PREDICTIONS}`",
            _code(_ONNX_CODE, inputs=_example(program, data)),
        ]
    if "safetensors" in formats:
        sections += [f"## Weights: {WEIGHTS}", *_weights(trained.config.model, program, data)]
    return "\n\n".join(sections) + "\n"


_PROGRAM_CODE: Final = """\
import torch

model = torch.export.load("model.pt2").module()
inputs = {inputs}
predictions = model(inputs)
"""

_ONNX_CODE: Final = """\
import onnxruntime
import torch

session = onnxruntime.InferenceSession("model.onnx")
inputs = {inputs}
(predictions,) = session.run(None, {{"inputs": inputs.numpy()}})
"""

_WEIGHTS_CODE: Final = """\
import json
from collections import OrderedDict

import torch
from safetensors.torch import load_file
from torch import nn

{model}
model{double}.load_state_dict(load_file("model.safetensors"))
model.eval()
with open("model.json", encoding="utf-8") as file:
    facts = json.load(file)


def moment(place, name):
    return torch.tensor(facts[place][name], dtype=torch.float64)


def predict(inputs):
    scaled = (inputs.double() - moment("input", "mean")) / moment("input", "std")
    with torch.no_grad():
        outputs = model(scaled{single})
    return {predictions}


inputs = {inputs}
predictions = predict(inputs)
"""


def _weights(chosen: Choice, program: PredictionModule, data: Data) -> list[str]:
    if isinstance(program.network, Network) and not _is_plain(program.network):
        return [
            "Some layers are not part of torch, so a few lines cannot build the model; "
            f"`export --format torch` writes {PROGRAM}, which needs only torch."
        ]
    code = _code(
        _WEIGHTS_CODE,
        model=_model_code(program) if isinstance(program.network, Network) else _own_model_code(chosen, program, data),
        double=".double()" if program.dtype == torch.float64 else "",
        single="" if program.dtype == torch.float64 else ".float()",
        predictions=_reading_code(program),
        inputs=_example(program, data),
    )
    if not chosen.is_plugin:
        return [code]
    module, _, attribute = chosen.name.partition(":")
    return [
        f"The architecture is code of your own, `{attribute}` in `{module}`, and is not part of this folder: Python "
        "must find the module.",
        code,
    ]


def _is_plain(network: Network) -> bool:
    """Return whether the model is a sequence of torch's own layers."""
    layers = list(network.body.children())
    return isinstance(network.body, nn.Sequential) and all(
        type(layer).__module__.startswith("torch.nn.") and not list(layer.children()) for layer in layers
    )


def _model_code(program: PredictionModule) -> str:
    """Return code that makes the layers, by name. torch prints a layer as the code that makes it."""
    assert isinstance(program.network, Network)
    children = program.network.body.named_children()
    layers = "".join(f'            ("{name}", nn.{layer!r}),\n' for name, layer in children)
    return f"model = nn.Sequential(\n    OrderedDict(\n        [\n{layers}        ]\n    )\n)"


def _own_model_code(chosen: Choice, program: PredictionModule, data: Data) -> str:
    module, _, attribute = chosen.name.partition(":")
    own = [f", {name}={value!r}" for name, value in chosen.parameters.items() if name != "output"]
    arguments = f"{tuple(data.input_shape)}, {program.spec.outputs}{''.join(own)}"
    return f"from {module} import {attribute}\n\nmodel = {attribute}({arguments})"


def _reading_code(program: PredictionModule) -> str:
    """Return code that turns the model's outputs into predictions, as `components.metrics.predictions` does."""
    spec = program.spec
    applied = {"none": "outputs", "sigmoid": "outputs.sigmoid()", "softmax": "outputs.softmax(dim=1)"}
    activation = "softmax" if spec.output == "log_softmax" else spec.output
    if activation == "none" and spec.reads_as == "probabilities":
        activation = "softmax" if spec.task == "multiclass" else "sigmoid"
    if not isinstance(program.network, Network) and program.output in ("softmax", "sigmoid"):
        activation = "none"  # applied by the model itself
    if spec.task != "regression":
        return applied[activation]
    values = applied[activation]
    if spec.reads_as == "log_mean":
        values = "outputs.exp()"
    elif spec.reads_as == "mean_and_log_variance":
        values = f"outputs[:, : {spec.outputs // 2}]"
    return f"{values}.double() * moment('output', 'std') + moment('output', 'mean')".replace("'", '"')


def _example(program: PredictionModule, data: Data) -> str:
    shape = ", ".join(map(str, (3, *data.input_shape)))
    return f"torch.zeros({shape}, dtype={program.kind})"


def _outputs_in_words(trained: Trained, program: PredictionModule) -> str:
    names, spec = names_of(trained), program.spec
    what = "Predictions in original units" if spec.task == "regression" else "One output for each class"
    if gives_probabilities(spec):
        what = "The probability of class 1" if spec.task == "binary" else "A probability for each class"
    if spec.task == "binary" and names:
        what += f" ({names[1]})"
    listed = f": {', '.join(names)}" if names and spec.task != "binary" else ""
    return f"{what}{listed}."


def _columns_in_words(trained: Trained) -> str:
    columns = _columns(trained)
    return f", the columns {', '.join(columns)}; a word is 1 in its column and 0 in the others" if columns else ""


def _columns(trained: Trained) -> list[str]:
    """Return the names of the inputs, including one-hot encoded words; [] if they have no names."""
    return list(trained.data(trained.config.seeds[0]).layout.input_names)


def _name(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")


def _code(template: str, **values: str) -> str:
    return f"```python\n{template.format(**values).strip()}\n```"
