"""The yardsticks against scikit-learn, against the losses themselves, and at the edge of floating point."""

from itertools import product
from math import inf, isfinite, isnan, log, log1p
from typing import Any

import pytest
import sklearn.metrics as sk
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lossrun.catalog.declaration import TASKS
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import METRICS
from lossrun.components.losses import binary_cross_entropy, cross_entropy, huber, mae, mse
from lossrun.components.metrics import predictions, prepared_targets, yardsticks

SAMPLES = 60
CLOSE = {"rel": 1e-9}


def measured(
    task: str, preactivations: Tensor, targets: Any, *, target_std: Any = 1.0, **parameters: Any
) -> dict[str, Tensor]:
    """The yardsticks of one model or many, targets as a dataset gives them."""
    prepared = prepared_targets(task, targets, preactivations.shape[-1], target_std=target_std)
    return yardsticks(task, preactivations, prepared, **parameters)


def scores(task: str, preactivations: Tensor, targets: Any, **parameters: Any) -> dict[str, float]:
    """The yardsticks of one model, as floats."""
    result = measured(task, preactivations, targets, **parameters)
    assert all(value.shape == () and value.dtype == torch.float64 for value in result.values())
    return {name: value.item() for name, value in result.items()}


def outputs_of(task: str) -> int:
    return 1 if task == "binary" else 4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def targets_of(task: str, outputs: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    if task == "multiclass":
        return torch.randint(outputs, (SAMPLES,), generator=generator)
    if task == "regression":
        return torch.rand(SAMPLES, outputs, generator=generator)
    return torch.randint(2, (SAMPLES, outputs), generator=generator).float()


def declared_names(task: str) -> list[str]:
    return [declared.name for declared in (*LOSSES, *METRICS) if task in declared.tasks]


@pytest.mark.parametrize("task", TASKS)
def test_all_that_is_declared_for_the_task_in_the_order_of_the_catalogue(task):
    outputs = 1 if task == "binary" else 4
    result = scores(task, drawn(SAMPLES, outputs), targets_of(task, outputs), output="none", reads_as="probabilities")
    assert list(result) == declared_names(task)


@pytest.mark.parametrize(("task", "outputs"), [("binary", 1), ("multiclass", 4), ("multilabel", 3)])
@pytest.mark.parametrize("reads_as", ["mean", None])
def test_without_probabilities_no_cross_entropy(task, outputs, reads_as):
    result = scores(task, drawn(SAMPLES, outputs), targets_of(task, outputs), output="none", reads_as=reads_as)
    assert list(result) == [name for name in declared_names(task) if "cross_entropy" not in name]


def test_multiclass_is_scikit_learns():
    logits, targets = drawn(SAMPLES, 5), targets_of("multiclass", 5)
    result = scores("multiclass", logits, targets, output="softmax", reads_as="probabilities")
    probabilities = logits.double().softmax(dim=1).numpy()
    one_hot = F.one_hot(targets).double().numpy()
    guesses = probabilities.argmax(axis=1)
    assert result == {
        "mse": pytest.approx(sk.mean_squared_error(one_hot, probabilities), **CLOSE),
        "mae": pytest.approx(sk.mean_absolute_error(one_hot, probabilities), **CLOSE),
        "binary_cross_entropy": pytest.approx(sk.log_loss(one_hot.ravel(), probabilities.ravel()), **CLOSE),
        "cross_entropy": pytest.approx(sk.log_loss(targets, probabilities), **CLOSE),
        "accuracy": pytest.approx(sk.accuracy_score(targets, guesses), **CLOSE),
        "macro_f1": pytest.approx(sk.f1_score(targets, guesses, average="macro", zero_division=0), **CLOSE),
    }


def test_multiclass_through_a_sigmoid():
    logits, targets = drawn(SAMPLES, 5), targets_of("multiclass", 5)
    result = scores("multiclass", logits, targets, output="sigmoid", reads_as="mean")
    cells = logits.double().sigmoid()
    one_hot = F.one_hot(targets).double()
    # Each output on its own, but a cross-entropy wants probabilities that sum to 1.
    assert result["mse"] == pytest.approx(sk.mean_squared_error(one_hot, cells), **CLOSE)
    assert result["binary_cross_entropy"] == pytest.approx(sk.log_loss(one_hot.ravel(), cells.ravel()), **CLOSE)
    assert result["cross_entropy"] == pytest.approx(
        sk.log_loss(targets, cells / cells.sum(dim=1, keepdim=True)), **CLOSE
    )
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(targets, logits.argmax(dim=1)), **CLOSE)


