"""What holds for every loss: declaration and code agree, gradients are right, extreme outputs stay finite, nothing is
broadcast, stacked and recorded it is the same function. Numbers: `test_{regression,binary,class}_losses.py`."""

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.parameter import Parameter
from lossrun.components.lookup import loss_function
from lossrun.replay.recording import Recording
from tests.other_values import variants

HANDLED_BY_REDUCTIONS = {"reduction", "weight_convention"}
SHARED = {*HANDLED_BY_REDUCTIONS, "inputs", "class_weights"}
WEIGHTS = [0.5, 2.0, 3.0, 0.0]
# Of each loss, values of its own parameters other than the declared ones; without an entry: `variants`.
OPTIONS: dict[str, list[dict[str, Any]]] = {
    "huber": [{"delta": 0.3}],
    "smooth_l1": [{"beta": 0.3}, {"beta": 0.0}],
    "quantile": [{"quantile": 0.9}],
    "mape": [{"eps": 0.5}],
    "poisson_nll": [{"full": True}, {"log_input": False}, {"log_input": False, "eps": 0.1, "full": True}],
    "gaussian_nll": [{"full": True}],
    "binary_cross_entropy": [{"label_smoothing": 0.2}, {"pos_weight": 3.0}, {"pos_weight": [3.0, 0.5, 1.0, 2.0]}],
    "binary_focal": [
        {"gamma": 0.5},
        {"gamma": 0.0},
        {"gamma": 3.0, "alpha": 0.25},
        {"alpha": 0.25, "apply_class_balancing": False},
        {"label_smoothing": 0.2},
    ],
    "cross_entropy": [{"label_smoothing": 0.2}, {"ignore_index": 1}, {"ignore_index": 1, "label_smoothing": 0.2}],
    "focal": [{"gamma": 0.5}, {"gamma": 0.0, "alpha": 0.3}, {"gamma": 1.0, "label_smoothing": 0.2}],
    "multi_margin": [{"p": 2, "margin": 0.5}],
    "generalized_cross_entropy": [{"q": 1.0}, {"q": 0.01}],
    "symmetric_cross_entropy": [{"alpha": 2.0, "beta": 0.5, "log_zero": -6.0}],
    "dice": [{"eps": 1.0}],
    "tversky": [{"alpha": 0.8, "beta": 0.1, "eps": 1.0}],
}


