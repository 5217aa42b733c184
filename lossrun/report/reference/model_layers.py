"""The layers of a declared model on an example dataset, without building the model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from lossrun.catalog.declaration import Component, DatasetDeclaration, Layer, Model
from lossrun.catalog.lookup import COMPONENTS, get
from lossrun.catalog.parameter import Nested

_IMAGE_AXES: Final = 3


@dataclass(frozen=True, slots=True)
class ModelLayers:
    """The layers of a model. `title` names the example and the setting."""

    title: str
    layers: tuple[Layer, ...]


def model_layers(model: Model) -> Iterator[ModelLayers]:
    """Yield the layers of a model at its defaults; for a model with presets, the layers of each."""
    images = next(one for one in COMPONENTS["dataset"] if _is_images(one))
    assert isinstance(images, DatasetDeclaration)
    assert images.input_shape is not None
    assert images.target_size is not None
    shape = " x ".join(map(str, images.input_shape))
    example = f"on {images.name} ({shape} inputs, {images.target_size} outputs)"
    presets = {word: {key.name: word} for key in model.parameters if isinstance(key, Nested) for word in key.presets}
    for word, setting in (presets or {"": {}}).items():
        title = f"layers of {word or model.name} {example}"
        parameters = _with_defaults(model, setting)
        yield ModelLayers(title, tuple(model.layers(parameters, images.input_shape, images.target_size)))


def _is_images(dataset: Any) -> bool:
    return len(dataset.input_shape or ()) == _IMAGE_AXES


def _with_defaults(component: Component, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of a component: the given ones, and the defaults of the others."""
    values = {}
    for key in component.parameters:
        value = given.get(key.name, key.default)
        if isinstance(key, Nested) and key.many:
            items = key.presets.get(value, value)
            value = [{"name": one["name"], **_with_defaults(get(key.kind, one["name"]), one)} for one in items]
        values[key.name] = value
    return values
