"""Which memory a replay writes to: outputs stay where they are, the rest is shared."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lossrun.replay.kernels import Call
from lossrun.replay.recording import Recording
from lossrun.replay.trees import leaves
from tests.replay.replaying import check, normal


def test_outputs_that_share_memory_still_do() -> None:
    values = torch.arange(6.0).view(2, 3)

    def function() -> Any:
        result = values * 2
        return result, result, result[0], result.t(), values, values[1:]

    recording = Recording(function)
    values.fill_(1.0)
    recording.replay()
    whole, same, row, turned, given_back, part = recording.outputs
    assert len({tensor.untyped_storage().data_ptr() for tensor in (whole, same, row, turned)}) == 1
    assert given_back.data_ptr() == values.data_ptr()
    assert part.data_ptr() == values[1:].data_ptr()
    assert whole.tolist() == [[2.0] * 3] * 2
    assert turned.shape == (3, 2)


def test_outputs_have_no_graph_and_stay_where_they_are() -> None:
    weights = torch.ones(3, requires_grad=True)
    recording = Recording(lambda: weights * 2)
    assert not recording.outputs.requires_grad
    address = recording.outputs.data_ptr()
    with torch.no_grad():
        weights.fill_(4.0)
    recording.replay()
    assert recording.outputs.data_ptr() == address
    assert recording.outputs.tolist() == [8.0] * 3
    assert weights.grad is None


def test_no_memory_of_an_output_is_used_for_anything_else() -> None:
    """Thirty results of one size, every one of them wanted, among results that are not."""

    def thirty(x: Tensor) -> list[Tensor]:
        wanted = []
        for number in range(30):
            wanted.append((x + number).tanh())
            x = wanted[-1] * 1.5
        return wanted

    check(thirty, normal((4, 5)))
    values = torch.ones(4, 5)
    outputs = Recording(lambda: thirty(values)).outputs
    assert len({tensor.data_ptr() for tensor in outputs}) == 30


def memory_of(recording: Recording[Any]) -> set[int]:
    """The addresses that the kernels read and write."""
    found: set[int] = set()
    for kernel in recording.kernels:
        assert isinstance(kernel, partial)
        call = kernel.args[0] if kernel.args and isinstance(kernel.args[0], Call) else None
        parts = (call.args, dict(call.kwargs), call.result) if call else (kernel.args, kernel.keywords)
        own = getattr(kernel.func, "__self__", None)
        found |= {leaf.untyped_storage().data_ptr() for leaf in leaves((parts, own)) if isinstance(leaf, Tensor)}
    return found


def test_a_chain_needs_no_more_memory_than_two_links() -> None:
    values = torch.ones(4, 5)

    def chain() -> Tensor:
        x = values
        for _ in range(50):
            x = x.tanh()
        return x

    # The values, the output, and two that take turns.
    assert len(memory_of(Recording(chain))) == 4


def test_memory_goes_from_one_type_to_another() -> None:
    """Int64 and float64 take the same bytes, and float32 half of them."""
    values = torch.linspace(-2, 2, 6, dtype=torch.float64)

    def turned() -> Tensor:
        return ((values * 3).long() * 2).double().float().tanh().double()

    recording = Recording(turned)
    assert len(memory_of(recording)) < 8
    values.neg_()
    recording.replay()
    assert torch.equal(recording.outputs, turned())


def test_views_and_constants_are_left_out() -> None:
    values = torch.ones(4, 5)

    def function() -> Tensor:
        shifts = torch.arange(5.0) + torch.ones(5) * torch.zeros_like(values)[0]
        return (values.t().reshape(4, 5)[1:].unsqueeze(0) + shifts.view(1, 5)).squeeze(0)

    # A copy (reshaping what is turned) and the addition.
    assert len(Recording(function).kernels) == 2


def test_marks_and_memory_to_be_filled_are_left_out() -> None:
    values = torch.ones(4, 5)

    def function() -> Tensor:
        with torch.profiler.record_function("a mark"):
            return torch.empty_like(values).copy_(values).add_(values.new_empty(5).fill_(2.0))

    assert len(Recording(function).kernels) == 3
    check(
        lambda x: torch.empty(4, 5).uniform_() + torch.empty_like(x).normal_() + x.new_empty(5).copy_(x[0]),
        normal((4, 5)),
    )


def test_records_share_a_pool() -> None:
    """Replayed in turn, each still gives its own: outputs never lie in the pool."""
    inputs, pool = torch.randn(40, 30), []

    def chain() -> torch.Tensor:
        return ((inputs * 2).tanh() + inputs).sigmoid().sum(1)

    recordings = [Recording(chain, pool=pool) for _ in range(3)]
    pieces = len(pool)
    assert 0 < pieces <= 2
    for _ in range(2):
        inputs.normal_()
        for recording in recordings:
            recording.replay()
        for recording in recordings:
            assert torch.equal(recording.outputs, chain())
    Recording(chain, pool=pool)
    assert len(pool) == pieces


def test_memory_that_the_function_takes_to_write_into_is_shared_as_well() -> None:
    """A result that is written piece by piece lies in the pool like any other, from its first piece to its last use."""
    values, pool = torch.randn(64, 32), []

    def pieces() -> Tensor:
        buffer = torch.empty(64, 32)
        torch.exp(values[:32], out=buffer[:32])
        buffer[32:].copy_(values[32:])
        other = torch.empty(64, 32)
        torch._foreach_copy_([other], [buffer * 2])
        return (other - buffer).sum(0)

    expected = pieces()
    recordings = [Recording(pieces, pool=pool) for _ in range(3)]
    assert len(pool) == 3  # buffer, its double, other: of the first; the others use the same
    for piece in pool:
        torch.empty(0).set_(piece).fill_(torch.nan)
    for recording in recordings:
        recording.outputs.fill_(torch.nan)
        recording.replay()
        assert torch.equal(recording.outputs, expected)