def drawn(*shape: int, scale: float = 2.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def targets_of(task: str, count: int = 5) -> Iterator[tuple[str, Tensor]]:
    """Every way in which targets of a task are written, each a name and a tensor."""
    indices = torch.tensor([0, 1, 2, 3, 1])[:count]
    match task:
        case "regression":
            yield "numbers", drawn(count, 2, seed=1).sigmoid()
        case "binary":
            yield "hard", (indices % 2).double().unsqueeze(1)
            yield "soft", drawn(count, 1, seed=1).sigmoid()
        case "multilabel":
            yield "hard", (drawn(count, 3, seed=1) > 0).double()
            yield "soft", drawn(count, 3, seed=1).sigmoid()
        case "multiclass":
            yield "indices", indices
            yield "one_hot", F.one_hot(indices, 4)
            yield "soft", drawn(count, 4, seed=1).softmax(dim=1)


def parameters_of(declared: Loss, outputs: int) -> Iterator[dict[str, Any]]:
    yield {}
    for options in OPTIONS.get(declared.name) or variants(declared, *SHARED):
        cut = {name: value[:outputs] if isinstance(value, list) else value for name, value in options.items()}
        yield cut
        if declared.parameter("class_weights"):
            yield {**cut, "class_weights": WEIGHTS[: max(outputs, 2)]}
    if declared.parameter("class_weights"):
        yield {"class_weights": WEIGHTS[: max(outputs, 2)]}


FORMS = {
    "outputs": lambda x: x,
    "logits": lambda x: x,
    "probabilities": lambda x: x.softmax(dim=1) if x.shape[1] > 1 else x.sigmoid(),
    "log_probabilities": lambda x: x.log_softmax(dim=1) if x.shape[1] > 1 else F.logsigmoid(x),
}


Call: TypeAlias = tuple[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]


def calls() -> Iterator[Any]:
    """Every loss of every task, in every way of writing targets and every form of outputs; each with every option."""
    for declared in LOSSES:
        for task in declared.tasks:
            for written, targets in targets_of(task):
                for form in declared.accepts:
                    yield pytest.param(
                        list(with_options(declared, task, targets, form)), id=f"{declared.name}-{task}-{written}-{form}"
                    )


def with_options(declared: Loss, task: str, targets: Tensor, form: str) -> Iterator[Call]:
    columns = targets.shape[1] if targets.ndim == 2 else 4
    told = {"inputs": form} if declared.parameter("inputs") else {}
    for options in parameters_of(declared, columns):
        outputs = drawn(5, columns * declared.outputs_per_target, seed=2)
        if options.get("log_input") is False:
            outputs = outputs.abs()
        yield partial(loss_function(declared.name), **told, **options), FORMS[form](outputs), targets


@contextmanager
def named(loss: Any) -> Iterator[None]:
    """Have an error say which of a test's losses it came from."""
    try:
        yield
    except Exception as error:
        error.add_note(str(loss))
        raise


CALLS = list(calls())
OF_LOGITS = [call for call in CALLS if call.id.endswith("-logits") and "-soft" not in call.id]


# --- declaration and code


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
def test_declaration_and_signature_agree(declared):
    keywords = {
        p.name: p.default
        for p in inspect.signature(loss_function(declared.name)).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    expected = {p.name: p for p in declared.parameters if p.name not in HANDLED_BY_REDUCTIONS}
    # What no config states: how a framework's function that is called from Python takes its arguments.
    for name in {name for alias in declared.aliases for name in alias.called} - expected.keys():
        keywords.pop(name)
    assert list(keywords) == list(expected)
    for name, default in keywords.items():
        # `auto` is settled before a loss is called; its first meaning is the form that the loss prefers.
        assert default == (declared.accepts[0] if name == "inputs" else expected[name].default)


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
def test_every_parameter_of_its_own_is_tried_here(declared):
    """So that a new parameter is not forgotten below."""
    own = {p.name for p in declared.parameters if isinstance(p, Parameter)} - SHARED
    tried = {name for options in OPTIONS.get(declared.name) or variants(declared, *SHARED) for name in options}
    # The least variance is only seen below it: test_regression_losses.py.
    assert tried == own - ({"eps"} if declared.name == "gaussian_nll" else set())


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
def test_every_docstring_says_where_the_loss_comes_from(declared):
    doc = inspect.getdoc(loss_function(declared.name)) or ""
    assert "Source:" in doc or "under the name that PyTorch gives it" in doc
    own = {name for options in OPTIONS.get(declared.name, []) for name in options}
    assert all(name in doc for name in own)


# --- gradients


@pytest.mark.parametrize("calls", CALLS)
def test_gradient_is_that_of_the_value(calls):
    for loss, outputs, targets in calls:
        with named(loss):
            assert torch.autograd.gradcheck(partial(_of_outputs, loss, targets), outputs.clone().requires_grad_())


def _of_outputs(loss: Any, targets: Tensor, outputs: Tensor) -> Tensor:
    return loss(outputs, targets)


@pytest.mark.parametrize("size", [0.0, 100.0, 1e4])
@pytest.mark.parametrize("calls", OF_LOGITS)
def test_extreme_logits_give_finite_values_and_gradients(calls, size):
    """In float32, and the very values that float64 gives."""
    for loss, outputs, targets in calls:
        with named(loss):
            extreme = (outputs.sign() * size).float().requires_grad_()
            losses = loss(extreme, targets)
            (gradient,) = torch.autograd.grad(losses.sum(), extreme)
            assert losses.dtype == gradient.dtype == torch.float32
            assert losses.isfinite().all()
            assert gradient.isfinite().all()
            torch.testing.assert_close(losses.double(), loss(extreme.detach().double(), targets), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("declared", [d for d in LOSSES if d.accepts[0] == "outputs"], ids=lambda d: d.name)
def test_extreme_outputs_of_numbers(declared):
    # exp(1e4) is beyond any float; 80 is not.
    size = 80.0 if declared.name == "poisson_nll" else 1e4
    outputs = torch.tensor([[size, -size], [-size, size], [0.0, 0.0]]).repeat(1, declared.outputs_per_target)
    outputs.requires_grad_()
    for options in parameters_of(declared, 2):
        if options.get("log_input") is not False:
            losses = loss_function(declared.name)(outputs, torch.tensor([[1.0, 0.0]] * 3), **options)
            (gradient,) = torch.autograd.grad(losses.sum(), outputs)
            assert losses.isfinite().all()
            assert gradient.isfinite().all()


@pytest.mark.parametrize(
    "declared", [d for d in LOSSES if "probabilities" in d.accepts and d.parameter("inputs")], ids=lambda d: d.name
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_of_0_and_1_give_finite_values_and_gradients(declared, dtype):
    outputs = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=dtype)
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    for form, given in (("probabilities", outputs), ("log_probabilities", outputs.clamp(min=1e-30).log())):
        for options in parameters_of(declared, 2):
            given.requires_grad_()
            losses = loss_function(declared.name)(given, targets, inputs=form, **options)
            (gradient,) = torch.autograd.grad(losses.sum(), given)
            assert losses.isfinite().all()
            assert gradient.isfinite().all()


# --- one function, however it is called


@pytest.mark.parametrize("declared", [d for d in LOSSES if "multiclass" in d.tasks], ids=lambda d: d.name)
def test_class_indices_and_one_hot_rows_are_the_same_targets(declared):
    outputs, ((_, indices), (_, rows), _) = drawn(5, 4), targets_of("multiclass")
    for options in parameters_of(declared, 4):
        loss = partial(loss_function(declared.name), **options)
        torch.testing.assert_close(loss(outputs, indices), loss(outputs, rows.double()))
        torch.testing.assert_close(loss(outputs, indices.to(torch.int32)), loss(outputs, rows.bool()))


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
def test_one_sample_is_not_changed_by_its_neighbours(declared):
    for task in declared.tasks:
        for _, targets in targets_of(task):
            outputs = drawn(5, (targets.shape[1] if targets.ndim == 2 else 4) * declared.outputs_per_target)
            loss = loss_function(declared.name)
            alone = torch.cat([loss(outputs[i : i + 1], targets[i : i + 1]) for i in range(5)])
            torch.testing.assert_close(loss(outputs, targets), alone)


@pytest.mark.parametrize("calls", CALLS)
def test_stacked_along_a_leading_axis_it_is_the_same(calls):
    """As replicas are stacked, each with targets of its own in training and with the same ones in validation."""
    for loss, outputs, targets in calls:
        with named(loss):
            both = torch.stack([outputs, outputs * 0.7])
            apart = torch.stack([loss(one, targets) for one in both])
            torch.testing.assert_close(torch.vmap(loss)(both, torch.stack([targets] * 2)), apart)
            torch.testing.assert_close(torch.vmap(loss, in_dims=(0, None))(both, targets), apart)


@pytest.mark.parametrize("calls", CALLS)
def test_recorded_it_is_the_same_to_the_bit(calls):
    for loss, outputs, targets in calls:
        with named(loss):
            memory = outputs.clone()
            step = partial(_with_gradient, loss, memory, targets)
            recording = Recording(step)
            memory.mul_(0.7)
            recording.replay()
            assert all(torch.equal(replayed, eager) for replayed, eager in zip(recording.outputs, step(), strict=True))


def _with_gradient(loss: Any, memory: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    outputs = memory.detach().requires_grad_()
    losses = loss(outputs, targets)
    return losses.detach(), torch.autograd.grad(losses.sum(), outputs)[0]


# --- what is refused


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        (torch.zeros(4, 1), torch.zeros(4)),
        (torch.zeros(4), torch.zeros(4, 1)),
        (torch.zeros(4), torch.zeros(4)),
        (torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64)),
        (torch.zeros(4, 3), torch.zeros(3)),
        (torch.zeros(4, 3), torch.zeros(4)),
        (torch.zeros(4, 3), torch.zeros(4, dtype=torch.bool)),
        (torch.zeros(4, 3), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(4, 3), torch.zeros(1, 3)),
        (torch.zeros(4, 3), torch.zeros(4, 1)),
        (torch.zeros(1, 3), torch.zeros(4, 3)),
        (torch.zeros(4, 3, 2), torch.zeros(4, 3, 2)),
    ],
)
def test_nothing_is_broadcast(declared, outputs, targets):
    with pytest.raises(ValueError, match="do not fit targets") as error:
        loss_function(declared.name)(outputs, targets)
    assert str(tuple(outputs.shape)) in str(error.value)
    assert str(tuple(targets.shape)) in str(error.value)


# Targets take the type of the outputs, so integer outputs would cut targets of 0.7 to 0.
@pytest.mark.parametrize(
    ("outputs", "targets", "message"),
    [
        ([[1.0, 2.0]], torch.zeros(1, 2), "outputs of type list; expected a tensor"),
        (torch.zeros(1, 2).numpy(), torch.zeros(1, 2), "outputs of type ndarray; expected a tensor"),
        (torch.zeros(1, 2), [[1.0, 2.0]], "targets of type list; expected a tensor"),
        (torch.zeros(1, 2), 1, "targets of type int; expected a tensor"),
        (torch.zeros(1, 2).long(), torch.zeros(1, 2), "outputs of type torch.int64; expected floating-point numbers"),
    ],
)
def test_anything_but_tensors_of_numbers_is_refused(outputs, targets, message):
    for declared in LOSSES:
        with pytest.raises(TypeError, match=message):
            loss_function(declared.name)(outputs, targets)


TAKE_NO_CLASSES = [d for d in LOSSES if d.accepts == ("outputs",)]


@pytest.mark.parametrize("declared", TAKE_NO_CLASSES, ids=lambda d: d.name)
def test_losses_of_numbers_take_no_class_indices(declared):
    with pytest.raises(ValueError, match="do not fit targets"):
        loss_function(declared.name)(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64))


