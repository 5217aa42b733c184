"""Every loss of Keras 3, run on its torch backend, compared with ours.

Both get the same numbers, ordinary and extreme, in float32 and in float64, and must agree to 1e-6. Where Keras loses
digits (it takes logarithms of clipped probabilities), ours must be exact and Keras' value different.
"""

import inspect
import os
from math import exp, log, log1p
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import pytest
import torch
from torch import Tensor

from lossrun.catalog import find, why_not
from lossrun.catalog.declaration import Loss
from lossrun.components.losses.public import loss as loss_of
from lossrun.components.losses.reductions import Objective

pytestmark = [
    pytest.mark.keras,
    # Keras makes numpy arrays of torch's tensors in a way that numpy is about to give up.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

# Classes that are none of ours.
NONE_OF_OURS = {
    "Loss": "the class that others derive from",
    "Circle": "compares the samples of a batch with each other",
    "CTC": "aligns sequences",
}


class Same(NamedTuple):
    """A Keras class with its arguments, and what ours is told to be the same; `shape` says which outputs it takes."""

    keras_class: str
    arguments: dict[str, Any]
    ours: dict[str, Any]
    shape: str


def both_forms(keras_class: str, shape: str, *options: tuple[dict[str, Any], dict[str, Any]]) -> list[Same]:
    """With from_logits true and false, under each pair of options."""
    return [
        Same(keras_class, {**theirs, "from_logits": logits}, {**ours, "from_logits": logits}, shape)
        for theirs, ours in options
        for logits in (False, True)
    ]


SMOOTHED = ({"label_smoothing": 0.2}, {"label_smoothing": 0.2})
UNEVEN = {"alpha": 0.8, "beta": 0.1}
SAME = [
    *(
        Same(name, {}, {}, "numbers")
        for name in ("MeanSquaredError", "MeanAbsoluteError", "LogCosh", "CosineSimilarity", "Huber")
    ),
    Same("Huber", {"delta": 0.3}, {"delta": 0.3}, "numbers"),
    Same("MeanAbsolutePercentageError", {}, {}, "positive"),
    Same("MeanSquaredLogarithmicError", {}, {}, "positive"),
    Same("Poisson", {}, {}, "positive"),
    Same("Hinge", {}, {}, "binary"),
    Same("SquaredHinge", {}, {}, "binary"),
    *both_forms("BinaryCrossentropy", "binary", ({}, {}), SMOOTHED),
    *both_forms("BinaryCrossentropy", "multilabel", ({}, {}), SMOOTHED),
    *both_forms(
        "BinaryFocalCrossentropy",
        "multilabel",
        ({}, {}),
        SMOOTHED,
        ({"gamma": 0.5}, {"gamma": 0.5}),
        ({"gamma": 3.0, "apply_class_balancing": True}, {"gamma": 3.0, "apply_class_balancing": True}),
        ({"alpha": 0.9}, {"alpha": 0.9}),
        ({"apply_class_balancing": True, "alpha": 0.9}, {"apply_class_balancing": True, "alpha": 0.9}),
    ),
    *both_forms("CategoricalCrossentropy", "one_hot", ({}, {}), SMOOTHED),
    *both_forms("SparseCategoricalCrossentropy", "sparse", ({}, {}), ({"ignore_class": 1}, {"ignore_class": 1})),
    *both_forms(
        "CategoricalFocalCrossentropy",
        "one_hot",
        ({}, {}),
        SMOOTHED,
        ({"gamma": 0.5, "alpha": 1.0}, {"gamma": 0.5, "alpha": 1.0}),
    ),
    Same("CategoricalGeneralizedCrossEntropy", {}, {"from_logits": False}, "sparse"),
    Same("CategoricalGeneralizedCrossEntropy", {"q": 0.9}, {"q": 0.9, "from_logits": False}, "sparse"),
    Same("CategoricalHinge", {}, {}, "one_hot"),
    Same("KLDivergence", {}, {"from_logits": False}, "soft"),
    # Each sample's own sums; Keras' default is one sum over the whole batch.
    Same("Dice", {"axis": -1}, {"from_logits": False}, "multilabel"),
    Same("Tversky", {"axis": -1}, {"from_logits": False}, "multilabel"),
    Same("Tversky", {"axis": -1, **UNEVEN}, {"from_logits": False, **UNEVEN}, "multilabel"),
]
WEIGHTS = {"binary": [0.5, 3.0], "one_hot": [0.5, 3.0, 2.0], "sparse": [0.5, 3.0, 2.0], "soft": [0.5, 3.0, 2.0]}


def named(case: Same) -> str:
    return "-".join([case.keras_class, case.shape, *(f"{name}={value}" for name, value in case.arguments.items())])


def inputs_of(case: Same, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Nine samples, outputs in the form that the loss takes, and targets."""
    columns = 1 if case.shape == "binary" else 3
    draw = torch.Generator().manual_seed(0)
    outputs = 2 * torch.randn(9, columns, generator=draw, dtype=torch.float64)
    targets = torch.randn(9, columns, generator=draw, dtype=torch.float64)
    if case.shape == "positive":
        outputs, targets = outputs.abs() + 0.1, targets.abs() + 0.1
    elif case.shape in ("binary", "multilabel"):
        targets = (targets > 0).double()
        # One label at least: see the losses of nothing below.
        targets[:, 0] = torch.where(targets.sum(dim=1) == 0, 1.0, targets[:, 0]) if columns > 1 else targets[:, 0]
        outputs = outputs.sigmoid() if case.ours.get("from_logits") is False else outputs
    elif case.shape != "numbers":
        outputs = outputs.softmax(dim=1) if case.ours.get("from_logits") is False else outputs
        targets = targets.softmax(dim=1)
        if case.shape != "soft":
            indices = targets.argmax(dim=1)
            targets = indices if case.shape == "sparse" else torch.nn.functional.one_hot(indices, columns).double()
    return outputs.to(dtype), targets if targets.dtype == torch.int64 else targets.to(dtype)


def of_keras(case: Same, outputs: Tensor, targets: Tensor, **more: Any) -> Tensor:
    """Keras' value, of each sample unless `reduction` says otherwise, computed in the outputs' type."""
    weights = more.pop("sample_weight", None)
    made = getattr(keras.losses, case.keras_class)(
        **{"reduction": None, "dtype": str(outputs.dtype).removeprefix("torch."), **case.arguments, **more}
    )
    result: Tensor = made(targets, outputs, sample_weight=weights)
    return result


def of_ours(case: Same, outputs: Tensor, targets: Tensor) -> Tensor:
    return loss_of(f"keras.{case.keras_class}", **case.ours)(outputs, targets)


def declared_as(keras_class: str) -> Loss:
    found = find("loss", f"keras.{keras_class}")
    assert found is not None
    assert isinstance(found.component, Loss)
    return found.component


def test_every_class_is_checked_or_none_of_ours():
    classes = {name for name, item in vars(keras.losses).items() if inspect.isclass(item)}
    assert {case.keras_class for case in SAME} == classes - NONE_OF_OURS.keys()
    assert classes > NONE_OF_OURS.keys()


def test_every_argument_of_every_class_is_tried():
    # What is of every loss, and which axis the outputs lie along.
    ours_alike = {"self", "reduction", "name", "dtype", "axis"}
    for keras_class in {case.keras_class for case in SAME}:
        takes = set(inspect.signature(getattr(keras.losses, keras_class).__init__).parameters) - ours_alike
        assert takes == {name for case in SAME if case.keras_class == keras_class for name in case.arguments} - {"axis"}


# --- ordinary outputs


@pytest.mark.parametrize("case", SAME, ids=named)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_sample_costs_and_pulls_as_in_keras(case, dtype):
    outputs, targets = inputs_of(case, dtype)
    outputs.requires_grad_()
    ours, theirs = of_ours(case, outputs, targets), of_keras(case, outputs, targets)
    if "ignore_class" in case.arguments:
        assert 0 < (targets == 1).sum() < 9
    assert ours.dtype == theirs.dtype == dtype
    # In float32 Keras' 1 - x of an overlap near 1 has rounded at 1.
    rounding = 2e-7 if dtype == torch.float32 and case.keras_class in ("Dice", "Tversky") else 0
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=rounding)
    our_gradient, their_gradient = (torch.autograd.grad(losses.sum(), outputs)[0] for losses in (ours, theirs))
    torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-5 if dtype == torch.float32 else 1e-6, atol=1e-7)


@pytest.mark.parametrize("case", SAME, ids=named)
def test_a_batch_is_reduced_as_in_keras(case):
    outputs, targets = inputs_of(case, torch.float64)
    declared = declared_as(case.keras_class)
    summed_over = outputs.shape[1] if declared.averages_outputs else 1
    for reduction, theirs in (("mean", "sum_over_batch_size"), ("sum", "sum")):
        objective = Objective(
            loss_of(f"keras.{case.keras_class}", **case.ours),
            reduction=reduction,
            outputs_per_sample=summed_over,
            ignore_index=case.arguments.get("ignore_class"),
        )
        ours = objective.factor(9) * objective(outputs, targets)
        # Keras' sum is over samples only; ours over outputs as well.
        expected = of_keras(case, outputs, targets, reduction=theirs) * (summed_over if reduction == "sum" else 1)
        # Keras divides by the number of samples in float32, whatever the type of the loss.
        torch.testing.assert_close(ours, expected.double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("case", [case for case in SAME if case.shape in WEIGHTS], ids=named)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_class_weights_are_sample_weights_as_in_keras(case, dtype):
    """Its fit(class_weight=...) gives each sample the weight of its class, and divides by the number of samples."""
    outputs, targets = inputs_of(case, dtype)
    found, weights = find("loss", f"keras.{case.keras_class}"), torch.tensor(WEIGHTS[case.shape], dtype=dtype)
    assert found is not None
    assert found.implies["weight_convention"] == "keras"
    objective = Objective(
        loss_of(f"keras.{case.keras_class}", **case.ours),
        class_weights=WEIGHTS[case.shape],
        weights_of="outputs" if declared_as(case.keras_class).averages_outputs else "classes",
        weight_convention=found.implies["weight_convention"],
        ignore_index=case.arguments.get("ignore_class"),
    )
    match case.shape:
        case "binary":
            of_samples = weights[targets[:, 0].long()]
        case "sparse":
            of_samples = weights[targets]
        case _:
            of_samples = (targets * weights).sum(dim=1)
    ours = objective(outputs, targets)
    theirs = of_keras(case, outputs, targets, reduction="sum_over_batch_size", sample_weight=of_samples).to(dtype)
    if "label_smoothing" in case.arguments and case.keras_class in ("BinaryCrossentropy", "CategoricalCrossentropy"):
        # Our weights belong to the classes, the smoothed shares among them, as torch's; Keras' to the sample.
        assert not torch.allclose(ours, theirs, rtol=1e-3)
    else:
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)


# --- extreme outputs

# Where Keras takes logits to clipped probabilities; the true values are in the tests below.
CLIPS_LOGITS = ("BinaryFocalCrossentropy", "CategoricalFocalCrossentropy")
EXTREME_LOGITS = [
    case
    for case in SAME
    if (case.ours.get("from_logits") or case.keras_class.endswith("Hinge")) and case.keras_class not in CLIPS_LOGITS
]
CERTAIN = [case for case in SAME if case.ours.get("from_logits") is False and case.keras_class != "KLDivergence"]


@pytest.mark.parametrize("case", EXTREME_LOGITS, ids=named)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits_of_100_cost_what_they_cost_in_keras(case, dtype):
    outputs, targets = inputs_of(case, dtype)
    outputs = outputs.sign() * 100
    theirs = of_keras(case, outputs, targets)
    # Keras' mean over outputs passes through float32, where e^-100 = 3e-44 is a few steps of 1e-45.
    torch.testing.assert_close(of_ours(case, outputs, targets), theirs, rtol=1e-6, atol=1e-44)
    assert theirs.max() > 30


@pytest.mark.parametrize("case", CERTAIN, ids=named)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_of_0_and_1_cost_what_they_cost_in_keras(case, dtype):
    outputs, targets = inputs_of(case, dtype)
    if case.shape in ("binary", "multilabel"):
        outputs = outputs.round()
        # A guess at least, and one that is right.
        outputs[:, 0] = 1
    else:
        outputs = torch.nn.functional.one_hot(outputs.argmax(dim=1), 3).to(dtype)
    assert set(outputs.flatten().tolist()) == {0.0, 1.0} or case.shape == "binary"
    theirs = of_keras(case, outputs, targets)
    # The factor of Keras' binary focal loss may be 0, where ours is at least (1e-38)^gamma. Its other one clips to
    # 1 - 1.19e-7 in float64 as well: another power of gamma + 1 than that of 1e-7. Its overlaps have no 1e-7 above the
    # line.
    small = {
        "BinaryFocalCrossentropy": 1e-25,
        "CategoricalFocalCrossentropy": 1e-10,
        "Dice": 1e-7,
        "Tversky": 1e-6,
    }.get(case.keras_class, 0)
    torch.testing.assert_close(of_ours(case, outputs, targets), theirs, rtol=1e-6, atol=small)


# --- where Keras is not exact, and ours is


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("logit", [100.0, -100.0])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_binary_focal_of_large_logits_is_exact(dtype, logit, gamma):
    options = {"gamma": gamma, "from_logits": True}
    case = Same("BinaryFocalCrossentropy", options, options, "")
    outputs = torch.tensor([[logit]], dtype=dtype)
    wrong = torch.tensor([[0.0 if logit > 0 else 1.0]], dtype=dtype)
    # Wrong by 100: (1 - e^-100)^gamma ln(1 + e^100) = 100 to 43 digits. Keras' -ln 1e-7 = 16.12 does not grow further.
    assert of_ours(case, outputs, wrong).item() == pytest.approx(100, rel=1e-6)
    # 1 - 1e-7 is 1 - 1.19e-7 in float32, hence the tolerance.
    assert of_keras(case, outputs, wrong).item() == pytest.approx(-log(1e-7), rel=2e-2)
    # Right by 100: e^(-100 (gamma + 1)). Keras: the clip's 1e-7 times a factor that is 0 or e^(-100 gamma).
    exact = exp(-100 * (gamma + 1))
    assert of_ours(case, outputs, 1 - wrong).item() == pytest.approx(exact, rel=1e-5, abs=1e-37)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_of_large_logits_is_exact(dtype, gamma):
    options = {"gamma": gamma, "alpha": 0.25, "from_logits": True}
    case = Same("CategoricalFocalCrossentropy", options, options, "")
    outputs, wrong = torch.tensor([[-100.0, 100.0]], dtype=dtype), torch.tensor([[1.0, 0.0]], dtype=dtype)
    # p = e^-200: 0.25 (1 - p)^gamma 200 = 50; Keras: 0.25 (-ln 1e-7) = 4.03.
    assert of_ours(case, outputs, wrong).item() == pytest.approx(50, rel=1e-6)
    assert of_keras(case, outputs, wrong).item() == pytest.approx(-log(1e-7) / 4, rel=1e-6)
    assert of_ours(case, outputs, 1 - wrong).item() == pytest.approx(0, abs=1e-37)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_divergence_of_targets_with_zeros_is_exact(dtype):
    case = Same("KLDivergence", {}, {"from_logits": False}, "")
    outputs, targets = torch.tensor([[0.25, 0.25, 0.5]], dtype=dtype), torch.tensor([[0.5, 0.5, 0.0]], dtype=dtype)
    assert of_ours(case, outputs, targets).item() == pytest.approx(log(2), rel=2e-7)
    # Keras' target of 1e-7 in place of 0 adds 1e-7 ln(1e-7 / 0.5) = -1.54e-6.
    theirs = of_keras(case, outputs, targets).item()
    assert theirs == pytest.approx(log(2) + 1e-7 * log(1e-7 / 0.5), abs=2e-7)
    assert abs(theirs - log(2)) > 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_divergence_of_certain_probabilities_is_keras(dtype):
    """Clipped to [1e-7, 1]: t = (1/4, 1/4, 1/2) from (0, 0, 1)."""
    case = Same("KLDivergence", {}, {"from_logits": False}, "")
    outputs, targets = torch.tensor([[0.0, 0.0, 1.0]], dtype=dtype), torch.tensor([[0.25, 0.25, 0.5]], dtype=dtype)
    torch.testing.assert_close(of_ours(case, outputs, targets), of_keras(case, outputs, targets), rtol=1e-6, atol=0)
    assert of_ours(case, outputs, targets).item() == pytest.approx(0.5 * log(0.25 / 1e-7) + 0.5 * log(0.5), rel=1e-6)


def test_log_cosh_of_small_errors_is_exact():
    case = Same("LogCosh", {}, {}, "")
    outputs, targets = torch.tensor([[1e-4]]), torch.zeros(1, 1)
    assert of_ours(case, outputs, targets).item() == pytest.approx(0.5e-8, rel=1e-6, abs=0)
    # Keras subtracts ln 2 from ln 2, in steps of 6e-8.
    assert of_keras(case, outputs, targets).item() != pytest.approx(0.5e-8, rel=0.5, abs=0)


def test_logarithm_of_small_numbers_is_exact():
    case = Same("MeanSquaredLogarithmicError", {}, {}, "")
    outputs, targets = torch.tensor([[1.5e-6]]), torch.zeros(1, 1)
    # A target of 0 counts as 1e-7.
    exact = (log1p(1.5e-6) - log1p(1e-7)) ** 2
    assert of_ours(case, outputs, targets).item() == pytest.approx(exact, rel=1e-6, abs=0)
    # Keras adds 1 first, and 1.5e-6 becomes a multiple of 1.2e-7.
    assert of_keras(case, outputs, targets).item() != pytest.approx(exact, rel=0.01, abs=0)


@pytest.mark.parametrize("keras_class", ["Dice", "Tversky"])
def test_overlap_of_nothing_with_nothing_is_right_here_and_wrong_in_keras(keras_class):
    case = Same(keras_class, {"axis": -1}, {"from_logits": False}, "")
    nothing = torch.zeros(1, 3)
    assert of_ours(case, nothing, nothing).item() == 0
    assert of_keras(case, nothing, nothing).item() == 1


@pytest.mark.parametrize("keras_class", ["Dice", "Tversky"])
def test_overlap_of_the_whole_batch_is_that_of_one_long_sample(keras_class):
    """Keras' default, axis None."""
    case = Same(keras_class, {}, {"from_logits": False}, "multilabel")
    outputs, targets = inputs_of(case, torch.float64)
    whole = of_ours(case, outputs.reshape(1, -1), targets.reshape(1, -1))[0]
    torch.testing.assert_close(whole, of_keras(case, outputs, targets), rtol=1e-6, atol=0)
    assert not torch.isclose(whole, of_ours(case, outputs, targets).mean(), rtol=1e-3)


# --- names

NAMES = {
    "mse": ("MeanSquaredError", "mean_squared_error", "mse", "MSE"),
    "mae": ("MeanAbsoluteError", "mean_absolute_error", "mae", "MAE"),
    "mape": ("MeanAbsolutePercentageError", "mean_absolute_percentage_error", "mape", "MAPE"),
    "msle": ("MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", "msle", "MSLE"),
    "huber": ("Huber", "huber"),
    "log_cosh": ("LogCosh", "log_cosh", "logcosh"),
    "cosine_similarity": ("CosineSimilarity", "cosine_similarity", "cosine", "cosine_proximity"),
    "poisson_nll": ("Poisson", "poisson"),
    "binary_cross_entropy": ("BinaryCrossentropy", "binary_crossentropy", "bce", "BCE"),
    "binary_focal": ("BinaryFocalCrossentropy", "binary_focal_crossentropy"),
    "hinge": ("Hinge", "hinge"),
    "squared_hinge": ("SquaredHinge", "squared_hinge"),
    "categorical_hinge": ("CategoricalHinge", "categorical_hinge"),
    "cross_entropy": (
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
    ),
    "focal": ("CategoricalFocalCrossentropy", "categorical_focal_crossentropy"),
    "generalized_cross_entropy": ("CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy"),
    "kl_divergence": ("KLDivergence", "kl_divergence", "kullback_leibler_divergence", "kld", "KLD"),
    "dice": ("Dice", "dice"),
    "tversky": ("Tversky", "tversky"),
    "": ("Circle", "circle", "CTC", "ctc"),
}
NO_NAMES = {"Loss", "LossFunctionWrapper", "serialize", "deserialize", "get"}
# Of what Keras' losses do at their defaults, where ours do another thing.
IMPLIED = {
    "binary_focal": {"alpha": 0.25, "apply_class_balancing": False},
    "poisson_nll": {"log_input": False, "eps": 1e-7},
    "focal": {"alpha": 0.25},
    "generalized_cross_entropy": {"q": 0.5},
}


def test_every_name_of_keras_is_in_the_table():
    from keras.src.losses import ALL_OBJECTS_DICT

    public = {name for name, item in vars(keras.losses).items() if callable(item)}
    known = {name for names in NAMES.values() for name in names}
    assert (public | ALL_OBJECTS_DICT.keys()) - NO_NAMES <= known


@pytest.mark.parametrize(("ours", "name"), [(ours, name) for ours, names in NAMES.items() for name in names])
def test_every_name_of_keras_is_answered(ours, name):
    for spelling in (name, f"keras.{name}", f"keras.losses.{name}", f"tf.keras.losses.{name}"):
        found = find("loss", spelling)
        if not ours:
            assert found is None
            assert why_not("loss", spelling)
            continue
        assert found is not None
        assert found.component.name == ours
        assert found.implies.items() >= IMPLIED.get(ours, {}).items()
        if spelling != name:
            weighted = found.component.parameter("weight_convention") is not None
            assert found.implies == {**IMPLIED.get(ours, {}), **({"weight_convention": "keras"} if weighted else {})}