def test_binary_is_scikit_learns():
    logits, targets = drawn(SAMPLES, 1), targets_of("binary", 1)
    result = scores("binary", logits, targets, output="sigmoid", reads_as="probabilities")
    probabilities = logits.double().sigmoid().numpy().ravel()
    truths = targets.numpy().ravel()
    assert result == {
        "mse": pytest.approx(sk.brier_score_loss(truths, probabilities), **CLOSE),
        "mae": pytest.approx(sk.mean_absolute_error(truths, probabilities), **CLOSE),
        "binary_cross_entropy": pytest.approx(sk.log_loss(truths, probabilities), **CLOSE),
        "accuracy": pytest.approx(sk.accuracy_score(truths, probabilities > 0.5), **CLOSE),
    }


def test_multilabel_is_scikit_learns():
    logits, targets = drawn(SAMPLES, 3), targets_of("multilabel", 3)
    # A label that is never true and never guessed: scikit-learn counts it as 0.
    logits[:, 2], targets[:, 2] = -1.0, 0.0
    result = scores("multilabel", logits, targets, output="none", reads_as="probabilities")
    probabilities, truths = logits.double().sigmoid().numpy(), targets.int().numpy()
    guesses = (probabilities > 0.5).astype(int)
    assert result == {
        "mse": pytest.approx(sk.mean_squared_error(truths, probabilities), **CLOSE),
        "mae": pytest.approx(sk.mean_absolute_error(truths, probabilities), **CLOSE),
        "binary_cross_entropy": pytest.approx(sk.log_loss(truths.ravel(), probabilities.ravel()), **CLOSE),
        "accuracy": pytest.approx(sk.accuracy_score(truths.ravel(), guesses.ravel()), **CLOSE),
        "macro_f1": pytest.approx(sk.f1_score(truths, guesses, average="macro", zero_division=0), **CLOSE),
    }


@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12),
)
@settings(max_examples=60, deadline=None)
def test_macro_f1_where_classes_are_missing(pairs):
    labels, guesses = (list(column) for column in zip(*pairs, strict=True))
    result = scores(
        "multiclass", F.one_hot(torch.tensor(guesses), 5), torch.tensor(labels), output="none", reads_as="mean"
    )
    assert result["macro_f1"] == pytest.approx(sk.f1_score(labels, guesses, average="macro", zero_division=0), **CLOSE)


@pytest.mark.parametrize("target_std", [1.0, 7.0, torch.tensor([2.0, 0.5, 10.0])])
def test_regression_is_scikit_learns_in_original_units(target_std):
    outputs, targets = drawn(SAMPLES, 3), drawn(SAMPLES, 3, seed=3)
    result = scores("regression", outputs, targets, output="none", reads_as="mean", target_std=target_std)
    guessed, true = outputs.double() * target_std + 100, targets.double() * target_std + 100
    arrays = true.numpy(), guessed.numpy()
    assert result == {
        "mse": pytest.approx(sk.mean_squared_error(*arrays), **CLOSE),
        "mae": pytest.approx(sk.mean_absolute_error(*arrays), **CLOSE),
        "huber": pytest.approx(float(huber(guessed, true, delta=1.0).mean()), **CLOSE),
        "rmse": pytest.approx(sk.mean_squared_error(*arrays) ** 0.5, **CLOSE),
        "r2": pytest.approx(sk.r2_score(*arrays), **CLOSE),
    }


def test_r2_of_constant_targets_is_not_a_number():
    result = scores("regression", drawn(4, 1), torch.full((4, 1), 3.0), output="none", reads_as="mean")
    assert isnan(result["r2"])
    assert not isnan(result["rmse"])


def test_regression_has_a_cross_entropy_where_targets_and_outputs_are_probabilities():
    logits, targets = drawn(SAMPLES, 2), targets_of("regression", 2)
    result = scores("regression", logits, targets, output="sigmoid", reads_as="mean")
    probabilities = logits.double().sigmoid()
    assert result["binary_cross_entropy"] == pytest.approx(
        F.binary_cross_entropy(probabilities, targets.double()).item(), **CLOSE
    )
    assert result["mse"] == pytest.approx(F.mse_loss(probabilities, targets.double()).item(), **CLOSE)
    for output, shifted in [("none", targets), ("sigmoid", targets + 1), ("sigmoid", targets - 1)]:
        assert "binary_cross_entropy" not in scores("regression", logits, shifted, output=output, reads_as="mean")


