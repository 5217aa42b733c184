"""The losses of one class of several against torch's own, numbers worked out by hand, and each other."""

from collections.abc import Callable
from functools import partial
from math import exp, log

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from lossrun.components.losses.classes import (
    categorical_hinge,
    cross_entropy,
    focal,
    generalized_cross_entropy,
    kl_divergence,
    multi_margin,
    symmetric_cross_entropy,
)
from lossrun.components.losses.regression import mae

FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": lambda x: x,
    "probabilities": lambda x: x.softmax(dim=1),
    "log_probabilities": lambda x: x.log_softmax(dim=1),
}
WEIGHTS = [1.0, 0.5, 0.0, 3.0]


def drawn(*shape: int, scale: float = 3.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels(samples: int, classes: int, seed: int = 1) -> Tensor:
    return torch.randint(classes, (samples,), generator=torch.Generator().manual_seed(seed))


def numbers(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def values(result: Tensor) -> list[float]:
    return result.tolist()


def same_with_gradients(ours: Tensor, theirs: Tensor, outputs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs)
    gradients = (torch.autograd.grad(losses.sum(), outputs, retain_graph=True)[0] for losses in (ours, theirs))
    torch.testing.assert_close(*gradients)


# --- cross-entropy


def test_double_softmax_cannot_get_below_its_floor():
    # A perfect softmax output taken for logits: ln(1 + 9/e) = 1.4612 for ten classes.
    perfect = F.one_hot(torch.tensor([3]), 10).double()
    assert values(cross_entropy(perfect, torch.tensor([3]))) == pytest.approx([log(1 + 9 / exp(1))], rel=1e-12)


def test_smoothed_perfection_costs_the_entropy_of_the_smoothed_label():
    # 0.1 over ten classes: 0.91 once and 0.01 nine times; entropy 0.5003.
    ideal = numbers([0.91] + [0.01] * 9)
    loss = cross_entropy(ideal.log(), torch.tensor([0]), label_smoothing=0.1)
    assert values(loss) == pytest.approx([-0.91 * log(0.91) - 0.09 * log(0.01)], rel=1e-12)


def test_impossible_probabilities_are_clipped_as_keras():
    # Keras' epsilon 1e-7: certain and wrong costs -ln 1e-7 = 16.118, certain and right -ln(1 - 1e-7) = 1e-7.
    certain, loss = numbers([0.0, 1.0]), partial(cross_entropy, inputs="probabilities")
    assert values(loss(certain, torch.tensor([0]))) == [pytest.approx(-log(1e-7), rel=1e-9)]
    assert values(loss(certain, torch.tensor([1]))) == [pytest.approx(1e-7, rel=1e-6)]


def test_probabilities_are_rescaled_to_sum_one():
    # (1, 3) of class 0 means 1/4.
    loss = cross_entropy(torch.tensor([[1.0, 3.0]]), torch.tensor([0]), inputs="probabilities")
    assert values(loss) == pytest.approx([log(4)], rel=1e-6)


@pytest.mark.parametrize("logit", [100.0, -100.0])
def test_large_logits_stay_exact(logit):
    # ln(1 + e^100) = 100 to the last digit of a float32.
    assert values(cross_entropy(torch.tensor([[logit, 0.0]]), torch.tensor([int(logit > 0)]))) == [100.0]


@pytest.mark.parametrize("inputs", FORMS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("written", ["index", "one_hot", "soft"])
def test_cross_entropy_is_torchs_in_every_form(inputs, smoothing, weights, written):
    outputs, targets = drawn(9, 4).requires_grad_(), labels(9, 4)
    if written == "one_hot":
        targets = F.one_hot(targets, 4).double()
    elif written == "soft":
        targets = drawn(9, 4, seed=8).softmax(dim=1)
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    theirs = nn.CrossEntropyLoss(tensor, reduction="none", label_smoothing=smoothing)(outputs, targets)
    ours = cross_entropy(
        FORMS[inputs](outputs), targets, inputs=inputs, label_smoothing=smoothing, class_weights=weights
    )
    same_with_gradients(ours, theirs, outputs)


@pytest.mark.parametrize("inputs", FORMS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_ignored_class_is_torchs(inputs, smoothing, weights):
    outputs, targets = drawn(9, 4).requires_grad_(), labels(9, 4)
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    theirs = nn.CrossEntropyLoss(tensor, ignore_index=3, reduction="none", label_smoothing=smoothing)(outputs, targets)
    assert 0 < (targets == 3).sum() < 9
    loss = partial(cross_entropy, inputs=inputs, label_smoothing=smoothing, class_weights=weights, ignore_index=3)
    same_with_gradients(loss(FORMS[inputs](outputs), targets), theirs, outputs)
    same_with_gradients(loss(FORMS[inputs](outputs), F.one_hot(targets, 4)), theirs, outputs)


def test_ignored_share_of_a_soft_row_does_not_count():
    # A quarter is of class 1: three quarters of what the row costs otherwise.
    outputs, row = drawn(1, 3), numbers([0.5, 0.25, 0.25])
    torch.testing.assert_close(cross_entropy(outputs, row, ignore_index=1), cross_entropy(outputs, row) * 0.75)


def test_class_beyond_the_outputs_is_nobodys():
    outputs, targets = drawn(9, 4), labels(9, 4)
    for written in (targets, F.one_hot(targets, 4)):
        torch.testing.assert_close(cross_entropy(outputs, written, ignore_index=255), cross_entropy(outputs, written))


def test_class_with_log_probability_minus_infinity_costs_nothing_unless_it_is_the_one():
    impossible = torch.tensor([[0.0, -torch.inf]])
    for loss in (cross_entropy, kl_divergence, generalized_cross_entropy):
        given = impossible.clone().requires_grad_()
        for targets in (torch.tensor([0]), torch.tensor([[1.0, 0.0]])):
            losses = loss(given, targets, inputs="log_probabilities")
            assert values(losses.detach()) == [0.0]
            assert torch.autograd.grad(losses.sum(), given)[0].isfinite().all()


# --- focal


@pytest.mark.parametrize("inputs", FORMS)
def test_focal_by_hand(inputs):
    # Class 0 at 0.8: 0.2^2 (-ln 0.8). Smoothed by 0.3 over three: 0.8, 0.1, 0.1, each with its own factor.
    outputs = FORMS[inputs](numbers([0.8, 0.1, 0.1]).log())
    loss, right = partial(focal, outputs, torch.tensor([0]), inputs=inputs), -(0.2**2) * log(0.8)
    assert values(loss()) == pytest.approx([right], rel=1e-12)
    assert values(loss(alpha=0.25, class_weights=[3.0, 1.0, 1.0])) == pytest.approx([0.75 * right], rel=1e-12)
    assert values(loss(gamma=0.5)) == pytest.approx([-(0.2**0.5) * log(0.8)], rel=1e-12)
    smoothed = 0.8 * right - 2 * 0.1 * 0.9**2 * log(0.1)
    assert values(loss(label_smoothing=0.3)) == pytest.approx([smoothed], rel=1e-12)


@pytest.mark.parametrize("inputs", FORMS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_focal_without_focus_is_cross_entropy(inputs, smoothing):
    outputs, targets = FORMS[inputs](drawn(9, 4)), labels(9, 4)
    torch.testing.assert_close(
        focal(outputs, targets, inputs=inputs, gamma=0.0, label_smoothing=smoothing),
        cross_entropy(outputs, targets, inputs=inputs, label_smoothing=smoothing),
    )


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 1.0, 2.0, 5.0])
def test_focal_keeps_the_pull_of_what_is_far_off(gamma):
    # Wrong by 1e4 costs 1e4 and pulls with 1; right by 1e4 costs and pulls nothing.
    outputs = torch.tensor([[-1e4, 0.0], [1e4, 0.0]], requires_grad=True)
    losses = focal(outputs, torch.tensor([0, 0]), gamma=gamma)
    assert values(losses) == [1e4, 0.0]
    assert torch.autograd.grad(losses.sum(), outputs)[0].tolist() == [[-1.0, 1.0], [0.0, 0.0]]


# --- margins


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("margin", [1.0, 0.3])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_multi_margin_is_torchs(p, margin, weights):
    outputs, targets = drawn(9, 4).requires_grad_(), labels(9, 4)
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    theirs = nn.MultiMarginLoss(p, margin, tensor, reduction="none")(outputs, targets)
    same_with_gradients(multi_margin(outputs, targets, p=p, margin=margin, class_weights=weights), theirs, outputs)


def test_margins_by_hand():
    # Class 1 at 2, rivals at 1.5 and -1: lacks 0.5 and nothing. All below 0: the rival counts as 0, as in Keras.
    outputs, targets = numbers([1.5, 2.0, -1.0], [-3.0, -1.0, -5.0]), torch.tensor([1, 1])
    assert values(multi_margin(outputs, targets)) == [0.5 / 3, 0.0]
    assert values(multi_margin(outputs, targets, p=2, margin=2.0)) == [1.5**2 / 3, 0.0]
    assert values(categorical_hinge(outputs, targets)) == [0.5, 2.0]
    assert values(categorical_hinge(outputs, targets, class_weights=[1.0, 3.0, 1.0])) == [1.5, 6.0]


# --- distributions


@pytest.mark.parametrize("inputs", FORMS)
def test_divergence_and_its_gradient_are_torchs(inputs):
    outputs, targets = drawn(9, 4).requires_grad_(), drawn(9, 4, seed=8).softmax(dim=1)
    targets = torch.where(targets < 0.1, 0.0, targets)
    theirs = nn.KLDivLoss(reduction="none")(outputs.log_softmax(dim=1), targets).sum(dim=1)
    same_with_gradients(kl_divergence(FORMS[inputs](outputs), targets, inputs=inputs), theirs, outputs)


def test_divergence_by_hand():
    # (1/2, 1/2, 0) from (1/4, 1/4, 1/2): ln 2. A distribution from itself: 0.
    outputs = numbers([0.25, 0.25, 0.5])
    loss = partial(kl_divergence, outputs, inputs="probabilities")
    assert values(loss(numbers([0.5, 0.5, 0.0]))) == pytest.approx([log(2)], rel=1e-12)
    assert values(loss(outputs)) == [0.0]
    assert values(loss(numbers([0.5, 0.5, 0.0]), class_weights=[2.0, 4.0, 9.0])) == pytest.approx([3 * log(2)])


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_divergence_from_hard_labels_is_cross_entropy_to_the_bit(scale):
    outputs, targets = drawn(9, 4, scale=scale).float(), labels(9, 4)
    assert torch.equal(kl_divergence(outputs, targets), cross_entropy(outputs, targets))


# --- robust against wrong labels


@pytest.mark.parametrize("inputs", FORMS)
def test_generalized_cross_entropy_lies_between_its_ends(inputs):
    outputs, targets = FORMS[inputs](drawn(9, 4)), labels(9, 4)
    loss = partial(generalized_cross_entropy, outputs, targets, inputs=inputs)
    right = drawn(9, 4).softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)
    torch.testing.assert_close(loss(q=0.7), (1 - right**0.7) / 0.7)
    torch.testing.assert_close(loss(q=1.0), 1 - right)
    # 1 - p is half of the distance between the one-hot row and the probabilities.
    torch.testing.assert_close(loss(q=1.0), mae(drawn(9, 4).softmax(dim=1), targets) * 4 / 2)
    torch.testing.assert_close(loss(q=1e-9), cross_entropy(outputs, targets, inputs=inputs), rtol=1e-6, atol=1e-6)


def test_generalized_cross_entropy_of_a_soft_row_is_the_mixture():
    outputs, row = drawn(1, 3), numbers([0.5, 0.25, 0.25])
    parts = torch.cat([generalized_cross_entropy(outputs, torch.tensor([k])) for k in range(3)])
    torch.testing.assert_close(generalized_cross_entropy(outputs, row), (row * parts).sum(dim=1))


def test_generalized_cross_entropy_of_impossible_probabilities():
    # 0 costs 1 / q, as in Keras; the line from (1 - (1e-7)^(1/2)) / q at 1e-7 has the slope -(1e7)^(1/2) / q.
    outputs = numbers([0.0, 1.0]).requires_grad_()
    loss = generalized_cross_entropy(outputs, torch.tensor([0]), inputs="probabilities", q=0.5)
    assert loss.item() == pytest.approx(2, rel=1e-12)
    assert torch.autograd.grad(loss.sum(), outputs)[0].tolist() == [[pytest.approx(-2 * 1e7**0.5, rel=1e-9), 0.0]]


@pytest.mark.parametrize("inputs", FORMS)
def test_symmetric_cross_entropy_by_hand(inputs):
    # Class 0 at 0.75: 0.1 (-ln 0.75) and 4 (1 - 0.75).
    outputs = FORMS[inputs](numbers([0.75, 0.125, 0.125]).log())
    loss = partial(symmetric_cross_entropy, outputs, inputs=inputs)
    assert values(loss(torch.tensor([0]))) == pytest.approx([-0.1 * log(0.75) + 4 * 0.25], rel=1e-6)
    options = {"alpha": 2.0, "beta": 0.5, "log_zero": -6.0, "class_weights": [3.0, 1.0, 1.0]}
    expected = 3 * (-2 * log(0.75) + 0.5 * 6 * 0.25)
    assert values(loss(torch.tensor([0]), **options)) == pytest.approx([expected], rel=1e-6)
    # Of a soft row, ln t is -ln 2 twice, and at least -4 for the third.
    soft = 0.1 * -0.5 * (log(0.75) + log(0.125)) + (0.75 + 0.125) * log(2) + 0.125 * 4
    assert values(loss(numbers([0.5, 0.5, 0.0]))) == pytest.approx([soft], rel=1e-6)
