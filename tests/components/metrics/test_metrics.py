"""The metrics: which a run has, against the losses themselves, against scikit-learn, and at the edge of floating
point. Those of regression: `test_metrics_of_numbers.py`."""

from itertools import product
from math import exp, expm1, inf, isfinite, isnan, log, log1p, nan
from typing import Any

import pytest
import sklearn.metrics as sk
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lossrun.catalog.declaration import CLASS_TASKS, TASKS
from lossrun.catalog.losses import LOSSES
from lossrun.catalog.metrics import METRICS
from lossrun.components.lookup import loss_function
from lossrun.components.metrics import compute_metrics, predictions, prepared_targets

SAMPLES = 60
CLOSE = {"rel": 1e-9}


def measured(
    task: str, preactivations: Tensor, targets: Any, *, target_mean: Any = 0.0, target_std: Any = 1.0, **parameters: Any
) -> dict[str, Tensor]:
    """The metrics of one model or many, targets as a dataset gives them."""
    prepared = prepared_targets(task, targets, preactivations.shape[-1], target_mean=target_mean, target_std=target_std)
    return compute_metrics(task, preactivations, prepared, **parameters)


def scores(task: str, preactivations: Tensor, targets: Any, **parameters: Any) -> dict[str, float]:
    """The metrics of one model, as floats."""
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
    losses = [loss.name for loss in LOSSES if task in loss.tasks and loss.metric]
    return [*losses, *(metric.name for metric in METRICS if task in metric.tasks)]


def chosen(result: dict[str, float], *names: str) -> dict[str, float]:
    return {name: result[name] for name in names}


ERRORS = ("mse", "mae")
LIKELIHOODS = ("binary_cross_entropy", "cross_entropy", "focal")
ROBUST = ("generalized_cross_entropy", "symmetric_cross_entropy")
MARGINS = ("multi_margin", "categorical_hinge")
BINARY_MARGINS = ("hinge", "squared_hinge")
BINARY_LIKELIHOODS = ("binary_cross_entropy", "binary_focal")
CALIBRATION = ("brier", "expected_calibration_error")


@pytest.mark.parametrize(
    ("task", "output", "reads_as", "losses"),
    [
        ("binary", "none", "probabilities", (*ERRORS, *BINARY_LIKELIHOODS, *BINARY_MARGINS)),
        ("binary", "sigmoid", "mean", (*ERRORS, *BINARY_LIKELIHOODS, *BINARY_MARGINS)),
        # Outputs drawn towards 0 and 1 do not decide at 0, and margins are not compared with 0 and 1.
        ("binary", "none", "mean", ERRORS),
        ("binary", "none", None, BINARY_MARGINS),
        ("multiclass", "none", "probabilities", (*ERRORS, *LIKELIHOODS, *MARGINS, *ROBUST)),
        ("multiclass", "softmax", "mean", (*ERRORS, *LIKELIHOODS, *MARGINS, *ROBUST)),
        ("multiclass", "sigmoid", "probabilities", (*ERRORS, *LIKELIHOODS, *MARGINS, *ROBUST)),
        ("multiclass", "none", "mean", ERRORS),
        ("multiclass", "none", None, MARGINS),
        ("multilabel", "none", "probabilities", (*ERRORS, *BINARY_LIKELIHOODS, "dice")),
        ("multilabel", "sigmoid", "mean", (*ERRORS, *BINARY_LIKELIHOODS, "dice")),
        ("multilabel", "none", "mean", ERRORS),
    ],
)
def test_what_a_run_of_classes_is_scored_by(task, output, reads_as, losses):
    outputs = outputs_of(task)
    result = scores(task, drawn(SAMPLES, outputs), targets_of(task, outputs), output=output, reads_as=reads_as)
    f1 = "f1" if task == "binary" else "macro_f1"
    metrics = ("accuracy", f1, "precision", "recall", "auc", "average_precision")
    of_probabilities = CALIBRATION if "binary_cross_entropy" in losses else ()
    assert list(result) == [*losses, *metrics, *of_probabilities]


