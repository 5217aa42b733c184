"""Compute matrix products with faster kernels than torch chooses.

The sums are added up in another order, so results differ by about 1e-7, relatively. Times: tests/bench/README.md.
"""

import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from lossrun.replay.kernels import Call, Kernel
from lossrun.torch_internals import one_dnn_linear

# With fewer multiplications, oneDNN's fixed cost of about 17 us a call is more than it saves.
LEAST_MULTIPLICATIONS: Final = 3_000_000
# From this ratio of a result's longer side to its shorter one on, oneDNN is faster only if the result is tall and the
# rows of the left matrix are contiguous: weights times a small batch, with its samples innermost. 300 x 784 by 784 x 32
# takes 41 us instead of 73, but 32 x 784 by 784 x 300 takes 93, and the transposed weights by 300 x 32 take 148.
ELONGATED: Final = 4
_ZEN_5: Final = 26  # AMD's number of the family


def faster_product(call: Call) -> Kernel | None:
    """Return a faster kernel for the call; None if the call is not a product, or torch's own kernel is the fastest."""
    if call.op is torch.ops.aten.bmm.default:
        left, right = call.args
        return _of_stacks(left, right, call.result)
    if call.op is torch.ops.aten.addmm.default and len(call.args) == 3 and not call.kwargs:
        bias, left, right = call.args
        return _large(bias, left, right, call.result)
    if call.op is torch.ops.aten.mm.default:
        left, right = call.args
        return _large(None, left, right, call.result)
    return None


def _large(bias: Tensor | None, left: Tensor, right: Tensor, result: Tensor) -> Kernel | None:
    """Return a faster kernel for large float32 products on the CPU."""
    # oneDNN reads the bias without checking its shape.
    within = bias is not None and bias.shape == right.shape[1:] and bias.is_contiguous()
    product = one_dnn_product(left, right, bias if within else None)
    if product is None:
        return None
    if bias is None or within:
        return lambda: result.copy_(product())
    return lambda: torch.add(product(), bias, out=result)


def one_dnn_product(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Callable[[], Tensor] | None:
    """Return what computes left @ right + bias by oneDNN into new memory; None if torch's own kernel is as fast."""
    linear = one_dnn_linear()
    if linear is None or not is_large(left, right) or not one_dnn_is_faster():
        return None
    rows, columns = len(left), right.shape[1]
    wide, tall = columns >= ELONGATED * rows, rows >= ELONGATED * columns
    if wide or (tall and left.stride(1) != 1):
        return None
    weight = right.t()
    return lambda: linear(left, weight, bias, "none", [], "")


@cache
def one_dnn_is_faster() -> bool:
    """Return whether oneDNN multiplies large matrices faster than MKL, which torch uses for them.

    It does on AMD processors whose units are 512 bits wide, of which MKL uses half. 784 x 300 weights and a batch of
    128 take 190 us instead of 360 on Zen 5. On Zen 4, whose units are half as wide, they take 340 us either way, and
    oneDNN's result still has to be copied.
    """
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return there and one_dnn_linear() is not None and _amd_family() >= _ZEN_5


def _amd_family() -> int:
    """Return the family number of an AMD processor, as Linux reports it; 0 for others."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return 0
    family = re.search(r"^cpu family\s*: (\d+)$", text, re.MULTILINE)
    return int(family[1]) if family and "AuthenticAMD" in text else 0


def is_large(left: Tensor, right: Tensor, least: int = LEAST_MULTIPLICATIONS) -> bool:
    """Return whether a product is in float32, on the CPU, and has at least `least` multiplications."""
    return (
        left.device.type == "cpu"
        and left.dtype == right.dtype == torch.float32
        and left.shape[0] * left.shape[1] * right.shape[1] >= least
    )


def _of_stacks(left: Tensor, right: Tensor, result: Tensor) -> Kernel | None:
    """Return a faster kernel for products of stacked networks with a single output; None for others.

    For 64 networks, 32 x 1 by 1 x 20 takes 7 us elementwise instead of 16, and 20 x 32 by 32 x 1 takes 7 us as a row
    times a matrix instead of 25.
    """
    if left.shape[2] == 1:
        return partial(torch.mul, left, right, out=result)
    if right.shape[2] == 1 and left.stride(1) == 1:
        return partial(torch.bmm, right.mT, left.mT, out=result.mT)
    return None
