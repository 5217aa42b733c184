"""The optimizers that torch does not have: one function for each, by its declared name.

`name(weights, lr, **parameters)` returns a `torch.optim.Optimizer` over the weights of a model; the output
layer's come last.
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, optim

from lossrun.components.optimizers.muon import Muon
from lossrun.torch_internals import without_compiler


def muon(weights: Iterable[Tensor], lr: float, **parameters: Any) -> optim.Optimizer:
    """Muon for the matrices of hidden layers, AdamW for everything else."""
    return without_compiler(Muon)(weights, lr, **parameters)
