"""Walk through the layers of a model of images, as the scripts of both frameworks write them."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from lossrun.script.lines.script_input import ScriptInput


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """A convolution or a pool, as configured, with the shapes that it takes and gives, (channels, height, width)."""

    configured: Mapping[str, Any]
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImageLayers:
    """The convolutions and pools, the number of their outputs, and the units of the dense layers after them."""

    layers: tuple[ImageLayer, ...]
    outputs: int
    dense: list[int]


def image_layers(experiment: ScriptInput) -> ImageLayers:
    """Return the layers of a configured cnn, in their order."""
    shapes, shape = experiment.layer_shapes, experiment.facts.input_shape
    found: list[ImageLayer] = []
    dense: list[int] = []
    for place, layer in enumerate(experiment.config.model["layers"], 1):
        kind = layer["name"]
        if kind == "dense":
            dense.append(layer["units"])
            continue
        found.append(ImageLayer(layer, shape, shapes[f"{kind}{place}"]))
        shape = found[-1].after
    return ImageLayers(tuple(found), prod(shape), dense)
