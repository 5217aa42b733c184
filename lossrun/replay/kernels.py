"""One operation of a recording as something to call again, that writes where it wrote the first time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._pytree import tree_leaves

Kernel: TypeAlias = Callable[[], object]
# What computes an operation in another way, and gives what it gives.
Decomposition: TypeAlias = Callable[[], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One kernel call, as it was made."""

    op: OpOverload
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    result: Any

    @property
    def read(self) -> Iterator[Tensor]:
        """Every tensor among the arguments, those that are written as well."""
        return tensors_in((self.args, dict(self.kwargs)))

    @property
    def written(self) -> Iterator[Tensor]:
        """Arguments changed in place."""
        for position, argument in enumerate(self.op._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                given = self.args[position] if position < len(self.args) else self.kwargs.get(argument.name)
                yield from tensors_in(given)

    @property
    def results(self) -> Iterator[Tensor]:
        return tensors_in(self.result)


_aten: Final = torch.ops.aten
# Of frequent operations torch's functions of the same arguments and defaults: by an operator's name a call takes 1.5 us
# instead of 0.8, and more where the processor's cache is full of other things.
_FUNCTIONS: Final[dict[OpOverload, Callable[..., Any]]] = {
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
    _aten._log_softmax.out: torch._log_softmax,
    _aten._log_softmax_backward_data.out: torch._log_softmax_backward_data,
    _aten._softmax.out: torch._softmax,
    _aten._fused_adam_.tensor_lr: torch._fused_adam_,
    _aten._fused_adamw_.tensor_lr: torch._fused_adamw_,
    _aten._fused_sgd_.tensor_lr: torch._fused_sgd_,
    _aten.add_.Tensor: Tensor.add_,
    _aten.baddbmm_.default: Tensor.baddbmm_,
    _aten.copy_.default: Tensor.copy_,
    _aten.div_.Tensor: Tensor.div_,
    _aten.mul_.Tensor: Tensor.mul_,
    _aten.sub_.Tensor: Tensor.sub_,
    _aten.zero_.default: Tensor.zero_,
}


_COPIES: Final = (_aten._to_copy.default, _aten.clone.default)


def _function(op: OpOverload) -> Callable[..., Any]:
    return _FUNCTIONS.get(op, op._op)


def kernel(call: Call) -> Kernel:
    """Computes the results of a call anew, from the tensors it read, into the tensors it gave."""
    if call.op._schema.is_mutable and {*map(storage, call.read)}.issuperset(map(storage, call.results)):
        return partial(_function(call.op), *call.args, **call.kwargs)
    if call.op._schema.is_mutable or isinstance(call.result, list):
        return partial(_copy_results, call)
    if call.op in _COPIES:
        return partial(call.result.copy_, call.args[0])
    if call.op is _aten.relu.default:
        # This is what relu comes down to; its own `out` computes into fresh memory and copies.
        return partial(torch.clamp_min, call.args[0], 0, out=call.result)
    if (out := _out_overload(call.op)) and all(isinstance(leaf, Tensor) for leaf in tree_leaves(call.result)):
        overload, names = out
        return partial(
            _function(overload), *call.args, **call.kwargs, **dict(zip(names, tree_leaves(call.result), strict=True))
        )
    return partial(_copy_results, call)


def _copy_results(call: Call) -> None:
    """For an operation that cannot write where it is told to."""
    for kept, fresh in zip(tree_leaves(call.result), tree_leaves(call.op(*call.args, **call.kwargs)), strict=True):
        if isinstance(kept, Tensor):
            kept.copy_(fresh)


_overloads: Final[dict[OpOverload, tuple[OpOverload, list[str]] | None]] = {}


def _out_overload(op: OpOverload) -> tuple[OpOverload, list[str]] | None:
    """The overload that takes the same arguments and tensors to write into, and the names of these."""
    if op not in _overloads:
        _overloads[op] = None
        wanted = [(argument.name, str(argument.type)) for argument in op._schema.arguments]
        for name in op.overloadpacket.overloads():
            overload = getattr(op.overloadpacket, name)
            out = [argument.name for argument in overload._schema.arguments if argument.is_out]
            taken = [(a.name, str(a.type)) for a in overload._schema.arguments if not a.is_out]
            if out and taken == wanted:
                _overloads[op] = overload, out
                break
    return _overloads[op]


def storage(tensor: Tensor) -> int:
    """The address of the memory in which it lies, alike for all its views."""
    address: int = tensor.untyped_storage()._cdata
    return address


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """Every tensor among the leaves."""
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))
