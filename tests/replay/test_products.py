"""Matrix products on faster kernels agree with torch's own to rounding."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from lossrun.replay import products as products_of_ours
from lossrun.replay.products import LEAST_MULTIPLICATIONS, faster_product
from lossrun.replay.recording import Recording
from lossrun.replay.trees import leaves
from tests.replay.replaying import Draw, Function, drawn, normal

LARGE = 150  # squared times itself: more than 3 million multiplications


@pytest.mark.parametrize(
    ("function", "draw"),
    [
        (lambda a, b: a @ b, normal((LARGE, LARGE), (LARGE, LARGE))),
        (lambda a, b: (a.t() @ b, a @ b.t(), a.t() @ b.t()), normal((LARGE, LARGE), (LARGE, LARGE))),
        (lambda a, b: a[:, ::2] @ b[::2, ::2], normal((LARGE, 2 * LARGE), (2 * LARGE, 2 * LARGE))),
        (lambda a, b: a[:, 3 : LARGE + 3] @ b[5 : LARGE + 5], normal((LARGE, LARGE + 9), (LARGE + 9, LARGE))),
        (lambda a, b: a.expand(LARGE, LARGE) @ b + b @ a.expand(LARGE, LARGE), normal((LARGE, 1), (LARGE, LARGE))),
        (lambda a: a @ a, normal((LARGE, LARGE))),
        (lambda x, w, b: F.linear(x, w, b), normal((64, 300), (200, 300), (200,))),
        (lambda x, w, b: F.linear(x, w, b), normal((40, 300), (300, 300), (300,))),
        (lambda x, w: F.linear(x, w), normal((40, 300), (300, 300))),
        # A batch with its samples innermost, as the layers of a recorded step multiply it, and the gradients.
        (lambda w, x, b: w @ x + b, normal((300, 784), (784, 32), (300, 1))),
        (lambda d, x: d @ x.t(), normal((300, 32), (784, 32))),
        (lambda w, d: w.t() @ d, normal((300, 784), (300, 32))),
        (lambda x, w, b: F.linear(x.t(), w, b[::2]), normal((300, 140), (300, 300), (600,))),
        (lambda x, w, b: F.linear(x, w, b), normal((4, 16, 300), (200, 300), (200,))),
        (lambda a, b, c: torch.addmm(c, a, b), normal((LARGE, LARGE), (LARGE, LARGE), (LARGE, LARGE))),
        (lambda a, b, c: torch.addmm(c, a, b, beta=2), normal((LARGE, LARGE), (LARGE, LARGE), (LARGE,))),
        (lambda a, b: a @ b, normal((LARGE, LARGE), (LARGE, LARGE), dtype=torch.float64)),
    ],
)
@pytest.mark.parametrize("one_dnn", [True, False])
def test_large_products_on_other_kernels_agree_to_rounding(
    function: Function, draw: Draw, one_dnn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums of a few hundred products of about 1 in single precision: 1e-6 of the largest."""
    monkeypatch.setattr(products_of_ours, "one_dnn_is_faster", lambda: one_dnn)
    assert LARGE**3 > LEAST_MULTIPLICATIONS
    inputs = drawn(draw, 0)
    recording = Recording(lambda: function(*inputs), substitute=faster_product)
    for number in (1, 2):
        for place, value in zip(inputs, drawn(draw, number), strict=True):
            place.copy_(value)
        recording.replay()
        for a, b in zip(leaves(recording.outputs), leaves(function(*inputs)), strict=True):
            assert (a - b).abs().max() <= 2e-6 * b.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    ("function", "draw"),
    [
        (lambda a, b: a @ b, ((5, 9, 1), (5, 1, 7))),
        (lambda a, b: a @ b, ((5, 1, 1), (5, 1, 1))),
        (lambda a, b: a.mT @ b, ((5, 1, 9), (5, 1, 7))),
        (lambda a, b: a.mT @ b, ((5, 9, 7), (5, 9, 1))),
        (lambda a, b: a @ b, ((5, 7, 9), (5, 9, 1))),
        (lambda a, b: a[:, ::2].mT @ b[:, ::2], ((5, 18, 7), (5, 18, 1))),
        (lambda a, b: a.expand(5, 9, 7).mT @ b, ((1, 9, 7), (5, 9, 1))),
        (lambda a, b: (a.mT @ b).mT.contiguous() + (a.mT @ b).mT, ((5, 9, 7), (5, 9, 1))),
        (lambda a, b: a @ b, ((5, 0, 1), (5, 1, 7))),
    ],
)
def test_products_of_stacks_agree_to_rounding(function: Function, draw: Any, dtype: torch.dtype) -> None:
    """Sums of at most 9 products; one product is the same number on any kernel."""
    inputs = drawn(normal(*draw, dtype=dtype), 0)
    recording = Recording(lambda: function(*inputs), substitute=faster_product)
    for number in (1, 2):
        for place, value in zip(inputs, drawn(normal(*draw, dtype=dtype), number), strict=True):
            place.copy_(value)
        recording.replay()
        expected = function(*inputs)
        assert recording.outputs.shape == expected.shape
        if draw[0][-1] == 1 or draw[1][-2] == 1:
            assert torch.equal(recording.outputs, expected)
        if expected.numel():
            rounding = 8 * torch.finfo(dtype).eps * expected.abs().max()
            assert (recording.outputs - expected).abs().max() <= rounding


@pytest.mark.parametrize(
    "bias",
    [torch.randn(1, 1).expand(1, 300)[0], torch.randn(600)[::2], torch.randn(90, 1)],
    ids=["expanded", "strided", "a column"],
)
def test_a_bias_of_another_layout_is_added_by_torch(bias: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN would read past its end."""
    monkeypatch.setattr(products_of_ours, "one_dnn_is_faster", lambda: True)
    inputs, weight = torch.randn(90, 400), torch.randn(300, 400)
    recording = Recording(lambda: torch.addmm(bias, inputs, weight.t()), faster_product)
    recording.outputs.fill_(torch.nan)
    recording.replay()
    expected = torch.addmm(bias, inputs, weight.t())
    torch.testing.assert_close(recording.outputs, expected, rtol=0, atol=2e-6 * float(expected.abs().max()))
