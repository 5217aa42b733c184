"""Keep the caller's hooks and modes, which torch applies to every module, optimizer and call, out of runs.

For example, a debugger's forward hook for all modules, or a mode that counts operations, would change the numbers of a
run or see its internals. Hooks that belong to one module or tensor stay with it.
"""

import sys
from contextlib import ExitStack
from functools import cache
from types import ModuleType
from typing import Any

import torch

from lossrun.torch_internals import (
    DISPATCH_MODE_NOW,
    DISPATCH_MODES,
    FUNCTION_MODE,
    FUNCTION_MODES,
    HOOKS_OF_MODULES,
    HOOKS_OF_OPTIMIZERS,
    HOOKS_OF_TENSORS,
    Internal,
    find,
)


def disable_hooks_and_modes(undo: ExitStack) -> None:
    """Disable all hooks and modes of the caller; `undo` restores them."""
    for internal in (HOOKS_OF_MODULES, HOOKS_OF_OPTIMIZERS):
        if find(internal) is not None:
            _empty_registries(internal, undo)
    if (saved := find(HOOKS_OF_TENSORS)) and saved(False) is not None:
        undo.enter_context(torch.autograd.graph.saved_tensors_hooks(_same, _same))
    if (current := find(FUNCTION_MODE)) and (pop := find(FUNCTION_MODES)):
        while current() is not None:
            undo.enter_context(pop())
    if (current := find(DISPATCH_MODE_NOW)) and (disable := find(DISPATCH_MODES)) and current() is not None:
        undo.enter_context(disable())


def _empty_registries(internal: Internal, undo: ExitStack) -> None:
    """Empty all registries of hooks in the module of torch that contains this one."""
    module = sys.modules[internal.name.rpartition(".")[0]]
    for name in _registries(module):
        if registry := getattr(module, name):
            undo.callback(_fill, registry, dict(registry))
            registry.clear()


@cache  # a module of torch has some hundred names, and is asked before and after every epoch
def _registries(module: ModuleType) -> tuple[str, ...]:
    return tuple(
        name for name, value in vars(module).items() if name.startswith("_global_") and isinstance(value, dict)
    )


def _fill(registry: dict[Any, Any], hooks: dict[Any, Any]) -> None:
    """Restore the hooks, and discard others that were registered in the meantime."""
    registry.clear()
    registry.update(hooks)


def _same(tensor: torch.Tensor) -> torch.Tensor:
    return tensor
