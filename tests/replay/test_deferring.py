"""Products that a replay leaves for later."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lossrun.replay.kernels import Call
from lossrun.replay.recording import Recording
from lossrun.replay.trees import leaves
from tests.replay.replaying import Function, assert_same


def is_product(call: Call) -> bool:
    return call.op is torch.ops.aten.mm.default


def products(a: Tensor, b: Tensor, function: Function) -> tuple[Recording[Any], list[bool]]:
    """A recording that may defer products, and which of its outputs a replay leaves alone."""
    pool = [torch.empty(4096).untyped_storage() for _ in range(4)]
    recording = Recording(lambda: function(a, b), pool=pool, defer=is_product)
    outputs = list(leaves(recording.outputs))
    for output in outputs:
        output.fill_(torch.nan)
    recording.replay()
    return recording, [bool(output.isnan().all()) for output in outputs]


def test_a_deferred_product_can_be_made_after_the_replay() -> None:
    a, b = torch.randn(5, 3), torch.randn(3, 4)
    # The doubled inputs are needed no more once the product is made: without it, their memory would be used again.
    recording, left = products(a, b, lambda a, b: ((2 * a) @ (3 * b), (a + 1).exp().sum(), (b + 1).exp().sum()))
    assert left == [True, False, False]
    (call,) = recording.deferred
    for draw in range(2):
        a.copy_(torch.randn(5, 3, generator=torch.Generator().manual_seed(draw)))
        recording.replay()
        assert torch.equal(call.op(*call.args), (2 * a) @ (3 * b))
        assert call.result.data_ptr() == recording.outputs[0].data_ptr()


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: (lambda product: (product, product + 1))(a @ b),  # somebody reads it
        lambda a, b: (a @ b).mul_(2),  # it is not the last word
        lambda a, b: (a @ b).sum(),  # it is not an output
        lambda a, b: (lambda doubled: (doubled @ b, doubled.add_(1).sum()))(2 * a),  # what it reads is changed later
    ],
)
def test_what_is_not_the_last_word_is_not_deferred(function: Function) -> None:
    a, b = torch.randn(5, 3), torch.randn(3, 4)
    recording, left = products(a, b, function)
    assert recording.deferred == []
    assert not any(left)
    assert_same(recording.outputs, function(a, b))


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: (a @ b)[2:],  # a part of it is the output
        lambda a, b: (a @ b).t(),
        lambda a, b: (a @ b).view(-1),
        lambda a, b: (lambda product: (product, product[1:]))(a @ b),
    ],
)
def test_what_is_an_output_in_another_layout_is_not_deferred(function: Function) -> None:
    a, b = torch.randn(5, 3), torch.randn(3, 4)
    recording, left = products(a, b, function)
    assert recording.deferred == []
    assert not any(left)
