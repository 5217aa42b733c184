"""The losses against torch's own, against numbers worked out by hand, and against their gradients."""

import inspect
from collections.abc import Callable
from functools import partial
from math import exp, log

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from lossrun.catalog.losses import LOSSES
from lossrun.components.losses import LOSS_FUNCTIONS, binary_cross_entropy, cross_entropy, huber, mae, mse

HANDLED_BY_REDUCTIONS = {"reduction", "weight_convention"}


def drawn(*shape: int, scale: float = 3.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels(samples: int, classes: int, seed: int = 1) -> Tensor:
    return torch.randint(classes, (samples,), generator=torch.Generator().manual_seed(seed))


def zeros_and_ones(*shape: int, seed: int = 2) -> Tensor:
    return torch.randint(2, shape, generator=torch.Generator().manual_seed(seed)).double()


def values(result: Tensor) -> list[float]:
    return [float(value) for value in result]


# --- declaration and code


@pytest.mark.parametrize("declared", LOSSES, ids=lambda d: d.name)
def test_declaration_and_signature_agree(declared):
    keywords = {
        p.name: p.default
        for p in inspect.signature(LOSS_FUNCTIONS[declared.name]).parameters.values()
        if p.kind is p.KEYWORD_ONLY
    }
    expected = {p.name: p for p in declared.parameters if p.name not in HANDLED_BY_REDUCTIONS}
    assert list(keywords) == list(expected)
    for name, default in keywords.items():
        if default is not inspect.Parameter.empty:
            # `auto` is settled before a loss is called; its first meaning is the form that the loss prefers.
            assert default == (declared.accepts[0] if name == "inputs" else expected[name].default)


def test_every_declared_loss_has_a_function_and_no_other():
    assert list(LOSS_FUNCTIONS) == [declared.name for declared in LOSSES]


# --- by hand


def test_regression_losses_by_hand():
    outputs, targets = torch.tensor([[1.0, 5.0], [0.0, 0.0]]), torch.tensor([[0.0, 2.0], [0.5, 0.0]])
    # Errors (1, 3) and (-1/2, 0).
    assert values(mse(outputs, targets)) == [(1 + 9) / 2, 0.25 / 2]
    assert values(mae(outputs, targets)) == [(1 + 3) / 2, 0.5 / 2]
    # Delta 2: 1/2 is quadratic, 3 is linear: 2 (3 - 1) = 4; then 1/8 and 0.
    assert values(huber(outputs, targets, delta=2.0)) == [(0.5 + 4) / 2, 0.125 / 2]


def test_squared_error_on_class_indices_is_that_on_one_hot_rows():
    # Probabilities (0.7, 0.2, 0.1) of class 0: (0.09 + 0.04 + 0.01) / 3 and (0.3 + 0.2 + 0.1) / 3.
    outputs = torch.tensor([[0.7, 0.2, 0.1]], dtype=torch.float64)
    assert values(mse(outputs, torch.tensor([0]))) == pytest.approx([0.14 / 3], rel=1e-12)
    assert values(mae(outputs, torch.tensor([0]))) == pytest.approx([0.6 / 3], rel=1e-12)


def test_outputs_without_information_cost_the_logarithm_of_the_classes():
    # ln 10 = 2.302585..., ln 2 = 0.693147...: "stuck at chance".
    assert values(cross_entropy(torch.zeros(1, 10), torch.tensor([3]))) == pytest.approx([log(10)], rel=1e-6)
    assert values(binary_cross_entropy(torch.zeros(1, 1), torch.ones(1, 1))) == pytest.approx([log(2)], rel=1e-6)


def test_double_softmax_cannot_get_below_its_floor():
    # A perfect softmax output taken for logits: ln(1 + 9/e) = 1.4612 for ten classes.
    perfect = F.one_hot(torch.tensor([3]), 10).double()
    assert values(cross_entropy(perfect, torch.tensor([3]))) == pytest.approx([log(1 + 9 / exp(1))], rel=1e-12)


def test_smoothed_perfection_costs_the_entropy_of_the_smoothed_label():
    # 0.1 over ten classes: 0.91 once and 0.01 nine times; entropy 0.5003.
    ideal = torch.tensor([[0.91] + [0.01] * 9], dtype=torch.float64)
    loss = cross_entropy(ideal.log(), torch.tensor([0]), label_smoothing=0.1)
    assert values(loss) == pytest.approx([-0.91 * log(0.91) - 0.09 * log(0.01)], rel=1e-12)


def test_binary_label_smoothing_is_keras():
    # Keras: t (1 - s) + s / 2; s = 0.2 makes 1 into 0.9: -(0.9 ln 0.75 + 0.1 ln 0.25).
    loss = partial(binary_cross_entropy, inputs="probabilities", label_smoothing=0.2)
    outputs = torch.tensor([[0.75]], dtype=torch.float64)
    assert values(loss(outputs, torch.ones(1, 1))) == pytest.approx([-(0.9 * log(0.75) + 0.1 * log(0.25))], rel=1e-12)


def test_impossible_probabilities_are_clipped_as_keras():
    # Keras' epsilon 1e-7: certain and wrong costs -ln 1e-7 = 16.118, certain and right -ln(1 - 1e-7) = 1e-7.
    wrong, right = pytest.approx(-log(1e-7), rel=1e-9), pytest.approx(1e-7, rel=1e-6)
    certain = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    categorical = partial(cross_entropy, inputs="probabilities")
    assert values(categorical(certain, torch.tensor([0]))) == [wrong]
    assert values(categorical(certain, torch.tensor([1]))) == [right]
    binary = partial(binary_cross_entropy, inputs="probabilities")
    assert values(binary(certain.T, torch.tensor([[1.0], [1.0]]))) == [wrong, right]
    assert values(binary(certain.T, torch.tensor([[0.0], [0.0]]))) == [right, wrong]


def test_probabilities_are_rescaled_to_sum_one():
    # (1, 3) of class 0 means 1/4.
    loss = cross_entropy(torch.tensor([[1.0, 3.0]]), torch.tensor([0]), inputs="probabilities")
    assert values(loss) == pytest.approx([log(4)], rel=1e-6)


@pytest.mark.parametrize("logit", [100.0, -100.0])
def test_large_logits_stay_finite_and_exact(logit):
    # ln(1 + e^100) = 100 to the last digit of a float32.
    wrong = 0.0 if logit > 0 else 1.0
    assert values(binary_cross_entropy(torch.tensor([[logit]]), torch.tensor([[wrong]]))) == [100.0]
    assert values(cross_entropy(torch.tensor([[logit, 0.0]]), torch.tensor([int(logit > 0)]))) == [100.0]


# --- against torch


@pytest.mark.parametrize(
    ("loss", "torch_class"),
    [(mse, nn.MSELoss), (mae, nn.L1Loss), (partial(huber, delta=0.7), partial(nn.HuberLoss, delta=0.7))],
)
def test_regression_losses_are_torchs(loss, torch_class):
    outputs, targets = drawn(7, 3), drawn(7, 3, seed=5)
    torch.testing.assert_close(loss(outputs, targets), torch_class(reduction="none")(outputs, targets).mean(dim=1))
    torch.testing.assert_close(loss(outputs, targets).mean(), torch_class()(outputs, targets))
    torch.testing.assert_close(loss(outputs, targets).sum() * 3, torch_class(reduction="sum")(outputs, targets))


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": lambda x: x,
    "probabilities": lambda x: x.softmax(dim=1),
    "log_probabilities": lambda x: x.log_softmax(dim=1),
}


