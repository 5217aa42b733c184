"""Find the function of a declared component: it has the same name, in the module of its kind.

No table lists the functions: a component is a declaration in the catalogue and a function of the same name.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lossrun.catalog import get
from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.homes import home

if TYPE_CHECKING:
    from torch import Tensor  # the curves of schedules are drawn without torch


def function_of(kind: str, name: str) -> Callable[..., Any]:
    """Return the function of the loss, metric, model, initializer, optimizer or schedule with that canonical name.

    An optimizer that torch has is torch's own class. Raises KeyError for a name that is not declared.
    """
    declared = get(kind, name)
    if isinstance(declared, Optimizer) and declared.torch_class:
        module, attribute = "torch.optim", declared.torch_class
    else:
        module, attribute = home(kind, name), name
    function: Callable[..., Any] = getattr(import_module(module), attribute)
    return function


def loss_function(name: str) -> Callable[..., "Tensor"]:
    """Return the loss with that canonical name: `(outputs, targets, **parameters)` to one value per sample, (N,)."""
    return function_of("loss", name)
