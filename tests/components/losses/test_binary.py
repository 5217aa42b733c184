"""The losses of yes-or-no targets against torch's own, against numbers worked out by hand, and against their limits."""

from collections.abc import Callable
from functools import partial
from math import exp, log

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from lossrun.components.losses.binary import (
    binary_cross_entropy,
    binary_focal,
    dice,
    hinge,
    multilabel_soft_margin,
    squared_hinge,
    tversky,
)

FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "logits": lambda x: x,
    "probabilities": torch.sigmoid,
    "log_probabilities": F.logsigmoid,
}


def drawn(*shape: int, scale: float = 3.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def zeros_and_ones(*shape: int, seed: int = 2) -> Tensor:
    return torch.randint(2, shape, generator=torch.Generator().manual_seed(seed)).double()


def numbers(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def values(result: Tensor) -> list[float]:
    return result.tolist()


def same_with_gradients(ours: Tensor, theirs: Tensor, outputs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs)
    gradients = (torch.autograd.grad(losses.sum(), outputs, retain_graph=True)[0] for losses in (ours, theirs))
    torch.testing.assert_close(*gradients)


# --- cross-entropy


def test_label_smoothing_is_keras():
    # Keras: t (1 - s) + s / 2; s = 0.2 makes 1 into 0.9: -(0.9 ln 0.75 + 0.1 ln 0.25).
    loss = binary_cross_entropy(numbers([0.75]), torch.ones(1, 1), inputs="probabilities", label_smoothing=0.2)
    assert values(loss) == pytest.approx([-(0.9 * log(0.75) + 0.1 * log(0.25))], rel=1e-12)


def test_impossible_probabilities_are_clipped_as_keras():
    # Keras' epsilon 1e-7: certain and wrong costs -ln 1e-7 = 16.118, certain and right -ln(1 - 1e-7) = 1e-7.
    wrong, right = pytest.approx(-log(1e-7), rel=1e-9), pytest.approx(1e-7, rel=1e-6)
    certain, loss = numbers([0.0], [1.0]), partial(binary_cross_entropy, inputs="probabilities")
    assert values(loss(certain, torch.ones(2, 1))) == [wrong, right]
    assert values(loss(certain, torch.zeros(2, 1))) == [right, wrong]


@pytest.mark.parametrize("logit", [100.0, -100.0])
def test_large_logits_stay_exact(logit):
    # ln(1 + e^100) = 100 to the last digit of a float32.
    wrong = 0.0 if logit > 0 else 1.0
    assert values(binary_cross_entropy(torch.tensor([[logit]]), torch.tensor([[wrong]]))) == [100.0]


@pytest.mark.parametrize("inputs", FORMS)
@pytest.mark.parametrize("outputs_per_sample", [1, 4])
def test_cross_entropy_is_torchs_in_every_form(inputs, outputs_per_sample):
    outputs, targets = drawn(9, outputs_per_sample).requires_grad_(), zeros_and_ones(9, outputs_per_sample)
    theirs = nn.BCEWithLogitsLoss(reduction="none")(outputs, targets).mean(dim=1)
    same_with_gradients(binary_cross_entropy(FORMS[inputs](outputs), targets, inputs=inputs), theirs, outputs)


@pytest.mark.parametrize("inputs", FORMS)
@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 4.0]])
@pytest.mark.parametrize("pos_weight", [None, 3.0, [3.0, 0.5, 1.0]])
@pytest.mark.parametrize("soft", [False, True])
def test_weights_are_torchs(inputs, weights, pos_weight, soft):
    outputs, targets = drawn(9, 3).requires_grad_(), drawn(9, 3, seed=4).sigmoid() if soft else zeros_and_ones(9, 3)
    tensors = (None if w is None else torch.tensor(w, dtype=torch.float64) for w in (weights, pos_weight))
    theirs = nn.BCEWithLogitsLoss(next(tensors), pos_weight=next(tensors), reduction="none")(outputs, targets)
    form = FORMS[inputs](outputs)
    ours = binary_cross_entropy(form, targets, inputs=inputs, class_weights=weights, pos_weight=pos_weight)
    same_with_gradients(ours, theirs.mean(dim=1), outputs)


def test_pos_weight_may_be_a_tensor_of_any_form():
    outputs, targets = drawn(5, 1), zeros_and_ones(5, 1)
    expected = binary_cross_entropy(outputs, targets, pos_weight=3.0)
    for pos_weight in ([3.0], torch.tensor(3.0), torch.tensor([3.0])):
        torch.testing.assert_close(binary_cross_entropy(outputs, targets, pos_weight=pos_weight), expected)
    with pytest.raises(ValueError, match=r"pos_weight of shape \(2,\) do not fit .* expected 1 weight$"):
        binary_cross_entropy(outputs, targets, pos_weight=[1.0, 2.0])