@pytest.mark.parametrize("inputs", FORMS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 3.0, 0.0]])
@pytest.mark.parametrize("written", ["index", "one_hot", "soft"])
def test_cross_entropy_is_torchs_in_every_form(inputs, smoothing, weights, written):
    outputs, targets = drawn(9, 4), labels(9, 4)
    if written == "one_hot":
        targets = F.one_hot(targets, 4).double()
    elif written == "soft":
        targets = drawn(9, 4, seed=8).softmax(dim=1)
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    expected = nn.CrossEntropyLoss(tensor, reduction="none", label_smoothing=smoothing)(outputs, targets)
    loss = cross_entropy(
        FORMS[inputs](outputs), targets, inputs=inputs, label_smoothing=smoothing, class_weights=weights
    )
    torch.testing.assert_close(loss, expected)


BINARY_FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": lambda x: x,
    "probabilities": torch.sigmoid,
    "log_probabilities": F.logsigmoid,
}


@pytest.mark.parametrize("inputs", BINARY_FORMS)
@pytest.mark.parametrize("outputs_per_sample", [1, 4])
def test_binary_cross_entropy_is_torchs_in_every_form(inputs, outputs_per_sample):
    outputs, targets = drawn(9, outputs_per_sample), zeros_and_ones(9, outputs_per_sample)
    expected = nn.BCEWithLogitsLoss(reduction="none")(outputs, targets).mean(dim=1)
    torch.testing.assert_close(binary_cross_entropy(BINARY_FORMS[inputs](outputs), targets, inputs=inputs), expected)


