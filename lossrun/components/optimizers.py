"""The optimizers: `torch.optim`'s own, fused where torch can. Declared in `catalog/optimizers.py`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, optim

OPTIMIZERS: Final[Mapping[str, type[optim.Optimizer]]] = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "rmsprop": optim.RMSprop,
    "adagrad": optim.Adagrad,
}

# Device types on which torch updates all weights in one kernel instead of several per weight.
_FUSED: Final[Mapping[str, frozenset[str]]] = {
    "sgd": frozenset({"cpu", "cuda"}),
    "adam": frozenset({"cpu", "cuda"}),
    "adamw": frozenset({"cpu", "cuda"}),
    "adagrad": frozenset({"cpu"}),
}


def fused_available(name: str, weights: Sequence[Tensor]) -> bool:
    """Whether torch has a fused kernel of that optimizer for every one of these weights."""
    devices = _FUSED.get(name, frozenset())
    return all(w.device.type in devices and w.dtype in (torch.float32, torch.float64) for w in weights)


def build_optimizer(name: str, weights: Iterable[Tensor], learning_rate: float, **parameters: Any) -> optim.Optimizer:
    """The optimizer of that name over a model's weights (`model.parameters()`).

    `parameters` are torch's, lists allowed for tuples. Raises ValueError for Nesterov without momentum, and what torch
    raises for values out of bounds (ValueError) and for unknown parameters (TypeError).
    """
    if parameters.get("nesterov") and not (parameters.get("momentum") and not parameters.get("dampening")):
        raise ValueError(
            f"nesterov looks ahead along the momentum, but momentum is {parameters.get('momentum', 0)} and dampening "
            f"{parameters.get('dampening', 0)}; set momentum above 0 (0.9 is usual) and dampening to 0, or nesterov to "
            "false"
        )
    if "betas" in parameters:
        parameters["betas"] = tuple(parameters["betas"])
    weights = list(weights)
    if fused_available(name, weights):
        parameters["fused"] = True
    optimizer_class: Any = OPTIMIZERS[name]
    optimizer: optim.Optimizer = optimizer_class(weights, lr=learning_rate, **parameters)
    return optimizer