@pytest.mark.parametrize(("task", "outputs"), [("binary", 1), ("multiclass", 4), ("multilabel", 3)])
def test_yardsticks_are_the_losses_at_their_plain_parameters(task, outputs):
    preactivations, targets = drawn(SAMPLES, outputs).double(), targets_of(task, outputs)
    result = scores(task, preactivations, targets, output="none", reads_as="probabilities")
    probabilities = predictions(preactivations, task=task, output="none", reads_as="probabilities")
    for loss in (mse, mae):
        assert result[loss.__name__] == pytest.approx(loss(probabilities, targets).mean().item(), **CLOSE)
    if task == "multiclass":
        assert result["cross_entropy"] == pytest.approx(cross_entropy(preactivations, targets).mean().item(), **CLOSE)
    else:
        plain = binary_cross_entropy(preactivations, targets).mean().item()
        assert result["binary_cross_entropy"] == pytest.approx(plain, **CLOSE)


def test_one_hot_rows_are_class_indices():
    logits, targets = drawn(SAMPLES, 4), targets_of("multiclass", 4)
    by_index = scores("multiclass", logits, targets, output="softmax", reads_as="probabilities")
    by_row = scores("multiclass", logits, F.one_hot(targets).float(), output="softmax", reads_as="probabilities")
    assert by_index == by_row


def test_log_softmax_outputs_mean_the_same_probabilities():
    logits, targets = drawn(SAMPLES, 4), targets_of("multiclass", 4)
    by_output = [
        scores("multiclass", logits, targets, output=output, reads_as="probabilities")
        for output in ("softmax", "log_softmax")
    ]
    assert by_output[0] == by_output[1]


@pytest.mark.parametrize(
    ("reads_as", "accuracy"),
    # Outputs -1, 0.3, 0.7 for no, yes, yes: a mean is yes above 1/2, a margin above 0.
    [("mean", 2 / 3), (None, 1.0)],
)
def test_threshold_of_raw_binary_outputs(reads_as, accuracy):
    outputs, targets = torch.tensor([[-1.0], [0.3], [0.7]]), torch.tensor([[0.0], [1.0], [1.0]])
    result = scores("binary", outputs, targets, output="none", reads_as=reads_as)
    assert result["accuracy"] == pytest.approx(accuracy, **CLOSE)


def test_confidently_wrong_is_exact_and_finite():
    # Logits (200, 0, 0) for class 1: probabilities round to (1, 0, 0) even in double precision. With e = exp(-200) the
    # cross-entropy is 200 + ln(1 + 2e) = 200; the cells cost -ln(1 - p) = 200 - ln 2 for the first, 200 for the second.
    result = scores(
        "multiclass", torch.tensor([[200.0, 0.0, 0.0]]), torch.tensor([1]), output="none", reads_as="probabilities"
    )
    assert result["cross_entropy"] == pytest.approx(200, rel=1e-12)
    assert result["binary_cross_entropy"] == pytest.approx((200 - log(2) + 200) / 3, rel=1e-12)


def test_confidently_right_is_exact():
    # Logits (40, 0): 1 - p = exp(-40) / (1 + exp(-40)), far below the last digit of p.
    result = scores(
        "multiclass", torch.tensor([[40.0, 0.0]]), torch.tensor([0]), output="softmax", reads_as="probabilities"
    )
    # A two-class softmax is a pair of sigmoids: both cells cost ln(1 + exp(-40)).
    tiny = log1p(2.718281828459045**-40)
    assert result["binary_cross_entropy"] == pytest.approx(tiny, rel=1e-9)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("bad", [float("nan"), inf])
def test_a_diverged_model_is_scored_without_an_error(task, bad):
    outputs = 1 if task == "binary" else 4
    preactivations = torch.full((SAMPLES, outputs), bad)
    result = scores(task, preactivations, targets_of(task, outputs), output="none", reads_as="probabilities")
    assert set(result) <= set(declared_names(task))


@pytest.mark.parametrize(
    ("task", "output", "reads_as", "expected"),
    [
        ("multiclass", "none", "probabilities", torch.softmax),
        ("multiclass", "sigmoid", "probabilities", lambda x, dim: torch.sigmoid(x)),
        ("binary", "none", "probabilities", lambda x, dim: torch.sigmoid(x)),
        ("multiclass", "none", "mean", lambda x, dim: x),
        ("multiclass", "none", None, lambda x, dim: x),
    ],
)
def test_predictions(task, output, reads_as, expected):
    preactivations = drawn(5, 3)
    torch.testing.assert_close(
        predictions(preactivations, task=task, output=output, reads_as=reads_as), expected(preactivations, 1)
    )