@pytest.mark.parametrize("inputs", FORMS)
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
        FORMS[inputs](outputs), targets, inputs=inputs, label_smoothing=smoothing, class_weights=weights
    )
    torch.testing.assert_close(loss, expected)


def test_certain_log_probabilities_stay_finite():
    # Of yes: ln 1 = 0 and ln 0 = -inf. torch.nn.BCELoss keeps logarithms above -100; 1 - p is kept above Keras' 1e-7.
    certain = numbers([0.0], [-torch.inf])
    loss = partial(binary_cross_entropy, inputs="log_probabilities")
    assert values(loss(certain, torch.tensor([[1.0], [0.0]]))) == [0.0, 0.0]
    assert values(loss(certain, torch.tensor([[0.0], [1.0]]))) == pytest.approx([-log(1e-7), 100.0], rel=1e-9)


@pytest.mark.parametrize("logarithm", [-1e-5, -0.01, -0.69, -0.7, -20.0])
def test_the_other_probability_keeps_its_digits(logarithm):
    # -ln(1 - exp(x)) in double precision, where 1e-5 leaves eleven digits.
    loss = binary_cross_entropy(torch.tensor([[logarithm]]), torch.zeros(1, 1), inputs="log_probabilities")
    assert loss.item() == pytest.approx(-log(1 - exp(logarithm)), rel=5e-7)


def test_multilabel_soft_margin_is_torchs():
    outputs, targets = drawn(9, 3).requires_grad_(), zeros_and_ones(9, 3)
    weights = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    for given in (None, weights):
        theirs = nn.MultiLabelSoftMarginLoss(weight=given, reduction="none")(outputs, targets)
        same_with_gradients(multilabel_soft_margin(outputs, targets, class_weights=given), theirs, outputs)


def test_soft_margin_loss_is_this_with_other_words_for_yes_and_no():
    outputs, targets = drawn(9, 3).requires_grad_(), zeros_and_ones(9, 3)
    theirs = nn.SoftMarginLoss(reduction="none")(outputs, 2 * targets - 1).mean(dim=1)
    same_with_gradients(binary_cross_entropy(outputs, targets), theirs, outputs)


# --- focal


def test_focal_by_hand():
    # Yes at 0.8: 0.2^2 (-ln 0.8); no at 0.8: 0.8^2 (-ln 0.2). Balanced: a quarter of the first, three of the second.
    loss = partial(binary_focal, inputs="probabilities")
    targets, outputs = numbers([1.0], [0.0]), numbers([0.8], [0.8])
    expected = [-(0.2**2) * log(0.8), -(0.8**2) * log(0.2)]
    assert values(loss(outputs, targets)) == pytest.approx(expected, rel=1e-12)
    assert values(loss(outputs, targets, alpha=0.25)) == pytest.approx([expected[0] / 4, expected[1] * 3 / 4])
    assert values(loss(outputs, targets, class_weights=[2.0, 5.0])) == pytest.approx([expected[0] * 5, expected[1] * 2])
    assert values(loss(outputs, targets, gamma=0.5)) == pytest.approx([-(0.2**0.5) * log(0.8), -(0.8**0.5) * log(0.2)])


def test_focal_of_a_soft_target_by_hand():
    # t 0.7 at p 0.8: q = 0.7 0.8 + 0.3 0.2 = 0.62.
    loss = binary_focal(numbers([0.8]), numbers([0.7]), inputs="probabilities", alpha=0.25)
    expected = (1 - 0.62) ** 2 * -(0.7 * log(0.8) + 0.3 * log(0.2)) * (0.7 * 0.25 + 0.3 * 0.75)
    assert values(loss) == pytest.approx([expected], rel=1e-12)


@pytest.mark.parametrize("inputs", FORMS)
@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}])
def test_focal_without_focus_is_cross_entropy(inputs, options):
    outputs, targets = FORMS[inputs](drawn(9, 3)), zeros_and_ones(9, 3)
    expected = binary_cross_entropy(outputs, targets, inputs=inputs, **options)
    torch.testing.assert_close(binary_focal(outputs, targets, inputs=inputs, gamma=0.0, **options), expected)


@pytest.mark.parametrize("inputs", FORMS)
def test_weights_of_several_outputs_multiply_each_of_them(inputs):
    outputs, targets = FORMS[inputs](drawn(9, 3)), zeros_and_ones(9, 3)
    weights = [0.5, 1.0, 4.0]
    columns = [
        binary_focal(outputs[:, [k]], targets[:, [k]], inputs=inputs, class_weights=[w, w])
        for k, w in enumerate(weights)
    ]
    torch.testing.assert_close(
        binary_focal(outputs, targets, inputs=inputs, class_weights=weights), torch.stack(columns).mean(dim=0)
    )


