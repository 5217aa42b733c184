"""A replay next to a fresh run of the same function, bit for bit."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.replay.kernels import Call
from lossrun.replay.recording import Recording
from tests.replay.replaying import Function, check, gradients, normal


def with_indices(generator: torch.Generator) -> Sequence[Tensor]:
    """Numbers (4, 5), and four indices below 5 with one of them twice."""
    indices = torch.randperm(5, generator=generator)[:4]
    indices[1] = indices[0]
    return torch.randn(4, 5, generator=generator), indices


def accumulate(x: Tensor) -> Any:
    total, ones = torch.zeros(5), torch.ones(5)
    for row in x:
        total += row
    twice = ones * 2
    sums = twice + ones
    sums[2] = 0
    return total, ones, twice, sums, twice * x


def constant_read_then_changed(x: Tensor) -> Any:
    numbers = torch.arange(5, dtype=x.dtype)
    before = numbers + 1
    column = numbers.view(5, 1)
    doubled = column * 2
    numbers += x[0]
    return before, doubled, column * 1, x @ column


def views_then_in_place(x: Tensor) -> Any:
    base = x * 2
    corner, flat = base[1:3].t(), base.view(-1)
    base.mul_(3)
    corner.add_(1)
    return corner * 1, flat + 0, base


def foreach_in_place(x: Tensor) -> Any:
    several = [x * 1, x + 1]
    torch._foreach_add_(several, 1.0)
    torch._foreach_addcdiv_(several, several, [one.abs() + 1 for one in several])
    return several


def masked_in_place(x: Tensor) -> Tensor:
    kept = x * 1
    kept[kept > 0] = 0.5
    return kept


def long_lived(x: Tensor) -> Any:
    """The first result is read when the memory of twenty others has gone round."""
    first = x * 2
    last = x
    for number in range(20):
        last = (last * 0.9).tanh() + number
    return last, first + last


@pytest.mark.parametrize(
    "function",
    [
        lambda x: torch.where(x > 0, x, -2 * x),
        lambda x: x.masked_fill(x > 0, float("-inf")).softmax(1),
        lambda x: (x.cumsum(1).cumprod(0), (x > 0).cumsum(0), x.logcumsumexp(1)),
        lambda x: (x.sort(1), torch.sort(x, dim=0, stable=True, descending=True), x.topk(2), x.argsort()),
        lambda x: (x.kthvalue(2), x.median(1), x.mode(1), x.max(1), x.min(0), x.aminmax()),
        lambda x: (torch.var_mean(x, 1), x.std(), x.logsumexp(1), x.norm(), x.sum(dtype=torch.float64)),
        lambda x: (torch.cat([x, x * 2]), torch.stack([x, x + 1]), x.roll(1, 0), x.flip(0), x.repeat(2, 1)),
        lambda x: [part * 2 for part in x.tensor_split(3, 1)],
        lambda x: (torch.maximum(x, x.abs()), x.clamp(min=0), torch.lerp(x, x * 2, 0.3), x.lerp(x * 2, x)),
        lambda x: (torch.div(x, 2, rounding_mode="floor"), x // 2, x % 2, torch.div(x, 3), x / x),
        lambda x: (F.layer_norm(x, (5,)), F.instance_norm(x.unsqueeze(1)), F.rms_norm(x, (5,))),
        lambda x: (x.double().sum().float(), (x.bfloat16() @ x.bfloat16().t()).float(), (x > 0).sum()),
        lambda x: ((x * 2).to(torch.int32) + 1).float() * 2 + ((x > 0).float() + x).double().float(),
        lambda x: (x * 2).view(torch.int32) + 1,
        lambda x: (x * 2).as_strided((3, 3), (1, 2), 1).clone() + (x + 1).as_strided((3, 3), (2, 1), 2),
        lambda x: (x[:, :1] * 2).expand(4, 5).contiguous() + 1,
        lambda x: (x.t() * 2, torch.empty(5, 4).t().copy_(x), x.t().exp(), torch.empty(4, 5).copy_(x[0])),
        lambda x: torch.mul(x, 2, out=torch.empty(4, 5)),
        lambda x: torch.fft.irfft(torch.fft.rfft(x) * 2, n=5),
        lambda x: torch.cdist(x, x + 1) + torch.einsum("ij,kj->ik", x, x),
        lambda x: torch.vmap(lambda row: row.softmax(0) * 2)(x),
        lambda x: (
            x @ torch.eye(5, dtype=x.dtype).tril()
            + torch.arange(5)
            + torch.linspace(0, 1, 5)
            + torch.tensor([1, 2, 3, 4, 5])
        ),
        lambda x: x.add_(1) * 2,
        lambda x: torch.bucketize(x, torch.arange(5.0)),
        lambda x: (torch.zeros(3), torch.ones(2).expand(3, 2), torch.arange(3) * 2, x[0]),
        lambda x: [x * 2, {"one": x + 1, "others": (3, "text", None)}],
        lambda x: (x[:0] * 2).sum(1),
        lambda x: (x[0, 0] * 2 + 1).exp() / x[1, 1],
        accumulate,
        constant_read_then_changed,
        views_then_in_place,
        foreach_in_place,
        masked_in_place,
        long_lived,
    ],
)
def test_a_replay_is_a_fresh_run(function: Function) -> None:
    check(function, normal((4, 5)))
    check(function, normal((4, 5), dtype=torch.float64))


@pytest.mark.parametrize(
    "function",
    [
        lambda x, rows: torch.zeros(4, 5).scatter_(1, rows.unsqueeze(1), x[:, :1]),
        lambda x, rows: torch.zeros(5, 5).index_add_(0, rows, x),
        lambda x, rows: x.new_zeros(5).index_put_((rows,), x[:, 0], accumulate=True),
        lambda x, rows: (x.scatter(1, rows.unsqueeze(1), 1.0), x.scatter_reduce(1, rows.unsqueeze(1), x, "amax")),
        lambda x, rows: (x.gather(1, rows.unsqueeze(1)), x.t()[rows], x.t().index_select(0, rows), x.take(rows)),
        lambda x, rows: gradients(lambda weights: F.embedding(rows, weights).square())(x.t().contiguous()),
        lambda x, rows: gradients(lambda w: F.embedding_bag(rows, w, torch.tensor([0, 2])).square())(x.t() + 1),
        lambda x, rows: gradients(lambda x: F.cross_entropy(x, rows, reduction="none"))(x),
        lambda x, rows: gradients(lambda x: F.multi_margin_loss(x, rows, reduction="none"))(x),
    ],
)
def test_a_replay_follows_indices(function: Function) -> None:
    check(function, with_indices)


def test_an_error_of_the_function_is_its_own() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        Recording(lambda: torch.ones(3) + torch.ones(4))
    assert float(torch.ones(3).sum()) == 3


def test_fresh_results_of_an_operation_that_also_writes() -> None:
    """rrelu writes its noise and returns something new."""
    inputs, draw = torch.randn(50), torch.random.get_rng_state()
    recording = Recording(lambda: torch.nn.functional.rrelu(inputs, training=True) + 1)
    inputs.neg_()
    torch.random.set_rng_state(draw)
    recording.replay()
    torch.random.set_rng_state(draw)
    assert torch.equal(recording.outputs, torch.nn.functional.rrelu(inputs, training=True) + 1)


def test_a_substitute_computes_in_the_place_of_a_kernel() -> None:
    """It is given the call as it will be replayed: its result is the memory that is read from then on."""
    values = torch.tensor([1.0, 2.0])

    def five(call: Call) -> Callable[[], object] | None:
        return (lambda: call.result.fill_(5.0)) if call.op is torch.ops.aten.exp.default else None

    recording = Recording(lambda: (values.exp() + values, values.cos().exp()), substitute=five)
    recording.replay()
    assert recording.outputs[0].tolist() == [6.0, 7.0]
    assert recording.outputs[1].tolist() == [5.0, 5.0]
