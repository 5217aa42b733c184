"""A replay beside a fresh run of the same function, bit for bit."""

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from lossrun.catalog import get
from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import LOSSES
from lossrun.components.lookup import loss_function
from lossrun.components.metrics import compute_metrics, prepared_targets
from lossrun.components.models import ACTIVATIONS
from lossrun.replay import products as products_of_ours
from lossrun.replay.kernels import FUNCTIONS, Call
from lossrun.replay.products import LEAST_MULTIPLICATIONS, faster_product
from lossrun.replay.recording import NotReplayableError, Recording

Function: TypeAlias = Callable[..., Any]
Draw: TypeAlias = Callable[[torch.Generator], Sequence[Tensor]]


def normal(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Draw:
    return lambda generator: [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def with_indices(generator: torch.Generator) -> Sequence[Tensor]:
    """Numbers (4, 5), and four indices below 5 with one of them twice."""
    indices = torch.randperm(5, generator=generator)[:4]
    indices[1] = indices[0]
    return torch.randn(4, 5, generator=generator), indices


def drawn(draw: Draw, number: int) -> list[Tensor]:
    return list(draw(torch.Generator().manual_seed(number)))


def assert_same(one: Any, other: Any) -> None:
    """Same values, and nan where nan is."""
    for a, b in zip(tree_leaves(one), tree_leaves(other), strict=True):
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
        leaves = [x.detach().requires_grad_(x.is_floating_point()) for x in inputs]
        outputs = function(*leaves)
        total = torch.stack([leaf.sum() for leaf in tree_leaves(outputs)]).sum()
        learnt = [leaf for leaf in leaves if leaf.requires_grad]
        return outputs, torch.autograd.grad(total, learnt, allow_unused=True)

    return with_gradients


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


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.dropout(x, 0.5),
        lambda x: gradients(lambda x: F.dropout(x, 0.5))(x),
        lambda x: F.alpha_dropout(x, 0.5, training=True) + F.dropout1d(x, 0.5),
        lambda x: torch.bernoulli(torch.sigmoid(x)) + torch.bernoulli(x, 0.3),
        lambda x: x + torch.rand(5) + torch.randn(4, 1) + torch.randint(0, 9, (4, 5)),
        lambda x: x + torch.rand_like(x) + torch.randn_like(x),
        lambda x: x[torch.randperm(4)],
        lambda x: torch.multinomial(x.exp(), 2),
        lambda x: (torch.poisson(x.exp()), torch.normal(x, 1.0), torch.normal(x, x.abs()), torch._standard_gamma(x**2)),  # noqa: SLF001
        lambda x: (torch.empty(3).normal_() + x[0, 0], torch.zeros(3).uniform_(), torch.empty_like(x).exponential_()),
        lambda x: F.gumbel_softmax(x, hard=True),
        lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5),
        lambda x: torch.vmap(F.dropout, randomness="different")(x),
        lambda x: torch.vmap(F.dropout, randomness="same")(x),
    ],
)
def test_random_numbers_are_drawn_anew_and_the_stream_goes_on(function: Function) -> None:
    check(function, normal((4, 5)))
    values = torch.linspace(0.1, 0.9, 20).view(4, 5)
    recording = Recording(lambda: function(values))
    recording.replay()
    first = [leaf.clone() for leaf in tree_leaves(recording.outputs)]
    # A few bits may well come again; not thirty times in a row.
    for _ in range(30):
        recording.replay()
        if not all(map(torch.equal, first, tree_leaves(recording.outputs))):
            return
    raise AssertionError("the same numbers at every replay")


def test_a_generator_of_its_own_goes_on_as_well() -> None:
    own, other = torch.Generator().manual_seed(1), torch.Generator().manual_seed(1)
    recording = Recording(lambda: torch.rand(3, generator=own))
    torch.rand(3, generator=other)
    for _ in range(3):
        recording.replay()
        assert torch.equal(recording.outputs, torch.rand(3, generator=other))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x[0, 0].item(),
        lambda x: x * float(x[0, 0]),
        lambda x: x if x[0, 0] > 0 else -x,
        lambda x: -x if x.isnan().any() else x,
        lambda x: max(x[0, 0], x[0, 1]),
        lambda x: x if torch.is_nonzero(x[0, 0]) else -x,
        lambda x: x * (1.0 in x),
        lambda x: x[x > 0].sum(),
        lambda x: x.nonzero(),
        lambda x: torch.where(x > 0),
        lambda x: x.masked_select(x > 0),
        lambda x: x.unique(),
        lambda x: (x > 0).long().flatten().bincount(),
        lambda x: x.repeat_interleave((x[:, 0] > 0).long(), 0),
        lambda x: x[(x[0, 0] > 0).long()],
        lambda x: x.narrow(1, (x[0, 0] > 0).long(), 2),
        lambda x: F.one_hot((x > 0).long()),
        lambda x: torch.full((2,), x[0, 0]),
    ],
)
def test_what_depends_on_values_is_refused(function: Function) -> None:
    values = torch.ones(4, 5)
    with pytest.raises(NotReplayableError, match="depends on the values"):
        Recording(lambda: function(values))
    # The recorder has left, whatever happened.
    assert values.sum().item() == 20


