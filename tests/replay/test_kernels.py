"""Operators called by torch's functions instead of by their names."""

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from lossrun.replay.kernels import FUNCTIONS
from tests.replay.replaying import Function, check, normal


def test_frequent_operations_have_torchs_function_of_the_same_name() -> None:
    assert FUNCTIONS
    assert all(function.__name__ == op.overloadpacket.__name__ for op, function in FUNCTIONS.items())


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: F.mse_loss(x, y),
        lambda x, y: F.mse_loss(x, y, reduction="none"),
        lambda x, y: (x.sum(0), x.sum(0, keepdim=True), x.mean(1), x.sum(), x.mean()),
        lambda x, y: (torch.sum(x, 0, dtype=torch.float64), torch.mean(x, (0, 1), dtype=torch.float64)),
        lambda x, y: (torch.add(x, y, alpha=2), torch.sub(x, y, alpha=-1), x + 1, 1 - x, x * 2, x / 3, 3 / x),
        lambda x, y: (torch.addmm(x[0], x @ y.t(), y), torch.addmm(x, x @ y.t(), y, beta=0.5, alpha=2)),
        lambda x, y: (x.clamp(0), x.clamp(max=0.5), x.clamp(-0.1, 0.1), x.clamp(min=y), x.clamp_min(0.2)),
        lambda x, y: x.clone().add_(y, alpha=3).sub_(y).mul_(2).div_(y),
        lambda x, y: (x.log_softmax(0), x.softmax(1), x.softmax(-1, dtype=torch.float64)),
        lambda x, y: torch.baddbmm(x.expand(2, 4, 5), x.expand(2, 4, 5), x.t().matmul(x).expand(2, 5, 5)).clone(),
        lambda x, y: x.expand(2, 4, 5).clone().baddbmm_(x.expand(2, 4, 5), (x.t() @ x).expand(2, 5, 5), beta=2),
    ],
)
def test_operations_keep_the_defaults_that_a_recording_leaves_out(function: Function) -> None:
    check(function, normal((4, 5), (4, 5)))


def of_few(x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
    counts = [x[0, 0] * 1, x[0] * 1, y * 1]
    torch._foreach_add_(counts, 1)
    torch._foreach_add_(counts, 0.1)
    return counts


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "function",
    [
        of_few,
        lambda x, y: (x + 0.1, x - 0.1, x * 0.1, x / 0.1, x + 7, x * True, x[0, 0] + 0.1, x / 0, x * math.inf),
        lambda x, y: x.clone().add_(0.1).sub_(0.3).mul_(0.7).div_(1.3),
        lambda x, y: (x.mean(), x.mean(0), x.mean(1, keepdim=True), x.mean((0, 1)), x.mean((-1,)), x[0, 0].mean()),
        # Over one number, negative zero included, over none, and over many.
        lambda x, y: (x[:, :1].mean(1), (x[:1] * -0.0).mean(0), x[:0].mean(0), x[:0].mean(), x.mean(())),
        lambda x, y: (x.repeat(300, 7).mean(), x.repeat(300, 7).mean(0), x.t().mean(0), x.expand(3, 4, 5).mean(0)),
        lambda x, y: (x.mean(0, dtype=torch.float64), x.float().mean(1, dtype=torch.bfloat16)),
    ],
)
def test_cheaper_calls_change_no_bit(function: Function, dtype: torch.dtype) -> None:
    check(function, normal((4, 5), (4, 5), dtype=dtype))


def test_numbers_added_to_integers_stay_whole() -> None:
    check(lambda x, y: ((x * 9).long() + 1, (x * 9).int() / 2, (x * 9).long() * 0.5), normal((4, 5), (4, 5)))
