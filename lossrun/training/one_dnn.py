"""Large float32 matrix products of a recording on oneDNN.

torch sends a float32 product on the CPU to MKL, which on processors other than Intel's does without their widest
instructions: 784 x 300 weights and a batch of 128 take 360 us with MKL and 190 us with oneDNN on an AMD EPYC
(tests/bench/README.md). The sums are added up in another order: about 1e-7 relative apart.
"""

from typing import Any, Final

import torch
from torch import Tensor

from lossrun.training.tape import Call, Kernel

# Multiplications below which oneDNN's fixed cost of about 17 us a call is more than it saves.
LEAST_MULTIPLICATIONS: Final = 3_000_000


def faster_product(call: Call) -> Kernel | None:
    """A kernel for `addmm` and `mm` of matrices that are large enough; None for everything else."""
    if call.op is torch.ops.aten.addmm.default and len(call.args) == 3 and not call.kwargs:
        bias, left, right = call.args
    elif call.op is torch.ops.aten.mm.default:
        bias, (left, right) = None, call.args
    else:
        return None
    if not _fits(left, right, bias):
        return None
    linear: Any = torch.ops.mkldnn._linear_pointwise.default
    weight, result = right.t(), call.result

    def product() -> None:
        result.copy_(linear(left, weight, bias, "none", [], ""))

    return product


def _fits(left: Tensor, right: Tensor, bias: Tensor | None) -> bool:
    """Whether oneDNN is there, and takes these."""
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not there or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    if left.device.type != "cpu" or left.dtype != torch.float32 or (bias is not None and bias.ndim != 1):
        return False
    return left.shape[0] * left.shape[1] * right.shape[1] >= LEAST_MULTIPLICATIONS