def test_an_error_of_the_function_is_its_own() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        Recording(lambda: torch.ones(3) + torch.ones(4))
    assert float(torch.ones(3).sum()) == 3


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
        found |= {leaf.untyped_storage().data_ptr() for leaf in tree_leaves((parts, own)) if isinstance(leaf, Tensor)}
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


def test_a_substitute_computes_in_the_place_of_a_kernel() -> None:
    """It is given the call as it will be replayed: its result is the memory that is read from then on."""
    values = torch.tensor([1.0, 2.0])

    def five(call: Call) -> Callable[[], object] | None:
        return (lambda: call.result.fill_(5.0)) if call.op is torch.ops.aten.exp.default else None

    recording = Recording(lambda: (values.exp() + values, values.cos().exp()), substitute=five)
    recording.replay()
    assert recording.outputs[0].tolist() == [6.0, 7.0]
    assert recording.outputs[1].tolist() == [5.0, 5.0]


@pytest.mark.parametrize("name", sorted(loss.name for loss in LOSSES))
def test_every_loss_of_ours_can_be_replayed(name: str) -> None:
    declared = get("loss", name)
    assert isinstance(declared, Loss)
    defaults = {"delta": 0.7} if name == "huber" else {}
    loss = partial(loss_function(name), **defaults)
    for task in declared.tasks:
        if task == "regression":
            check(gradients(loss), normal((6, 3 * declared.outputs_per_target), (6, 3)))
        elif task == "multiclass":
            check(gradients(lambda x, t: loss(x, t.detach().argmax(1))), normal((6, 3), (6, 3)))
        else:
            outputs = 1 if task == "binary" else 3
            check(gradients(lambda x, t: loss(x, (t > 0).float())), normal((6, outputs), (6, outputs)))


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_of_ours_can_be_replayed(name: str) -> None:
    check(gradients(ACTIVATIONS[name]()), normal((6, 3)))


@pytest.mark.parametrize("seeds", [(), (2,)])
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass", "multilabel"])
def test_the_metrics_can_be_replayed(task: Any, seeds: tuple[int, ...]) -> None:
    """Guesses right and wrong, and classes that nobody is of, differ from replay to replay."""
    outputs = 1 if task == "binary" else 3
    targets = {
        "regression": torch.randn(7, 3),
        "binary": (torch.randn(7, 1) > 0).float(),
        "multiclass": torch.tensor([0, 0, 2, 2, 0, 2, 2]),
        "multilabel": (torch.randn(7, 3) > 0).float(),
    }[task]
    for output, reads_as in itertools.product(("none", "sigmoid", "softmax"), ("probabilities", "mean", None)):
        prepared = prepared_targets(task, targets, outputs)
        measure = partial(compute_metrics, task, targets=prepared, output=output, reads_as=reads_as)
        check(lambda x, measure=measure: measure(x), normal((*seeds, 7, outputs)), replays=2)


# Programs of any form: each instruction names an operation and two earlier values; all values are (4, 4).
OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "multiply": lambda a, b: a * b.tanh(),
    "product": lambda a, b: (a @ b).tanh(),
    "exp": lambda a, b: a.clamp(max=2).exp(),
    "double": lambda a, b: (a.double() + b.double()).tanh().float(),
    "whole": lambda a, b: (a.nan_to_num().clamp(-9, 9) * 3).to(torch.int32).float(),
    "where": lambda a, b: torch.where(a > b, a, b),
    "fill": lambda a, b: a.masked_fill(b > 0, 0.25),
    "cumsum": lambda a, b: a.cumsum(1),
    "sort": lambda a, b: a.sort(0).values,
    "softmax": lambda a, b: a.softmax(1),
    "mean": lambda a, b: a.mean() + b,
    "dropout": lambda a, b: F.dropout(a, 0.5),
    "noise": lambda a, b: a + torch.rand(4),
    "constant": lambda a, b: torch.arange(16.0).view(4, 4) * 0.1 + torch.ones(4),
    "scatter": lambda a, b: torch.zeros(4, 4).scatter_(1, b.argsort(1), a),
    "gather": lambda a, b: a.gather(0, b.argsort(0)),
    "stack": lambda a, b: torch.stack([a, b]).sum(0),
    "turned": lambda a, b: a.t(),
    "spread": lambda a, b: a[1].expand(4, 4),
    "strided": lambda a, b: torch.cat([a, b], 1)[:, ::2],
    "halves": lambda a, b: a.view(2, 2, 4).transpose(0, 1).reshape(4, 4) if a.is_contiguous() else a,
    "copied": lambda a, b: a.clone(),
}
IN_PLACE: dict[str, Callable[[Tensor, Tensor], object]] = {
    "add_": lambda a, b: a.add_(b),
    "row_": lambda a, b: a[2].copy_(b[0]),
    "clamp_": lambda a, b: a.clamp_(-1, 1),
    "assign_": lambda a, b: a.__setitem__((slice(None), 1), b[:, 3]),
    "index_add_": lambda a, b: a.index_add_(0, torch.tensor([0, 0, 3]), b[:3]),
    "uniform_": lambda a, b: a.uniform_(),
    "masked_": lambda a, b: a.masked_fill_(b > 0, 0.5),
}
Program: TypeAlias = list[tuple[str, int, int]]


