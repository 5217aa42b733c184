"""A recording replayed on fresh numbers, next to a fresh run of the same function."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from lossrun.replay.recording import Recording
from lossrun.replay.trees import leaves

Function: TypeAlias = Callable[..., Any]


Draw: TypeAlias = Callable[[torch.Generator], Sequence[Tensor]]


def normal(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Draw:
    return lambda generator: [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def drawn(draw: Draw, number: int) -> list[Tensor]:
    return list(draw(torch.Generator().manual_seed(number)))


def assert_same(one: Any, other: Any) -> None:
    """Same values, and nan where nan is."""
    for a, b in zip(leaves(one), leaves(other), strict=True):
        if not isinstance(b, Tensor):
            assert a == b
            continue
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert torch.equal(a.isnan(), b.isnan())
        assert torch.equal(a.nan_to_num(), b.nan_to_num())


def check(function: Function, draw: Draw, replays: int = 3) -> None:
    """Record on one set of inputs; replay on others, each against a fresh run from the same state of the generator:
    outputs, inputs (a function may change them) and generator afterwards."""
    inputs = drawn(draw, 0)
    recording = Recording(lambda: function(*inputs))
    for number in range(1, replays + 1):
        fresh = drawn(draw, number)
        for place, value in zip(inputs, fresh, strict=True):
            place.copy_(value)
        torch.manual_seed(number)
        expected = function(*fresh)
        stream = torch.get_rng_state()
        torch.manual_seed(number)
        recording.replay()
        assert_same(recording.outputs, expected)
        assert_same(inputs, fresh)
        assert torch.equal(torch.get_rng_state(), stream)


def gradients(function: Function) -> Function:
    """The function's outputs and the gradients of their sum by all float inputs."""

    def with_gradients(*inputs: Tensor) -> Any:
        given = [x.detach().requires_grad_(x.is_floating_point()) for x in inputs]
        outputs = function(*given)
        total = torch.stack([leaf.sum() for leaf in leaves(outputs)]).sum()
        learnt = [leaf for leaf in given if leaf.requires_grad]
        return outputs, torch.autograd.grad(total, learnt, allow_unused=True)

    return with_gradients
