"""The optimizers: torch's own classes, fused where torch can, and those that torch does not have (`not_in_torch.py`).

Declared in `catalog/optimizers.py`.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, optim

from lossrun.catalog import get
from lossrun.catalog.declaration import Optimizer
from lossrun.components.lookup import function_of
from lossrun.torch_internals import without_compiler

_SINGLE_NUMBERS: Final = frozenset({"eta", "mu", "mu_product"})


def fused_available(name: str, weights: Sequence[Tensor]) -> bool:
    """Whether torch has a fused kernel of that optimizer for every one of these weights."""
    devices = _declared(name).fused_on
    return all(w.device.type in devices and w.dtype in (torch.float32, torch.float64) for w in weights)


def build_optimizer(name: str, weights: Iterable[Tensor], learning_rate: float, **parameters: Any) -> optim.Optimizer:
    """The optimizer of that name over a model's weights (`model.parameters()`), the output layer's last.

    `parameters` are as declared: torch's, lists for tuples, its pairs taken apart (both of a pair, or neither). Raises
    ValueError where they contradict each other (Nesterov without momentum), and what torch raises for values out of
    bounds (ValueError) and for unknown parameters (TypeError).
    """
    declared = _declared(name)
    if wrong := declared.contradiction(parameters):
        raise ValueError(wrong)
    for pair, (first, second) in declared.pairs.items():
        if first in parameters or second in parameters:
            parameters[pair] = (parameters.pop(first), parameters.pop(second))
    parameters = {key: tuple(value) if isinstance(value, list) else value for key, value in parameters.items()}
    weights = list(weights)
    if fused_available(name, weights):
        parameters["fused"] = True
    if declared.capturable and weights[0].device.type == "cuda":
        parameters["capturable"] = True
    make = without_compiler(function_of("optimizer", name))
    optimizer = make(weights, lr=learning_rate, **parameters)
    optimizer.register_load_state_dict_post_hook(_single_numbers_in_float32)
    return optimizer


def _declared(name: str) -> Optimizer:
    declared = get("optimizer", name)
    assert isinstance(declared, Optimizer)
    return declared


def _single_numbers_in_float32(optimizer: optim.Optimizer) -> None:
    """torch keeps rates and products of asgd and nadam in float32, but loads them in the weight's own type: the product
    would go on in double precision, and not to the bits of a run that was never stopped."""
    for state in optimizer.state.values():
        for key in _SINGLE_NUMBERS & state.keys():
            state[key] = state[key].to(torch.float32)