@pytest.mark.parametrize("task", CLASS_TASKS)
def test_with_probabilities_all_that_is_declared_for_the_task_in_the_order_of_the_catalogue(task):
    outputs = outputs_of(task)
    result = scores(task, drawn(SAMPLES, outputs), targets_of(task, outputs), output="none", reads_as="probabilities")
    assert list(result) == declared_names(task)


def test_multiclass_is_scikit_learns():
    logits, targets = drawn(SAMPLES, 5), targets_of("multiclass", 5)
    result = scores("multiclass", logits, targets, output="softmax", reads_as="probabilities")
    probabilities = logits.double().softmax(dim=1).numpy()
    one_hot = F.one_hot(targets).double().numpy()
    guesses = probabilities.argmax(axis=1)
    assert chosen(result, *ERRORS, "binary_cross_entropy", "cross_entropy", "accuracy", "macro_f1") == {
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
    # Each output on its own, but a cross-entropy needs probabilities that sum to 1.
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
    assert chosen(result, *ERRORS, "binary_cross_entropy", "hinge", "accuracy") == {
        "mse": pytest.approx(sk.brier_score_loss(truths, probabilities), **CLOSE),
        "mae": pytest.approx(sk.mean_absolute_error(truths, probabilities), **CLOSE),
        "binary_cross_entropy": pytest.approx(sk.log_loss(truths, probabilities), **CLOSE),
        "hinge": pytest.approx(sk.hinge_loss(truths, logits.numpy().ravel()), **CLOSE),
        "accuracy": pytest.approx(sk.accuracy_score(truths, probabilities > 0.5), **CLOSE),
    }


def test_multilabel_is_scikit_learns():
    logits, targets = drawn(SAMPLES, 3), targets_of("multilabel", 3)
    # A label that is never true and never guessed: scikit-learn counts it as 0.
    logits[:, 2], targets[:, 2] = -1.0, 0.0
    result = scores("multilabel", logits, targets, output="none", reads_as="probabilities")
    probabilities, truths = logits.double().sigmoid().numpy(), targets.int().numpy()
    guesses = (probabilities > 0.5).astype(int)
    assert chosen(result, *ERRORS, "binary_cross_entropy", "accuracy", "macro_f1") == {
        "mse": pytest.approx(sk.mean_squared_error(truths, probabilities), **CLOSE),
        "mae": pytest.approx(sk.mean_absolute_error(truths, probabilities), **CLOSE),
        "binary_cross_entropy": pytest.approx(sk.log_loss(truths.ravel(), probabilities.ravel()), **CLOSE),
        "accuracy": pytest.approx(sk.accuracy_score(truths.ravel(), guesses.ravel()), **CLOSE),
        "macro_f1": pytest.approx(sk.f1_score(truths, guesses, average="macro", zero_division=0), **CLOSE),
    }


@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12),
)
@settings(max_examples=60)
def test_macro_f1_where_classes_are_missing(pairs):
    labels, guesses = (list(column) for column in zip(*pairs, strict=True))
    result = scores(
        "multiclass", F.one_hot(torch.tensor(guesses), 5), torch.tensor(labels), output="none", reads_as="mean"
    )
    assert result["macro_f1"] == pytest.approx(sk.f1_score(labels, guesses, average="macro", zero_division=0), **CLOSE)


@pytest.mark.parametrize("output", ["none", "softmax", "sigmoid"])
@pytest.mark.parametrize(
    ("task", "name"),
    [(task, loss.name) for task in CLASS_TASKS for loss in LOSSES if task in loss.tasks and loss.metric],
)
def test_a_metric_is_the_loss_at_its_plain_parameters(task, name, output):
    if task != "multiclass" and output == "softmax":
        output = "none"
    outputs = outputs_of(task)
    logits, targets = drawn(SAMPLES, outputs).double(), targets_of(task, outputs)
    value = scores(task, logits, targets, output=output, reads_as="probabilities")[name]
    probabilities = predictions(logits, task=task, output=output, reads_as="probabilities")
    function = loss_function(name)
    if name in ERRORS:
        losses = function(probabilities, targets)
    elif name in (*MARGINS, *BINARY_MARGINS):
        losses = function(logits, targets)
    elif task == "multiclass":
        # Neither are a softmax's probabilities sigmoids, nor the reverse; what is to sum to 1 is made to.
        if name != "binary_cross_entropy":
            probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
        losses = function(probabilities, targets, inputs="probabilities")
    else:
        losses = function(logits, targets, inputs="logits")
    assert value == pytest.approx(losses.mean().item(), rel=1e-12)


