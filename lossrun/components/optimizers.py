"""The optimizers: `torch.optim`'s own, fused where torch can. Declared in `catalog/optimizers.py`."""

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
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


def keep_compiler_out() -> None:
    """torch marks a few methods of its optimizers as not to be compiled, and at the first call of one imports its whole
    compiler, for over a second, to note that. Here nothing is compiled: the note is made without it.

    Whoever has imported the compiler already, to compile a model of their own, keeps torch's own way.
    """
    if "torch._dynamo" in sys.modules:
        return
    for name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
        function = getattr(getattr(optim.Optimizer, name), "__wrapped__", None)
        if function is not None and not hasattr(function, "__dynamo_disable"):
            function.__dynamo_disable = function


def update(optimizer: optim.Optimizer) -> Callable[[], object]:
    """What `optimizer.step` comes down to.

    Around it torch puts a profiler's mark, hooks, and an import of its compiler: 15 us a step, and over a second once.
    `optimizer` is one of `build_optimizer`'s; a user's may have hooks, or a `step` that does more.
    """
    bare = inspect.unwrap(type(optimizer).step)
    return partial(torch.no_grad()(bare), optimizer)


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
    keep_compiler_out()
    weights = list(weights)
    if fused_available(name, weights):
        parameters["fused"] = True
        if name in ("adam", "adamw") and weights[0].device.type == "cuda":
            # Counts its steps on the GPU, without which a CUDA graph could not hold the update.
            parameters["capturable"] = True
    optimizer_class: Any = OPTIMIZERS[name]
    optimizer: optim.Optimizer = optimizer_class(weights, lr=learning_rate, **parameters)
    return optimizer