@pytest.mark.parametrize("declared", [d for d in LOSSES if d.parameter("class_weights")], ids=lambda d: d.name)
def test_wrong_number_of_class_weights(declared):
    loss = loss_function(declared.name)
    with pytest.raises(ValueError, match="expected 3 weights"):
        loss(torch.zeros(4, 3), torch.zeros(4, 3), class_weights=[1.0, 2.0])
    if declared.averages_outputs:
        with pytest.raises(ValueError, match="expected 2 weights, of no and of yes"):
            loss(torch.zeros(4, 1), torch.zeros(4, 1), class_weights=[1.0])


@pytest.mark.parametrize("declared", [d for d in LOSSES if d.parameter("inputs")], ids=lambda d: d.name)
def test_unknown_form_of_outputs(declared):
    with pytest.raises(ValueError, match="inputs='scores'"):
        loss_function(declared.name)(torch.zeros(4, 2), torch.zeros(4, 2), inputs="scores")


# --- what the floors of a run rest on


def test_outputs_without_information_cost_the_logarithm_of_the_classes():
    # ln 10 = 2.302585..., ln 2 = 0.693147...: "stuck at chance".
    chance = loss_function("cross_entropy")(torch.zeros(1, 10), torch.tensor([3]))
    assert chance.item() == pytest.approx(math.log(10), rel=1e-6)
    coin = loss_function("binary_cross_entropy")(torch.zeros(1, 1), torch.ones(1, 1))
    assert coin.item() == pytest.approx(math.log(2), rel=1e-6)