def run(program: Program, wanted: Sequence[int], *inputs: Tensor) -> list[Tensor]:
    values = list(inputs)
    for name, one, other in program:
        a, b = values[one % len(values)], values[other % len(values)]
        if name in IN_PLACE:
            # Memory that overlaps itself cannot be written, nor what is read meanwhile.
            if 0 in a.stride():
                a = a.clone()
            IN_PLACE[name](a, b.clone())
            values.append(a)
        else:
            values.append(OPERATIONS[name](a, b))
    return [values[number % len(values)] for number in wanted] + values[-1:]


def programs(*names: str) -> st.SearchStrategy[Program]:
    place = st.integers(0, 30)
    return st.lists(st.tuples(st.sampled_from(names), place, place), min_size=1, max_size=25)


@settings(max_examples=100)
@given(programs(*OPERATIONS, *IN_PLACE), st.lists(st.integers(0, 30), max_size=3))
def test_any_program_is_replayed(program: Program, wanted: list[int]) -> None:
    check(partial(run, program, wanted), normal((4, 4), (4, 4)))


@settings(max_examples=50)
@given(programs(*OPERATIONS), st.lists(st.integers(0, 30), max_size=2))
def test_the_gradients_of_any_program_are_replayed(program: Program, wanted: list[int]) -> None:
    check(gradients(lambda *inputs: [value + inputs[0] for value in run(program, wanted, *inputs)]), normal((4, 4)))


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
        for a, b in zip(tree_leaves(recording.outputs), tree_leaves(function(*inputs)), strict=True):
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


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.to(torch.complex64).conj().mul(2),
        lambda x: x.clone().transpose_(0, 1),
        lambda x: x if torch.equal(x, x + 1) else 2 * x,
        lambda x: torch.tensor([0.0, 0.0, 0.0]).add_(x[0]),
    ],
    ids=["conjugate", "metadata in place", "equal", "literal written to"],
)
def test_what_a_replay_would_get_wrong_is_refused(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    inputs = torch.randn(2, 3)
    with pytest.raises(NotReplayableError):
        Recording(lambda: function(inputs))


def test_fresh_results_of_an_operation_that_also_writes() -> None:
    """rrelu writes its noise and returns something new."""
    inputs, draw = torch.randn(50), torch.random.get_rng_state()
    recording = Recording(lambda: torch.nn.functional.rrelu(inputs, training=True) + 1)
    inputs.neg_()
    torch.random.set_rng_state(draw)
    recording.replay()
    torch.random.set_rng_state(draw)
    assert torch.equal(recording.outputs, torch.nn.functional.rrelu(inputs, training=True) + 1)


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


def is_product(call: Call) -> bool:
    return call.op is torch.ops.aten.mm.default


def products(a: Tensor, b: Tensor, function: Function) -> tuple[Recording[Any], list[bool]]:
    """A recording that may defer products, and which of its outputs a replay leaves alone."""
    pool = [torch.empty(4096).untyped_storage() for _ in range(4)]
    recording = Recording(lambda: function(a, b), pool=pool, defer=is_product)
    outputs = tree_leaves(recording.outputs)
    for output in outputs:
        output.fill_(torch.nan)
    recording.replay()
    return recording, [bool(output.isnan().all()) for output in outputs]


def test_a_deferred_product_can_be_made_after_the_replay() -> None:
    a, b = torch.randn(5, 3), torch.randn(3, 4)
    # The doubled inputs are needed no more once the product is made: but for it, their memory would be used again.
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
        lambda a, b: (a @ b).sum(),  # it is no output
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