@pytest.mark.parametrize("inputs", BINARY_FORMS)
def test_weights_of_several_outputs_are_torchs_weight(inputs):
    outputs, targets, weights = drawn(9, 3), zeros_and_ones(9, 3), torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    expected = nn.BCEWithLogitsLoss(weight=weights, reduction="none")(outputs, targets).mean(dim=1)
    form = BINARY_FORMS[inputs](outputs)
    torch.testing.assert_close(binary_cross_entropy(form, targets, inputs=inputs, class_weights=weights), expected)


@pytest.mark.parametrize("inputs", BINARY_FORMS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, [0.5, 4.0]])
def test_one_output_is_a_cross_entropy_of_two_classes(inputs, smoothing, weights):
    outputs, targets = drawn(9, 1), zeros_and_ones(9, 1)
    two = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    expected = nn.CrossEntropyLoss(
        None if weights is None else torch.tensor(weights, dtype=torch.float64),
        reduction="none",
        label_smoothing=smoothing,
    )(two, targets[:, 0].long())
    loss = binary_cross_entropy(
        BINARY_FORMS[inputs](outputs), targets, inputs=inputs, label_smoothing=smoothing, class_weights=weights
    )
    torch.testing.assert_close(loss, expected)


def test_class_with_log_probability_minus_infinity_costs_nothing_unless_it_is_the_one():
    impossible = torch.tensor([[0.0, -torch.inf]])
    loss = partial(cross_entropy, inputs="log_probabilities")
    assert values(loss(impossible, torch.tensor([0]))) == [0.0]
    assert values(loss(impossible, torch.tensor([[1.0, 0.0]]))) == [0.0]


def test_certain_binary_log_probabilities_stay_finite():
    # Of yes: ln 1 = 0 and ln 0 = -inf. torch.nn.BCELoss keeps logarithms above -100; 1 - p is kept above Keras' 1e-7.
    certain = torch.tensor([[0.0], [-torch.inf]], dtype=torch.float64)
    loss = partial(binary_cross_entropy, inputs="log_probabilities")
    assert values(loss(certain, torch.tensor([[1.0], [0.0]]))) == [0.0, 0.0]
    assert values(loss(certain, torch.tensor([[0.0], [1.0]]))) == pytest.approx([-log(1e-7), 100.0], rel=1e-9)


# --- gradients, and the forms that targets come in


