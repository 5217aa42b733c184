"""Matrix products of a recording on faster kernels than the ones torch chooses for them.

The sums are added up in another order: about 1e-7 relative apart. Times: tests/bench/README.md.
"""

from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from lossrun.training.tape import Call, Kernel

# Multiplications below which oneDNN's fixed cost of about 17 us a call is more than it saves.
LEAST_MULTIPLICATIONS: Final = 3_000_000


def faster_product(call: Call) -> Kernel | None:
    """A kernel for products that there is a better one for; None for everything else."""
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
    """Large float32 products on the CPU.

    torch sends them to MKL, which on processors other than Intel's does without their widest instructions: 784 x 300
    weights and a batch of 128 take 360 us with MKL and 190 us with oneDNN on an AMD EPYC.
    """
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not there or not hasattr(torch.ops.mkldnn, "_linear_pointwise") or not is_large(left, right):
        return None
    # oneDNN reads the bias without looking at its shape.
    if bias is not None and (bias.shape != right.shape[1:] or not bias.is_contiguous()):
        return None
    linear: Any = torch.ops.mkldnn._linear_pointwise.default
    weight = right.t()
    if 4 * left.shape[0] <= right.shape[1]:
        # A small batch and a wide layer: turned round, where MKL is at its best. 32 x 784 by 784 x 300: 105 us instead
        # of oneDNN's 138.
        turned, across = result.new_empty(result.shape[::-1]), left.t()

        def turned_product() -> None:
            torch.mm(weight, across, out=turned)
            if bias is None:
                result.copy_(turned.t())
            else:
                torch.add(turned.t(), bias, out=result)

        return turned_product

    def product() -> None:
        result.copy_(linear(left, weight, bias, "none", [], ""))

    return product


def is_large(left: Tensor, right: Tensor) -> bool:
    """Whether a product is in float32, on the CPU, and large enough to be worth a kernel of its own choice."""
    return (
        left.device.type == "cpu"
        and left.dtype == right.dtype == torch.float32
        and left.shape[0] * left.shape[1] * right.shape[1] >= LEAST_MULTIPLICATIONS
    )


def _of_stacks(left: Tensor, right: Tensor, result: Tensor) -> Kernel | None:
    """Products of stacked networks with one output: of a column and a row, and of a transposed matrix and a column.

    Of 64 of them, 32 x 1 by 1 x 20 takes 7 us as elements times elements instead of 16, and 20 x 32 by 32 x 1 takes
    7 us as a row times a matrix instead of 25.
    """
    if left.shape[2] == 1:
        return partial(torch.mul, left, right, out=result)
    if right.shape[2] == 1 and left.stride(1) == 1:
        return partial(torch.bmm, right.mT, left.mT, out=result.mT)
    return None
