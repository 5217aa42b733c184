"""Make a function of a recorded call, which writes to the same memory as the first time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

from lossrun.replay.trees import leaves, tensors_in
from lossrun.torch_internals import Operator, direct_call, operators, schema, storage_address

Kernel: TypeAlias = Callable[[], object]
# Computes what an operator computes, by other operators.
Decomposition: TypeAlias = Callable[[], Any]


@dataclass(frozen=True, eq=False)
class Call:
    """One kernel call, as it was made. Its tensors are read many times while a recording is compiled."""

    op: Operator
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any

    @cached_property
    def read(self) -> tuple[Tensor, ...]:
        """Every tensor among the arguments, including those that are written."""
        return tuple(tensors_in([*self.args, *self.kwargs.values()]))

    @cached_property
    def written(self) -> tuple[Tensor, ...]:
        """Arguments changed in place."""
        changed = [
            self.args[position] if position < len(self.args) else self.kwargs.get(name)
            for position, name in written_arguments(self.op)
        ]
        return tuple(tensors_in(changed))

    @cached_property
    def results(self) -> tuple[Tensor, ...]:
        return tuple(tensors_in(self.result))

    @cached_property
    def read_at(self) -> tuple[int, ...]:
        """The address of the memory of each tensor that is read."""
        return tuple(map(storage_address, self.read))

    @cached_property
    def written_at(self) -> tuple[int, ...]:
        """The address of the memory of each tensor that is written."""
        return tuple(map(storage_address, self.written))

    @cached_property
    def results_at(self) -> tuple[int, ...]:
        """The address of the memory of each result."""
        return tuple(map(storage_address, self.results))


@cache  # torch looks up each part of a schema every time
def written_arguments(op: Operator) -> tuple[tuple[int, str], ...]:
    """Return position and name of each argument that an operator changes in place."""
    return tuple(
        (position, argument.name)
        for position, argument in enumerate(schema(op).arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


@cache
def is_mutable(op: Operator) -> bool:
    """Return whether an operator changes any of its arguments."""
    return bool(schema(op).is_mutable)


_aten: Final = torch.ops.aten
# torch's functions of frequent operators, with the same arguments and defaults: calling an operator by its name takes
# 1.5 us instead of 0.8, and more where the processor's cache is full of other things.
FUNCTIONS: Final[dict[Operator, Callable[..., Any]]] = {
    _aten.add.out: torch.add,
    _aten.addmm.out: torch.addmm,
    _aten.bmm.out: torch.bmm,
    _aten.clamp.out: torch.clamp,
    _aten.clamp_min.out: torch.clamp_min,
    _aten.div.out: torch.div,
    _aten.exp.out: torch.exp,
    _aten.log.out: torch.log,
    _aten.mean.dtype_out: torch.mean,
    _aten.mean.out: torch.mean,
    _aten.mm.out: torch.mm,
    _aten.mul.out: torch.mul,
    _aten.neg.out: torch.neg,
    _aten.sigmoid.out: torch.sigmoid,
    _aten.sub.out: torch.sub,
    _aten.sum.IntList_out: torch.sum,
    _aten.tanh.out: torch.tanh,
    _aten.add_.Tensor: Tensor.add_,
    _aten.baddbmm_.default: Tensor.baddbmm_,
    _aten.copy_.default: Tensor.copy_,
    _aten.div_.Tensor: Tensor.div_,
    _aten.mul_.Tensor: Tensor.mul_,
    _aten.sub_.Tensor: Tensor.sub_,
    _aten.zero_.default: Tensor.zero_,
}


def _function(op: Operator) -> Callable[..., Any]:
    return FUNCTIONS.get(op) or direct_call(op)


def _is_copy(op: Operator) -> bool:
    return op is _aten.clone.default or op in operators(["_to_copy"])


def kernel(call: Call) -> Kernel:
    """Return what repeats a call: it reads the same tensors, and writes its results into those that it returned."""
    if is_mutable(call.op) and {*call.read_at}.issuperset(call.results_at):
        return partial(_function(call.op), *call.args, **call.kwargs)
    if is_mutable(call.op) or isinstance(call.result, list):
        return partial(_copy_results, call)
    if _is_copy(call.op):
        return partial(call.result.copy_, call.args[0])
    if call.op is _aten.relu.default:
        # relu does the same, but its own `out` computes into new memory and copies.
        return partial(torch.clamp_min, call.args[0], 0, out=call.result)
    if (out := _out_overload(call.op)) and all(isinstance(leaf, Tensor) for leaf in leaves(call.result)):
        overload, names = out
        return partial(
            _function(overload), *call.args, **call.kwargs, **dict(zip(names, leaves(call.result), strict=True))
        )
    return partial(_copy_results, call)


def _copy_results(call: Call) -> None:
    """Compute into new memory and copy, for an operator that cannot write where it is told to."""
    for kept, fresh in zip(leaves(call.result), leaves(call.op(*call.args, **call.kwargs)), strict=True):
        if isinstance(kept, Tensor):
            kept.copy_(fresh)


_overloads: Final[dict[Operator, tuple[Operator, list[str]] | None]] = {}


def _out_overload(op: Operator) -> tuple[Operator, list[str]] | None:
    """Return the overload that takes the same arguments and tensors to write into, and the names of those tensors."""
    if op not in _overloads:
        _overloads[op] = None
        wanted = [(argument.name, str(argument.type)) for argument in schema(op).arguments]
        for name in op.overloadpacket.overloads():
            overload = getattr(op.overloadpacket, name)
            out = [argument.name for argument in schema(overload).arguments if argument.is_out]
            taken = [(a.name, str(a.type)) for a in schema(overload).arguments if not a.is_out]
            if out and taken == wanted:
                _overloads[op] = overload, out
                break
    return _overloads[op]
