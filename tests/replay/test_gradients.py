"""Gradients replayed next to those of a fresh run, bit for bit."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from tests.replay.replaying import Draw, Function, check, gradients, normal


@pytest.mark.parametrize(
    ("function", "draw"),
    [
        (lambda x, w: F.conv2d(x, w, padding=1).square(), normal((2, 3, 6, 6), (4, 3, 3, 3))),
        (lambda x, w: F.conv_transpose2d(x, w).square(), normal((2, 3, 6, 6), (3, 4, 3, 3))),
        (lambda x: F.max_pool2d(x, 2, return_indices=True)[0].square(), normal((2, 3, 8, 8))),
        (lambda x: F.interpolate(F.adaptive_avg_pool2d(x, 3), scale_factor=2).square(), normal((2, 3, 8, 8))),
        (lambda x, w, b: F.linear(x, w, b).relu(), normal((8, 4), (5, 4), (5,))),
        (lambda x, m: F.batch_norm(x, m.detach(), m.detach().abs(), training=True).square(), normal((6, 3), (3,))),
        (lambda x: F.scaled_dot_product_attention(x, x + 1, x * 2), normal((2, 3, 4, 8))),
        (lambda x: torch.linalg.solve(x.tril() + 9 * torch.eye(4), x), normal((4, 4))),
        (lambda x: torch.func.vmap(torch.func.grad(lambda row: (row.sin() * row).sum()))(x), normal((4, 3))),
        (
            lambda x: x.cumprod(1)[:, 2] + x.cumsum(1).amax(1) + x.sort(1).values[:, 1] + x.topk(2).values.sum(1),
            normal((4, 5)),
        ),
    ],
)
def test_a_replay_gives_the_gradients_of_a_fresh_run(function: Function, draw: Draw) -> None:
    check(gradients(function), draw)


def test_a_gradient_left_out_stays_out() -> None:
    """A convolution's backward pass returns None in the place of what nobody asked for."""

    def of_the_weights_alone(x: Tensor, weights: Tensor) -> Any:
        weights = weights.detach().requires_grad_()
        loss = F.conv2d(x, weights).square().sum()
        return loss, torch.autograd.grad(loss, weights)

    check(of_the_weights_alone, normal((2, 3, 6, 6), (4, 3, 3, 3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_gradient_of_a_gradient(dtype: torch.dtype) -> None:
    def twice(x: Tensor) -> Any:
        x = x.detach().requires_grad_()
        loss = (x.tanh() ** 3).sum()
        (slope,) = torch.autograd.grad(loss, x, create_graph=True)
        return loss, slope, torch.autograd.grad(slope.square().sum(), x)

    check(twice, normal((4, 5), dtype=dtype))


@pytest.mark.parametrize("module", [nn.GRU(5, 6), nn.RNN(5, 6), nn.TransformerEncoderLayer(5, 1, 8)], ids=type)
def test_modules_of_many_kernels(module: nn.Module) -> None:
    def forward_and_backward(x: Tensor) -> Any:
        outputs = module(x)
        outputs = outputs[0] if isinstance(outputs, tuple) else outputs
        return outputs, torch.autograd.grad(outputs.sum(), list(module.parameters()))

    check(forward_and_backward, normal((2, 7, 5)))
