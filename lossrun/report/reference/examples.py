"""Lines of YAML that show how a config names a component."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lossrun.analysis.comparison.differences import yaml_text
from lossrun.catalog.declaration import Component

# What stands for a value that has no default, in the lines to copy.
_EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "csv": {"path": "houses.csv", "target": "price"},
    "npz": {"path": "houses.npz", "target": "prices"},
    "inline": {"inputs": [[1], [2], [3], [4]], "targets": [3, 5, 7, 9]},
    "multi_step": {"milestones": [10, 20]},
    "piecewise_constant": {"boundaries": [10, 20], "fractions": [0.5, 0.1]},
    "cosine_restarts": {"first_epochs": 10},
}
# Parameters that many components have and that tell nothing about the one.
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
    """Values for the parameters of that component which have no default."""
    return dict(_EXAMPLES.get(name, {}))


def yaml_lines(component: Component) -> Iterator[str]:
    """Lines of a config that name the component: as short as may be, then with what is its own to set."""
    needed = ", ".join(f"{key}: {yaml_text(value)}" for key, value in values_without_default(component.name).items())
    name = f"{{name: {component.name}, {needed}}}" if needed else component.name
    own = _own_parameters(component)
    full = f"{{name: {component.name}, {', '.join(filter(None, (needed, own)))}}}" if own else ""
    match component.kind:
        case "metric":
            yield f"compare_on: {component.name}"
            yield f"early_stopping: {{metric: val_{component.name}, patience: 5}}"
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
    """Those with plain defaults that no other kind of setting overshadows, at their defaults."""
    shown = [
        f"{key.name}: {yaml_text(key.default)}"
        for key in component.parameters
        if isinstance(key.default, (int, float, list)) and key.default != [] and key.name not in _LESS_TELLING
    ]
    return ", ".join(shown[:3])
