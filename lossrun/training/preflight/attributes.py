"""Read what a user's own components keep outside of what a checkpoint holds: in attributes, closures and modules.

The result is {where: a short form of the value}. It is only compared, so values that cannot be read are left out. So
are the names that a class or a module excludes from its state: `not_state = ("calls",)`.
"""

import hashlib
import random
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from types import FunctionType, GeneratorType, MethodType, ModuleType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from lossrun.plugins.loading import loaded_sources
from lossrun.steps.replica import Replica
from lossrun.torch_internals import without_compiler

MOST_VALUES: Final = 20_000  # of all that is read; a component with more keeps data, not state
_MOST_NUMBERS: Final = 2**20  # of an array, evenly spread
_DEEPEST: Final = 12
_PLAIN: Final = (bool, int, float, complex, str, bytes, type(None), range, slice)


@cache
def _of_torch() -> frozenset[str]:
    """Return what torch keeps in every module and optimizer. Weights and persistent buffers are in the checkpoint."""
    optimizer = without_compiler(torch.optim.SGD)([nn.Parameter(torch.zeros(1))])
    return frozenset((*vars(nn.Module()), *vars(optimizer))) - {"param_groups", "state"}


class _Reader:
    def __init__(self, own: Iterable[str]) -> None:
        self.own = frozenset(own)
        self.found: dict[str, str] = {}
        self.seen: dict[int, object] = {}  # kept, so that no id is used again

    def read(self, value: Any, where: str, depth: int = 0) -> None:
        """Record a value, or the values that it consists of."""
        if isinstance(value, _PLAIN):
            self.found[where] = repr(value)
            return
        if depth > _DEEPEST or len(self.found) > MOST_VALUES or id(value) in self.seen:
            return
        self.seen[id(value)] = value
        with suppress(Exception):  # the user's object may raise anything when it is read
            if (text := _in_short(value)) is not None:
                self.found[where] = text
                return
            for name, part in self._parts(value):
                self.read(part, f"{where}{name}", depth + 1)

    def _parts(self, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Mapping):
            yield ".length", len(value)
            for place, (key, item) in enumerate(value.items()):
                yield f"[{key!r}]" if isinstance(key, str | int) else f"[{place}]", item
        elif isinstance(value, list | tuple | deque):
            yield ".length", len(value)
            yield from ((f"[{place}]", item) for place, item in enumerate(value))
        elif isinstance(value, set | frozenset):
            yield ".length", len(value)
        elif isinstance(value, partial):
            yield from (("", value.func), ("", value.args), ("", value.keywords))
        elif isinstance(value, MethodType):
            yield from (("", value.__self__), ("", value.__func__))
        elif isinstance(value, FunctionType):
            if value.__module__ in self.own:
                yield from ((f".{name}", getattr(value, name)) for name in ("__defaults__", "__kwdefaults__"))
                yield from _cells(value)
                yield from _attributes(vars(value))
        elif isinstance(value, GeneratorType):
            if value.gi_frame is not None:
                yield " (its position)", value.gi_frame.f_lasti
                yield from _attributes(value.gi_frame.f_locals)
        elif isinstance(value, Iterator):
            with warnings.catch_warnings(action="ignore"):
                yield " (its position)", value.__reduce__()
        elif isinstance(value, type):
            if value.__module__ in self.own:
                yield from _attributes({name: part for name, part in vars(value).items() if name != "__doc__"}, value)
        elif isinstance(value, nn.Module):
            yield from _attributes(vars(value), value)
            kept = set(value.state_dict(keep_vars=True))
            yield from ((f".{name}", buffer) for name, buffer in value.named_buffers() if name not in kept)
            yield from ((f".{name}", module) for name, module in value.named_children())
        elif isinstance(value, torch.optim.Optimizer):
            yield from _attributes(vars(value), value)
        elif type(value).__module__ in self.own or type(value).__module__.partition(".")[0] in ("torch", "types"):
            yield from _attributes(getattr(value, "__dict__", {}), value)
            slots = (name for one in type(value).__mro__ for name in getattr(one, "__slots__", ()))
            yield from _attributes({name: getattr(value, name) for name in slots if hasattr(value, name)}, value)


def of_components(replica: Replica, specs: Mapping[str, str]) -> dict[str, str]:
    """Return what the components of one seed keep.

    Args:
        specs: {kind: the name in the config} of the user's own components.
    """
    reader = _Reader(_own_modules(specs.values()))
    if "model" in specs:
        reader.read(replica.network, "model")
    if "loss" in specs:
        reader.read(replica.objective.loss, "loss")
    if "optimizer" in specs:
        optimizer = replica.optimizer
        attributes = {name: value for name, value in vars(optimizer).items() if name not in ("state", "param_groups")}
        reader.seen[id(optimizer)] = optimizer
        for name, value in _attributes(attributes, optimizer):
            reader.read(value, f"optimizer{name}")
        for place, group in enumerate(optimizer.param_groups):
            numbers = {name: value for name, value in group.items() if name not in ("params", "lr")}
            reader.read(numbers, f"optimizer.param_groups[{place}]")
    return reader.found


def of_modules(specs: Mapping[str, str]) -> dict[str, str]:
    """Return what the modules of the user's own components keep, in their variables, classes and functions.

    All seeds share it.
    """
    names = _own_modules(specs.values())
    reader = _Reader(names)
    for name in names:
        module = sys.modules[name]
        for variable, value in vars(module).items():
            if not (variable.startswith("__") or variable in _not_state(module) or isinstance(value, ModuleType)):
                reader.read(value, f"{name}.{variable}")
    return reader.found


def _own_modules(specs: Iterable[str]) -> list[str]:
    return [name for spec in specs for name in loaded_sources(spec) if name in sys.modules]


def _attributes(values: Mapping[str, Any], owner: object = None) -> Iterator[tuple[str, Any]]:
    left_out = _of_torch() | _not_state(owner)
    yield from ((f".{name}", value) for name, value in dict(values).items() if name not in left_out)


def _not_state(owner: object) -> frozenset[str]:
    """Return the names that the user's class or module excludes from its state."""
    names = getattr(owner, "not_state", ())
    names = (names,) if isinstance(names, str) else names if isinstance(names, tuple | list | set) else ()
    return frozenset(name for name in names if isinstance(name, str))


def _cells(function: FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not yet filled
            yield f".{name}", cell.cell_contents


def _in_short(value: Any) -> str | None:
    """Return the content of an array or the state of a generator as text; None for anything else."""
    if isinstance(value, Tensor):
        numbers = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        return f"{value.dtype} {list(value.shape)} {_digest(numbers.numpy())}"
    if isinstance(value, np.ndarray | np.generic):
        return f"{value.dtype} {list(value.shape)} {_digest(np.asarray(value))}"
    states: dict[type, Callable[[Any], object]] = {
        torch.Generator: lambda one: _digest(one.get_state().numpy()),
        random.Random: random.Random.getstate,
        np.random.Generator: lambda one: one.bit_generator.state,
        np.random.RandomState: lambda one: one.get_state(legacy=False),
    }
    return next((repr(state(value)) for kind, state in states.items() if isinstance(value, kind)), None)


def _digest(array: np.ndarray) -> str:
    numbers = array.reshape(-1)
    few = np.ascontiguousarray(numbers[:: -(-len(numbers) // _MOST_NUMBERS) or 1])
    return hashlib.blake2b(few.tobytes(), digest_size=8).hexdigest()
