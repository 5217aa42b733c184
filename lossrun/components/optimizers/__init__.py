"""The optimizers: torch's own classes, fused where torch can, and those that torch does not have (`not_in_torch.py`).

Declared in `catalog/optimizers/`.
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
    """Return whether torch has a fused kernel of that optimizer for all these weights."""
    devices = _declared(name).fused_on
    return all(w.device.type in devices and w.dtype in (torch.float32, torch.float64) for w in weights)


def build_optimizer(name: str, weights: Iterable[Tensor], learning_rate: float, **parameters: Any) -> optim.Optimizer:
    """Return an optimizer of a model's weights.

    Args:
        name: Its canonical name.
        weights: `model.parameters()`; those of the output layer come last.
        learning_rate: The learning rate.
        parameters: As declared: torch's parameters, with lists instead of tuples. A pair of torch is two parameters;
            give both or neither.

    Raises:
        ValueError: If parameters contradict each other (Nesterov without momentum) or are out of bounds.
        TypeError: For unknown parameters.
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
    """Keep the single numbers of asgd and nadam in float32 when a state is loaded.

    torch makes them in float32 but loads them in the type of the weights. In double precision a resumed run would then
    not reach the bits of a run that never stopped.
    """
    for state in optimizer.state.values():
        for key in _SINGLE_NUMBERS & state.keys():
            state[key] = state[key].to(torch.float32)