@pytest.mark.parametrize(
    "loss",
    [
        mse,
        mae,
        partial(huber, delta=1.3),
        binary_cross_entropy,
        partial(binary_cross_entropy, label_smoothing=0.1, class_weights=[1.0, 2.0, 0.5]),
        cross_entropy,
        partial(cross_entropy, label_smoothing=0.1, class_weights=[1.0, 2.0, 0.5]),
    ],
)
@pytest.mark.parametrize("written", ["index", "one_hot"])
def test_gradients(loss, written):
    outputs, targets = drawn(5, 3), labels(5, 3)
    function = loss.func if isinstance(loss, partial) else loss
    if written == "one_hot" or function is huber:
        targets = F.one_hot(targets, 3).double()
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), outputs.requires_grad_())


@pytest.mark.parametrize("inputs", ["probabilities", "log_probabilities"])
@pytest.mark.parametrize("loss", [binary_cross_entropy, cross_entropy])
def test_gradients_of_the_other_forms(loss, inputs):
    # Probabilities far from 0, where finite differences of a logarithm are no use.
    outputs = FORMS[inputs](drawn(5, 3, scale=0.5)).requires_grad_()
    targets = zeros_and_ones(5, 3)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets, inputs=inputs, label_smoothing=0.1), outputs)


@pytest.mark.parametrize("loss", [mse, mae, binary_cross_entropy, cross_entropy])
def test_class_indices_and_one_hot_rows_are_the_same_targets(loss):
    outputs, targets = drawn(6, 4), labels(6, 4)
    rows = F.one_hot(targets, 4)
    torch.testing.assert_close(loss(outputs, targets), loss(outputs, rows.double()))
    torch.testing.assert_close(loss(outputs, targets.to(torch.int32)), loss(outputs, rows))


@pytest.mark.parametrize("loss", [mse, mae, partial(huber, delta=1.0), binary_cross_entropy, cross_entropy])
@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        (torch.zeros(4, 1), torch.zeros(4)),
        (torch.zeros(4), torch.zeros(4, 1)),
        (torch.zeros(4), torch.zeros(4)),
        (torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64)),
        (torch.zeros(4, 3), torch.zeros(3)),
        (torch.zeros(4, 3), torch.zeros(4)),
        (torch.zeros(4, 3), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(4, 3), torch.zeros(1, 3)),
        (torch.zeros(4, 3, 2), torch.zeros(4, 3, 2)),
    ],
)
def test_nothing_is_broadcast(loss, outputs, targets):
    with pytest.raises(ValueError, match="do not fit targets") as error:
        loss(outputs, targets)
    assert str(tuple(outputs.shape)) in str(error.value)
    assert str(tuple(targets.shape)) in str(error.value)


def test_huber_takes_no_class_indices():
    with pytest.raises(ValueError, match="do not fit targets"):
        huber(torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64), delta=1.0)


@pytest.mark.parametrize(
    ("loss", "outputs", "weights", "count"),
    [
        (cross_entropy, 3, [1.0, 2.0], "expected 3 weights"),
        (binary_cross_entropy, 3, [1.0, 2.0], "expected 3 weights"),
        (binary_cross_entropy, 1, [1.0], "expected 2 weights, of no and of yes"),
    ],
)
def test_wrong_number_of_class_weights(loss, outputs, weights, count):
    with pytest.raises(ValueError, match=count):
        loss(torch.zeros(4, outputs), torch.zeros(4, outputs), class_weights=weights)


@pytest.mark.parametrize("loss", [binary_cross_entropy, cross_entropy])
def test_unknown_form_of_outputs(loss):
    with pytest.raises(ValueError, match="inputs='scores'"):
        loss(torch.zeros(4, 2), torch.zeros(4, 2), inputs="scores")


@pytest.mark.parametrize("loss", [mse, mae, binary_cross_entropy, cross_entropy])
def test_replicas_stacked_along_a_leading_axis(loss):
    outputs, targets = drawn(2, 6, 4), torch.stack([labels(6, 4), labels(6, 4, seed=9)])
    torch.testing.assert_close(
        torch.vmap(loss)(outputs, targets), torch.stack([loss(outputs[0], targets[0]), loss(outputs[1], targets[1])])
    )
