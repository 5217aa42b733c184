"""Recorded calls by others that give the same numbers, bit for bit, and do less around the arithmetic.

A number among the arguments of an operator is made a tensor in every call, which takes longer than the arithmetic of a
small step: adding 1 to four counts of steps takes 10 us, adding a tensor 4 us. So it is made a tensor once.
"""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any, Final

import torch
from torch import Tensor

from lossrun.replay.kernels import Call, Kernel

_aten: Final = torch.ops.aten
_ARITHMETIC: Final = frozenset(
    getattr(_aten, f"{name}{place}").Tensor for name in ("add", "sub", "mul", "div") for place in ("", "_")
)
# In half precision, operators compute with the number as it is, and not rounded as a tensor's.
_EXACT: Final = (torch.float32, torch.float64)


def cheaper(call: Call) -> Call:
    """Return a call that computes the same, or the call itself."""
    if call.kwargs or len(call.args) != 2:
        return call
    first, number = call.args
    if type(number) not in (int, float):
        return call
    if call.op in _ARITHMETIC and _is_exact([first]):
        return Call(call.op, (first, _as_tensor(number, first)), {}, call.result)
    packet = call.op.overloadpacket
    if packet.__name__ == "_foreach_add_" and _is_exact(first) and "List" in packet.overloads():
        return Call(packet.List, (first, [_as_tensor(number, one) for one in first]), {}, call.result)
    return call


def mean(call: Call) -> Kernel | None:
    """Return the sum, divided where there is something to divide by: that is how torch computes a mean on the CPU.

    None if the call is not a mean, or one of another type.
    """
    if (
        call.op not in (_aten.mean.default, _aten.mean.dim)
        or call.kwargs
        or not _is_exact([*call.args[:1], call.result])
    ):
        return None
    inputs, *how = call.args
    dims = how[0] if how and how[0] else range(inputs.ndim)
    total = partial(torch.sum, inputs, list(dims), *how[1:], out=call.result)
    count = prod(inputs.shape[dim] for dim in dims)
    if count == 1:
        return total
    number = _as_tensor(count, inputs)

    def divided() -> None:
        total()
        call.result.div_(number)

    return divided


def _as_tensor(number: float, like: Tensor) -> Tensor:
    return torch.tensor(number, dtype=like.dtype)


def _is_exact(tensors: Sequence[Any]) -> bool:
    return all(isinstance(one, Tensor) and one.device.type == "cpu" and one.dtype in _EXACT for one in tensors)