@pytest.mark.parametrize(
    ("task", "output"),
    # A softmax of one output is 1: the cross-entropy of a target 0 is infinite.
    [
        (task, output)
        for task, output in product(TASKS, ("none", "sigmoid", "softmax", "log_softmax"))
        if task != "binary" or "softmax" not in output
    ],
)
def test_logits_of_100_and_more_stay_finite(task, output):
    outputs = outputs_of(task)
    for size in (100.0, 1000.0):
        result = scores(
            task,
            size * drawn(SAMPLES, outputs).sign(),
            targets_of(task, outputs),
            output=output,
            reads_as="probabilities",
        )
        assert all(isfinite(value) for value in result.values())


def test_logits_of_100_are_exact():
    # Logits (100, -100, 0), class 1. p = (1, e^-200, e^-100) but for factors of 1 + e^-100: the class costs 200; the
    # other cells -ln(1 - p0) = -ln(e^-100) = 100 and -ln(1 - p2) = e^-100. Errors are 1, 1 and e^-100.
    logits = torch.tensor([[100.0, -100.0, 0.0]])
    result = scores("multiclass", logits, torch.tensor([1]), output="softmax", reads_as="probabilities")
    assert result == pytest.approx(
        {
            "mse": 2 / 3,
            "mae": 2 / 3,
            "binary_cross_entropy": 300 / 3,
            "cross_entropy": 200.0,
            "accuracy": 0.0,
            "macro_f1": 0.0,
        },
        rel=1e-14,
    )
    # Each a sigmoid: wrong, wrong, and 0 for a target of 0, which costs ln 2.
    result = scores("multilabel", logits, torch.tensor([[0.0, 1.0, 0.0]]), output="sigmoid", reads_as="probabilities")
    assert result["binary_cross_entropy"] == pytest.approx((200 + log(2)) / 3, rel=1e-14)
    assert result["mae"] == pytest.approx(2.5 / 3, rel=1e-14)


@pytest.mark.parametrize("wrong", [False, True])
def test_confident_softmax_to_the_last_digits(wrong):
    # Logits (40, 0): a two-class softmax is a pair of sigmoids, so both cells cost what the right class costs.
    targets = torch.tensor([int(wrong)])
    result = scores("multiclass", torch.tensor([[40.0, 0.0]]), targets, output="softmax", reads_as="probabilities")
    cost = log1p(2.718281828459045**-40) + (40 if wrong else 0)
    for name in ("cross_entropy", "binary_cross_entropy"):
        assert result[name] == pytest.approx(cost, rel=1e-14, abs=0)


@pytest.mark.parametrize(("labels", "cost"), [([0, 1], 0.0), ([0, 2], inf)])
def test_probabilities_of_exactly_0_and_1(labels, cost):
    # A model whose outputs are probabilities is led back to logits: log 0 is -inf.
    logits = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).log()
    result = scores("multiclass", logits, torch.tensor(labels), output="softmax", reads_as="probabilities")
    assert result["cross_entropy"] == result["binary_cross_entropy"] == cost
    assert result["mae"] == pytest.approx(0 if cost == 0 else 2 / 6)
    cells, truths = torch.tensor([[1.0], [0.0]]).logit(), torch.tensor([[1.0], [float(labels[1] == 2)]])
    assert scores("binary", cells, truths, output="sigmoid", reads_as="probabilities")["binary_cross_entropy"] == cost


def test_r2_of_a_constant_that_is_no_binary_fraction_is_not_a_number():
    # The mean of a hundred times 0.1 is not 0.1.
    for targets in (torch.full((100, 1), 0.1), torch.full((100, 1), 0.1, dtype=torch.float64)):
        assert isnan(scores("regression", drawn(100, 1), targets, output="none", reads_as="mean")["r2"])


def test_r2_far_from_zero():
    targets = 1e6 + drawn(SAMPLES, 1, seed=3).double()
    outputs = targets + drawn(SAMPLES, 1).double()
    result = scores("regression", outputs, targets, output="none", reads_as="mean")
    assert result["r2"] == pytest.approx(sk.r2_score(targets, outputs), **CLOSE)
