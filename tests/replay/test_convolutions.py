"""Convolutions as matrix products, next to torch's own."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from lossrun.replay.convolutions import MOST_SAMPLES, Convolutions, has_few_channels
from lossrun.replay.recording import Recording


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def decompose() -> Any:
    return Convolutions().decomposed


def turned(images: Tensor) -> Tensor:
    """The same images, the samples innermost in memory."""
    return images.permute(2, 1, 3, 0).contiguous().permute(3, 1, 0, 2)


@pytest.mark.parametrize("layout", [torch.Tensor.contiguous, turned], ids=["images first", "images last"])
@pytest.mark.parametrize(
    ("images", "weight", "padding"),
    [
        ((16, 1, 12, 9), (6, 1, 5, 5), 2),
        ((16, 6, 9, 12), (16, 6, 5, 5), 0),
        ((9, 3, 7, 7), (4, 3, 3, 3), (1, 0)),
        ((8, 2, 6, 5), (3, 2, 2, 4), (0, 2)),
        ((8, 4, 5, 5), (2, 4, 1, 1), 0),
        ((8, 2, 4, 4), (3, 2, 4, 4), 0),  # one window
        ((8, 1, 2, 2), (1, 1, 5, 5), 3),  # more margin than image
    ],
    ids=str,
)
@pytest.mark.parametrize("with_bias", [True, False])
def test_results_and_gradients_are_torchs(
    layout: Any, images: tuple[int, ...], weight: tuple[int, ...], padding: Any, with_bias: bool
) -> None:
    """Compared with torch in double precision, to 2e-6 of the largest: float32 has 24 bits, and hundreds are added."""
    inputs, weights = layout(normal(*images)).requires_grad_(), normal(*weight).requires_grad_()
    bias = normal(weight[0]).requires_grad_() if with_bias else None
    leaves = [leaf for leaf in (inputs, weights, bias) if leaf is not None]

    def convolved(inputs: Tensor, weights: Tensor, bias: Tensor | None) -> tuple[Tensor, ...]:
        result = torch.nn.functional.conv2d(inputs, weights, bias, padding=padding)
        leaves = [leaf for leaf in (inputs, weights, bias) if leaf is not None]
        return result, *torch.autograd.grad(result.relu().square().sum(), leaves)

    exact = [leaf.detach().double().requires_grad_() for leaf in leaves]
    recording = Recording(lambda: convolved(inputs, weights, bias), decompose=decompose)
    # Other numbers in the same memory: the margins are still zeros, the windows are taken again.
    with torch.no_grad():
        for leaf, precise in zip(leaves, exact, strict=True):
            leaf.mul_(-1.5)
            precise.mul_(-1.5)
    for output in recording.outputs:
        output.fill_(torch.nan)
    recording.replay()
    expected = [result.detach() for result in convolved(*exact, *[None] * (3 - len(exact)))]
    for mine, its in zip(recording.outputs, expected, strict=True):
        assert mine.shape == its.shape
        torch.testing.assert_close(mine.double(), its, rtol=0, atol=2e-6 * float(its.abs().max()))


def test_two_layers_on_the_same_images_have_windows_of_their_own() -> None:
    images, wide, narrow = normal(8, 2, 6, 6), normal(3, 2, 5, 5).requires_grad_(), normal(3, 2, 3, 3).requires_grad_()

    def function() -> tuple[Tensor, ...]:
        one = torch.nn.functional.conv2d(images, wide, padding=2)
        other = torch.nn.functional.conv2d(images, narrow, padding=1)
        return torch.autograd.grad((one * other).sum(), (wide, narrow))

    expected = function()
    recording = Recording(function, decompose=decompose)
    for mine, its in zip(recording.outputs, expected, strict=True):
        torch.testing.assert_close(mine, its, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: F.conv2d(x, w, stride=2),
        lambda x, w: F.conv2d(x, w, dilation=2),
        lambda x, w: F.conv2d(x[:, :1].repeat(1, 4, 1, 1), w, groups=2),
        lambda x, w: F.conv_transpose2d(x, w.transpose(0, 1)),
        lambda x, w: F.conv1d(x[:, :, 0], w[..., 0]),
        lambda x, w: F.conv2d(x, w, padding=1)[..., :2, :2] * F.conv2d(x, w)[..., :2, :2],
    ],
    ids=["stride", "dilation", "groups", "transposed", "of lines", "twice, with two margins"],
)
def test_other_convolutions_are_torchs_too(function: Any) -> None:
    images, weights = normal(16, 2, 9, 9), normal(4, 2, 3, 3).requires_grad_()

    def computed() -> tuple[Tensor, ...]:
        result = function(images, weights)
        return result, *torch.autograd.grad(result.square().sum(), weights)

    recording = Recording(computed, decompose=decompose)
    for mine, its in zip(recording.outputs, computed(), strict=True):
        torch.testing.assert_close(mine, its.detach(), rtol=1e-5, atol=1e-5 * float(its.detach().abs().max()))


@pytest.mark.parametrize(
    ("images", "dtype"),
    [
        ((64, 2, 150, 150), torch.float32),
        ((7, 2, 6, 6), torch.float32),
        ((MOST_SAMPLES + 1, 2, 6, 6), torch.float32),
        ((16, 2, 6, 6), torch.float64),
    ],
    ids=str,
)
def test_other_batches_stay_with_torch(images: tuple[int, ...], dtype: torch.dtype) -> None:
    inputs, weights = normal(*images).to(dtype), normal(3, 2, 3, 3).to(dtype).requires_grad_()

    def function() -> tuple[Tensor, ...]:
        result = torch.nn.functional.conv2d(inputs, weights)
        return result, *torch.autograd.grad(result.square().sum(), weights)

    recording = Recording(function, decompose=decompose)
    assert all(torch.equal(mine, its) for mine, its in zip(recording.outputs, function(), strict=True))


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv2d(1, 6, 5), True),
        (nn.Conv2d(3, 6, (2, 4), padding=1), True),
        (nn.Conv2d(8, 16, 3), True),
        (nn.Conv2d(1, 16, 5), False),  # a first layer that torch's kernels are made for
        (nn.Conv2d(12, 16, 5), False),
        (nn.Conv2d(4, 8, 3, stride=2), False),
        (nn.Conv2d(4, 8, 3, groups=2), False),
        (nn.Conv2d(4, 8, 3, dilation=2), False),
    ],
    ids=str,
)
def test_layers_of_few_channels(layer: nn.Conv2d, expected: bool) -> None:
    assert has_few_channels(layer) is expected