def test_margins_are_scikit_learns_and_torchs():
    # Above 0 everywhere: there the strongest rival of categorical_hinge is no more than that.
    margins, targets = drawn(SAMPLES, 4).double().abs() * 3, targets_of("multiclass", 4)
    result = scores("multiclass", margins, targets, output="none", reads_as=None)
    assert result["categorical_hinge"] == pytest.approx(sk.hinge_loss(targets, margins, labels=range(4)), rel=1e-12)
    assert result["multi_margin"] == pytest.approx(F.multi_margin_loss(margins, targets).item(), rel=1e-12)
    # The logits of a softmax are such margins, too.
    again = scores("multiclass", margins, targets, output="softmax", reads_as="probabilities")
    assert chosen(again, *MARGINS) == pytest.approx(chosen(result, *MARGINS), rel=1e-12)


def test_dice_of_decided_labels_is_one_less_f1():
    # Logits of 100 are probabilities of 0 and 1; of each sample dice is then F1, and eps 1e-7 against at least 1.
    generator = torch.Generator().manual_seed(2)
    guesses, truths = (torch.randint(2, (SAMPLES, 6), generator=generator).float() for _ in range(2))
    result = scores("multilabel", 200 * guesses - 100, truths, output="sigmoid", reads_as="probabilities")
    expected = 1 - sk.f1_score(truths, guesses, average="samples", zero_division=1.0)
    assert result["dice"] == pytest.approx(expected, abs=1e-7)
    # No label and no guess: nothing is missed.
    nothing = scores(
        "multilabel", torch.full((3, 2), -100.0), torch.zeros(3, 2), output="sigmoid", reads_as="probabilities"
    )
    # Two errors e^-100 against an eps of 1e-7.
    assert nothing["dice"] == pytest.approx(2 * exp(-100) / 1e-7, rel=1e-12)


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
    tiny = log1p(exp(-40))
    wrong = exp(-40) / (1 + exp(-40))
    assert result == pytest.approx(
        {
            "mse": wrong**2,
            "mae": wrong,
            "binary_cross_entropy": tiny,
            "cross_entropy": tiny,
            "focal": wrong**2 * tiny,
            "multi_margin": 0.0,
            "categorical_hinge": 0.0,
            "generalized_cross_entropy": -expm1(-0.7 * tiny) / 0.7,
            "symmetric_cross_entropy": 0.1 * tiny + 4 * wrong,
            "accuracy": 1.0,
            "macro_f1": 1.0,
            "precision": 1.0,
            "recall": 1.0,
            "auc": nan,
            "average_precision": 1.0,
            "brier": 2 * wrong**2,
            # Here p itself is 1, to the last digit.
            "expected_calibration_error": 0.0,
        },
        rel=1e-13,
        abs=0,
        nan_ok=True,
    )


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("bad", [float("nan"), inf])
@pytest.mark.parametrize("reads_as", ["probabilities", "mean", None])
def test_a_diverged_model_has_no_score_that_looks_like_one(task, bad, reads_as):
    outputs = outputs_of(task)
    whole, sound = torch.full((SAMPLES, outputs), bad), drawn(SAMPLES, outputs)
    single = sound.clone()
    single[SAMPLES // 2, -1] = bad
    many = torch.stack([whole, sound, single])
    values = measured(task, many, targets_of(task, outputs), output="none", reads_as=reads_as)
    assert values
    assert set(values) <= set(declared_names(task))
    alone = scores(task, sound, targets_of(task, outputs), output="none", reads_as=reads_as)
    for name, (of_whole, of_sound, of_single) in ((name, value.tolist()) for name, value in values.items()):
        if isnan(bad):  # infinity may be a probability of 1, or far from the target
            assert isnan(of_whole), name
            assert isnan(of_single), name
        assert of_sound == pytest.approx(alone[name], rel=1e-12), name


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
def test_predictions_are_what_the_metrics_score(task, output, reads_as, expected):
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
    # Logits (100, -100, 0), class 1. p = (1, e^-200, e^-100) except for factors of 1 + e^-100: the class costs 200; the
    # other cells -ln(1 - p0) = -ln(e^-100) = 100 and -ln(1 - p2) = e^-100. Errors are 1, 1 and e^-100. The right class
    # trails by 200 and by 100: (201 + 101) / 3.
    logits = torch.tensor([[100.0, -100.0, 0.0]])
    result = scores("multiclass", logits, torch.tensor([1]), output="softmax", reads_as="probabilities")
    assert result == pytest.approx(
        {
            "mse": 2 / 3,
            "mae": 2 / 3,
            "binary_cross_entropy": 300 / 3,
            "cross_entropy": 200.0,
            "focal": 200.0,
            "multi_margin": 302 / 3,
            "categorical_hinge": 201.0,
            "generalized_cross_entropy": 1 / 0.7,
            "symmetric_cross_entropy": 0.1 * 200 + 4,
            "accuracy": 0.0,
            "macro_f1": 0.0,
            "precision": 0.0,
            "recall": 0.0,
            # Of one sample there are no pairs; it ranks first and last of its class.
            "auc": nan,
            "average_precision": 1.0,
            "brier": 2.0,
            "expected_calibration_error": 1.0,
        },
        rel=1e-14,
        nan_ok=True,
    )
    # Each a sigmoid: wrong, wrong, and 0 for a target of 0, which costs ln 2.
    result = scores("multilabel", logits, torch.tensor([[0.0, 1.0, 0.0]]), output="sigmoid", reads_as="probabilities")
    assert result["binary_cross_entropy"] == pytest.approx((200 + log(2)) / 3, rel=1e-14)
    assert result["mae"] == pytest.approx(2.5 / 3, rel=1e-14)
    # Focal: 1^2 * 100 twice and (1/2)^2 ln 2; dice: 2.5 missing of one label and 1 + 0 + 1/2 guessed.
    assert result["binary_focal"] == pytest.approx((200 + log(2) / 4) / 3, rel=1e-14)
    assert result["dice"] == pytest.approx(2.5 / (2.5 + 1e-7), rel=1e-14)


def test_binary_logits_of_100_are_exact():
    # One right and one wrong: costs e^-100 and 100, margins 100 and -100, errors e^-100 and 1.
    logits, targets = torch.tensor([[100.0], [-100.0]]), torch.tensor([[1.0], [1.0]])
    result = scores("binary", logits, targets, output="none", reads_as="probabilities")
    assert result == pytest.approx(
        {
            "mse": 1 / 2,
            "mae": 1 / 2,
            "binary_cross_entropy": 100 / 2,
            "binary_focal": 100 / 2,
            "hinge": 101 / 2,
            "squared_hinge": 101**2 / 2,
            "accuracy": 1 / 2,
            # One of two found, and no false alarm.
            "f1": 2 / 3,
            "precision": 1.0,
            "recall": 1 / 2,
            "auc": nan,
            "average_precision": 1.0,
            "brier": 1 / 2,
            # p = 1 is right and p = 0 is wrong, each in a bin of its own.
            "expected_calibration_error": 1 / 2,
        },
        rel=1e-14,
        nan_ok=True,
    )
    right = scores("binary", logits[:1], targets[:1], output="none", reads_as="probabilities")
    assert chosen(right, "binary_cross_entropy", "binary_focal", "hinge") == pytest.approx(
        {"binary_cross_entropy": exp(-100), "binary_focal": exp(-300), "hinge": 0.0}, rel=1e-13, abs=0
    )


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