@pytest.mark.parametrize("gamma", [0.0, 0.01, 0.5, 1.0, 2.0, 5.0])
def test_focal_keeps_the_pull_of_what_is_far_off(gamma):
    # Wrong by 1e4 costs 1e4 and pulls with 1; right by 1e4 costs and pulls nothing.
    outputs = torch.tensor([[-1e4], [1e4]], requires_grad=True)
    losses = binary_focal(outputs, torch.ones(2, 1), gamma=gamma)
    assert values(losses) == [1e4, 0.0]
    assert torch.autograd.grad(losses.sum(), outputs)[0].tolist() == [[-1.0], [0.0]]


# --- margins


def test_margins_by_hand():
    # Yes at 0.25 lacks 0.75; yes at 2 nothing; no at 0.5 lacks 1.5; no at -3 nothing.
    outputs, targets = numbers([0.25], [2.0], [0.5], [-3.0]), numbers([1.0], [1.0], [0.0], [0.0])
    assert values(hinge(outputs, targets)) == [0.75, 0, 1.5, 0]
    assert values(squared_hinge(outputs, targets)) == [0.75**2, 0, 1.5**2, 0]
    assert values(hinge(outputs, targets, class_weights=[2.0, 4.0])) == [3.0, 0, 3.0, 0]
    assert values(squared_hinge(outputs, targets, class_weights=[2.0, 4.0])) == [2.25, 0, 4.5, 0]


def test_hinge_is_torchs_embedding_margin_of_the_signed_output():
    """torch has no hinge; its HingeEmbeddingLoss of a negative pair is max(0, margin - distance)."""
    outputs, targets = drawn(9, 3), zeros_and_ones(9, 3)
    signed = (2 * targets - 1) * outputs
    theirs = nn.HingeEmbeddingLoss(margin=1.0, reduction="none")(signed, -torch.ones(9, 3)).mean(dim=1)
    torch.testing.assert_close(hinge(outputs, targets), theirs)


# --- overlaps


@pytest.mark.parametrize("inputs", FORMS)
def test_overlaps_by_hand(inputs):
    # Labels (1, 1, 0) guessed at (0.5, 1, 0.25): TP 1.5, missed 0.5, false alarms 0.25.
    probabilities = numbers([0.5, 1 - 1e-12, 0.25])
    forms = {"logits": torch.logit, "probabilities": torch.clone, "log_probabilities": torch.log}
    outputs = forms[inputs](probabilities)
    targets = numbers([1.0, 1.0, 0.0])
    assert values(dice(outputs, targets, inputs=inputs)) == pytest.approx([1 - 3 / 3.75], rel=1e-6)
    loss = tversky(outputs, targets, inputs=inputs, alpha=0.9, beta=0.2)
    assert values(loss) == pytest.approx([1 - 1.5 / (1.5 + 0.45 + 0.05)], rel=1e-6)
    even = tversky(outputs, targets, inputs=inputs)
    assert values(even) == pytest.approx([1 - 3 / 3.75], rel=1e-6)
    # eps above and below the line.
    assert values(dice(outputs, targets, inputs=inputs, eps=1.0)) == pytest.approx([1 - 4 / 4.75], rel=1e-9)


@pytest.mark.parametrize("loss", [dice, tversky])
def test_no_label_and_no_guess_is_right(loss):
    assert values(loss(torch.zeros(1, 3), torch.zeros(1, 3), inputs="probabilities")) == [0.0]
    assert values(loss(torch.full((1, 3), -1e4), torch.zeros(1, 3))) == [0.0]
    assert values(loss(torch.zeros(1, 3), torch.ones(1, 3), inputs="probabilities")) == [pytest.approx(1, rel=1e-6)]
    assert values(loss(torch.ones(1, 3), torch.ones(1, 3), inputs="probabilities")) == [0.0]


@pytest.mark.parametrize("loss", [dice, tversky])
def test_small_parts_that_do_not_overlap_keep_their_digits(loss):
    # Three labels at p = 1 - 2e-4 / 3: missed 2e-4 of 6 - 2e-4. In float32, 1 - x has rounded in steps of 6e-8.
    logits = torch.full((1, 3), log(1.5e4 - 1))
    assert loss(logits, torch.ones(1, 3)).item() == pytest.approx(2e-4 / (6 - 2e-4), rel=1e-6)
