"""Lines of YAML that show how a config names a component."""

from collections.abc import Iterator
from typing import Any, Final

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.catalog.declaration import Component
from lossrun.catalog.lookup import COMPONENTS
from lossrun.catalog.parameter import Parameter

# Parameters that many components have, so that they say little about a single one.
_LESS_TELLING: Final = (
    "label_smoothing",
    "bias",
    "warmup_epochs",
    "split_seed",
    "validation",
    "test",
    "seed",
    "header",
)


def values_without_default(name: str) -> dict[str, Any]:
    """Return the declared examples of a component's parameters that have no telling default."""
    every = (one for members in COMPONENTS.values() for one in members if one.name == name)
    return next((found for one in every if (found := _examples(one))), {})


def _examples(component: Component) -> dict[str, Any]:
    return {
        key.name: key.example for key in component.parameters if isinstance(key, Parameter) and key.example is not None
    }


def yaml_lines(component: Component) -> Iterator[str]:
    """Yield lines of a config that name the component: the shortest one, then one with its own parameters."""
    needed = ", ".join(f"{key}: {yaml_text(value)}" for key, value in _examples(component).items())
    name = f"{{name: {component.name}, {needed}}}" if needed else component.name
    own = _own_parameters(component)
    full = f"{{name: {component.name}, {', '.join(filter(None, (needed, own)))}}}" if own else ""
    match component.kind:
        case "metric":
            yield f"compare_on: {component.name}"
            yield f"early_stopping: {{metric: val_{component.name}, patience: 5}}"
        case "activation":
            yield f"model: {{name: mlp, activation: {name}}}"
        case "initializer":
            yield f"model: {{name: mlp, init: {full or name}}}"
        case "layer":
            others = ", dense" if component.name != "dense" else ""
            yield f"model: {{name: cnn, layers: [{full or name}{others}]}}"
        case "noise":
            yield f"dataset: {{name: synthetic_regression, noise: {full or name}}}"
        case kind:
            yield f"{kind}: {name}"
            if full:
                yield f"{kind}: {full}"


def _own_parameters(component: Component) -> str:
    """Return up to three parameters with plain defaults that are typical of the component, at their defaults."""
    shown = [
        f"{key.name}: {yaml_text(key.default)}"
        for key in component.parameters
        if isinstance(key.default, (int, float, list)) and key.default != [] and key.name not in _LESS_TELLING
    ]
    return ", ".join(shown[:3])
