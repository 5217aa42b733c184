"""Every name in the catalogue that belongs to a framework acts as the framework's own, called with no options.

The tables are compared with the catalogue: a new spelling that is neither compared here nor listed as nobody's fails.
Keras 3 and PyTorch are run. TensorFlow 1 is no longer available; its formulas are written out from the documentation of
`tf.compat.v1`. Per-sample values are compared: how a batch is reduced is `test_keras_losses.py`'s.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import lossrun
from lossrun.catalog import COMPONENTS, find
from lossrun.components.initial_weights import initialise
from lossrun.components.metrics import compute_metrics, predictions, prepared_targets
from lossrun.components.optimizers import build_optimizer
from lossrun.components.schedules import Plateau, rate

pytestmark = [
    pytest.mark.keras,
    # Keras makes numpy arrays of torch's tensors in a way that numpy is about to give up.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

Reference = Callable[[Tensor, Tensor], Tensor]


class Case(NamedTuple):
    """What a spelling is compared with, `(outputs, targets) -> (N,)`, on outputs and targets of that kind."""

    reference: Reference
    kind: str


def in_keras(name: str, kind: str, **axis: int) -> Case:
    def reference(outputs: Tensor, targets: Tensor) -> Tensor:
        result: Tensor = getattr(keras.losses, name)(reduction=None, dtype="float64", **axis)(targets, outputs)
        return result

    return Case(reference, kind)


def in_torch(name: str, kind: str) -> Case:
    """One value for each sample: the mean over its outputs, where torch has one for each of them."""

    def reference(outputs: Tensor, targets: Tensor) -> Tensor:
        values: Tensor = getattr(nn, name)(reduction="none")(outputs, targets)
        return values if values.ndim == 1 else values.mean(dim=1)

    return Case(reference, kind)


def gaussian(outputs: Tensor, targets: Tensor) -> Tensor:
    means, log_variances = outputs.chunk(2, dim=1)
    return nn.GaussianNLLLoss(reduction="none")(means, targets, log_variances.exp()).mean(dim=1)


def of_logits(outputs: Tensor, targets: Tensor) -> Tensor:
    """tf.nn.sigmoid_cross_entropy_with_logits: max(x, 0) - x z + ln(1 + exp(-|x|))."""
    return (outputs.clamp(min=0) - outputs * targets + torch.log1p(torch.exp(-outputs.abs()))).mean(dim=1)


def log_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """tf.losses.log_loss, epsilon=1e-7; scikit-learn's log_loss is the same except for the epsilon."""
    return -(targets * (outputs + 1e-7).log() + (1 - targets) * (1 - outputs + 1e-7).log()).mean(dim=1)


def softmax_of_logits(outputs: Tensor, targets: Tensor) -> Tensor:
    """tf.nn.sparse_softmax_cross_entropy_with_logits: the logarithm of the sum of exponentials less the right logit."""
    return outputs.exp().sum(dim=1).log() - outputs.gather(1, targets.unsqueeze(1)).squeeze(1)


def cosine_distance(outputs: Tensor, targets: Tensor) -> Tensor:
    """tf.losses.cosine_distance: 1 - sum of labels times predictions, both assumed to be of length 1."""
    return 1 - (F.normalize(outputs, dim=1) * F.normalize(targets, dim=1)).sum(dim=1)


def old_hinge(outputs: Tensor, targets: Tensor) -> Tensor:
    """tf.losses.hinge_loss: labels 0 and 1 become -1 and 1; max(0, 1 - label logit)."""
    return F.relu(1 - (2 * targets - 1) * outputs).mean(dim=1)


def focal_of_logits(outputs: Tensor, targets: Tensor) -> Tensor:
    """torchvision.ops.sigmoid_focal_loss, alpha=0.25, gamma=2, written out."""
    p = outputs.sigmoid()
    right = p * targets + (1 - p) * (1 - targets)
    alpha = 0.25 * targets + 0.75 * (1 - targets)
    return (-alpha * (1 - right) ** 2 * right.log()).mean(dim=1)


def log_poisson(outputs: Tensor, targets: Tensor) -> Tensor:
    """tf.nn.log_poisson_loss, compute_full_loss=False: exp(log_input) - log_input targets."""
    return (outputs.exp() - outputs * targets).mean(dim=1)


def divergence(outputs: Tensor, targets: Tensor) -> Tensor:
    return F.kl_div(outputs, targets, reduction="none").sum(dim=1)


def squared(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean(dim=1)


def sizes(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).abs().mean(dim=1)


def squared_logarithms(outputs: Tensor, targets: Tensor) -> Tensor:
    """sklearn.metrics.mean_squared_log_error."""
    return (outputs.log1p() - targets.log1p()).square().mean(dim=1)


def each(case: Case, *spellings: str) -> dict[str, Case]:
    return dict.fromkeys(spellings, case)


def keras_class(name: str, kind: str, *functions: str, **axis: int) -> dict[str, Case]:
    """The class, and Keras' own functions of the same rule, with the prefix and without."""
    names = (name, *functions)
    return each(in_keras(name, kind, **axis), *names, *(f"keras.{spelling}" for spelling in names))


LOSSES: dict[str, Case] = {
    **keras_class("MeanSquaredError", "numbers", "mean_squared_error", "mse"),
    **keras_class("MeanAbsoluteError", "numbers", "mean_absolute_error", "mae"),
    **keras_class("MeanAbsolutePercentageError", "positive", "mean_absolute_percentage_error", "mape"),
    **keras_class("MeanSquaredLogarithmicError", "positive", "mean_squared_logarithmic_error", "msle"),
    **keras_class("Huber", "numbers", "huber"),
    **keras_class("LogCosh", "numbers", "log_cosh", "logcosh"),
    **keras_class("CosineSimilarity", "numbers", "cosine_similarity", "cosine", "cosine_proximity"),
    **keras_class("Poisson", "positive", "poisson"),
    **keras_class("Hinge", "binary", "hinge"),
    **keras_class("SquaredHinge", "binary", "squared_hinge"),
    **keras_class("CategoricalHinge", "one_hot", "categorical_hinge"),
    **keras_class("BinaryCrossentropy", "yes", "binary_crossentropy", "bce"),
    "keras.binary_cross_entropy": in_keras("BinaryCrossentropy", "yes"),
    **keras_class("BinaryFocalCrossentropy", "yes", "binary_focal_crossentropy"),
    **keras_class("CategoricalCrossentropy", "one_hot_shares", "categorical_crossentropy", "categorical_cross_entropy"),
    "keras.cross_entropy": in_keras("CategoricalCrossentropy", "one_hot_shares"),
    **keras_class(
        "SparseCategoricalCrossentropy",
        "shares",
        "sparse_categorical_crossentropy",
        "sparse_categorical_cross_entropy",
    ),
    **keras_class("CategoricalFocalCrossentropy", "one_hot_shares", "categorical_focal_crossentropy"),
    **keras_class("CategoricalGeneralizedCrossEntropy", "shares", "categorical_generalized_cross_entropy"),
    **keras_class("KLDivergence", "soft_shares", "kullback_leibler_divergence", "kld"),
    "keras.kl_divergence": in_keras("KLDivergence", "soft_shares"),
    # Each sample's own sums; the default, over the whole batch, is told in a remark.
    **keras_class("Dice", "some_yes", axis=-1),
    "keras.dice": in_keras("Dice", "some_yes", axis=-1),
    **keras_class("Tversky", "some_yes", axis=-1),
    "keras.tversky": in_keras("Tversky", "some_yes", axis=-1),
    "MSELoss": in_torch("MSELoss", "numbers"),
    "L1Loss": in_torch("L1Loss", "numbers"),
    **each(in_torch("HuberLoss", "numbers"), "HuberLoss", "huber_loss"),
    **each(in_torch("SmoothL1Loss", "numbers"), "SmoothL1Loss", "smooth_l1_loss"),
    "PoissonNLLLoss": Case(lambda o, t: nn.PoissonNLLLoss(reduction="none")(o, t).mean(dim=1), "positive"),
    "GaussianNLLLoss": Case(gaussian, "two_outputs"),
    **each(in_torch("BCELoss", "yes"), "BCELoss", "torch.binary_cross_entropy"),
    **each(
        in_torch("BCEWithLogitsLoss", "labels"),
        "BCEWithLogitsLoss",
        "bce_with_logits",
        "binary_cross_entropy_with_logits",
    ),
    **each(in_torch("SoftMarginLoss", "signs"), "SoftMarginLoss", "soft_margin_loss"),
    **each(in_torch("CrossEntropyLoss", "classes"), "CrossEntropyLoss", "torch.cross_entropy"),
    **each(in_torch("NLLLoss", "logarithms"), "NLLLoss", "nll_loss"),
    **each(Case(divergence, "soft_logarithms"), "KLDivLoss", "kl_div"),
    **each(in_torch("MultiMarginLoss", "classes"), "MultiMarginLoss", "multi_margin_loss"),
    "MultiLabelSoftMarginLoss": in_torch("MultiLabelSoftMarginLoss", "labels"),
    "sigmoid_focal_loss": Case(focal_of_logits, "labels"),
    "absolute_difference": Case(sizes, "numbers"),
    **each(Case(log_loss, "yes"), "tf.log_loss", "log_loss"),
    **each(Case(old_hinge, "labels"), "hinge_loss"),
    "squared_hinge_loss": Case(lambda o, t: F.relu(1 - (2 * t - 1) * o).square().mean(dim=1), "labels"),
    **each(
        Case(of_logits, "labels"),
        "sigmoid_cross_entropy",
        "sigmoid_cross_entropy_with_logits",
        "weighted_cross_entropy_with_logits",
    ),
    **each(
        Case(softmax_of_logits, "classes"),
        "softmax_cross_entropy",
        "sparse_softmax_cross_entropy",
        "softmax_cross_entropy_with_logits",
        "softmax_cross_entropy_with_logits_v2",
        "sparse_softmax_cross_entropy_with_logits",
    ),
    "log_poisson_loss": Case(log_poisson, "positive"),
    # Minus torch's: a similarity is not a loss, and a remark says so.
    "torch.cosine_similarity": Case(lambda o, t: -F.cosine_similarity(o, t), "numbers"),
    "nn.CosineSimilarity": Case(lambda o, t: -nn.CosineSimilarity()(o, t), "numbers"),
    "cosine_distance": Case(cosine_distance, "numbers"),
    # Half of the sum of squares: the half and the sum are its reduction.
    **each(Case(squared, "numbers"), "tf.l2_loss", "l2_loss"),
    "mean_squared_log_error": Case(squared_logarithms, "positive"),
    "squared_error": Case(squared, "numbers"),
    "absolute_error": Case(sizes, "numbers"),
}
# Words of no framework, or of several that disagree.
NOBODYS_LOSSES = {
    *("l2", "l1", "quadratic", "quadratic_cost", "LogCoshLoss", "cosine_loss", "log_poisson", "nll"),
    *("negative_log_likelihood", "pinball", "pinball_loss", "PinballLoss", "QuantileLoss", "tilted_loss"),
    *("binary_focal_loss", "BinaryFocalLoss", "focal_loss", "FocalLoss", "kl", "KLLoss", "gce", "GCELoss"),
    *("GeneralizedCrossEntropy", "sce", "SymmetricCrossEntropy", "SCELoss", "dice_loss", "DiceLoss", "soft_dice"),
    *("tversky_loss", "TverskyLoss"),
}


def drawn(kind: str) -> tuple[Tensor, Tensor]:
    """Nine samples of three outputs, in double precision."""
    draw = torch.Generator().manual_seed(3)
    outputs = torch.randn(9, 3, generator=draw, dtype=torch.float64)
    targets = torch.randn(9, 3, generator=draw, dtype=torch.float64)
    classes = targets.argmax(dim=1)
    yes = (targets > 0).double()
    match kind:
        case "numbers":
            return outputs, targets
        case "positive":
            return outputs.abs() + 0.1, targets.abs() + 0.1
        case "two_outputs":
            return torch.cat([outputs, outputs.flip(1)], dim=1), targets
        case "labels" | "binary":
            return outputs, yes
        case "yes":
            return outputs.sigmoid(), yes
        case "some_yes":
            return outputs.sigmoid(), yes.scatter(1, torch.zeros(9, 1, dtype=torch.long), 1.0)
        case "signs":
            return outputs, 2 * yes - 1
        case "classes":
            return outputs, classes
        case "logarithms":
            return outputs.log_softmax(dim=1), classes
        case "shares":
            return outputs.softmax(dim=1), classes
        case "one_hot":
            return outputs, F.one_hot(classes, 3).double()
        case "one_hot_shares":
            return outputs.softmax(dim=1), F.one_hot(classes, 3).double()
        case "soft_shares":
            return outputs.softmax(dim=1), targets.softmax(dim=1)
        case "soft_logarithms":
            return outputs.log_softmax(dim=1), targets.softmax(dim=1)
    raise AssertionError(kind)


def spellings(kind: str) -> set[str]:
    return {alias.spelling for component in COMPONENTS[kind] for alias in component.aliases}


def folded(names: Any) -> set[str]:
    return {name.replace("_", "").lower() for name in names}


def test_every_spelling_of_a_loss_is_compared_or_nobodys():
    assert folded(spellings("loss")) <= folded(LOSSES) | folded(NOBODYS_LOSSES)
    assert folded(LOSSES).isdisjoint(folded(NOBODYS_LOSSES))
    assert folded(NOBODYS_LOSSES) <= folded(spellings("loss"))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_from_python_is_its_frameworks_called_without_options(name):
    outputs, targets = drawn(LOSSES[name].kind)
    expected = LOSSES[name].reference(outputs, targets)
    torch.testing.assert_close(lossrun.loss(name)(outputs, targets), expected, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("name", ["Hinge", "SquaredHinge"])
@pytest.mark.parametrize("prefix", ["", "keras.", "tf.keras.losses."])
def test_keras_hinges_take_labels_of_both_kinds(name, prefix):
    outputs, targets = drawn("signs")
    expected = in_keras(name, "").reference(outputs, targets)
    assert (expected > 0).any()
    torch.testing.assert_close(lossrun.loss(prefix + name)(outputs, targets), expected)
    torch.testing.assert_close(lossrun.loss(prefix + name)(outputs, (targets + 1) / 2), expected)


@pytest.mark.parametrize("name", ["Hinge", "SquaredHinge"])
def test_keras_hinges_take_softened_labels_as_they_are(name):
    outputs, targets = drawn("labels")
    softened = 0.1 + 0.8 * targets
    expected = in_keras(name, "").reference(outputs, softened)
    torch.testing.assert_close(lossrun.loss(name)(outputs, softened), expected)


def test_labels_that_a_name_does_not_take_are_refused():
    outputs, targets = drawn("labels")
    with pytest.raises(ValueError, match="not all -1 or 1; for targets of 0 and 1 use BCEWithLogitsLoss"):
        lossrun.loss("SoftMarginLoss")(outputs, targets)


@pytest.mark.parametrize("name", ["keras.CategoricalCrossentropy", "bce", "Dice", "kld", "log_loss"])
def test_what_is_stated_beats_what_the_name_takes(name):
    # The same loss from logits: no softmax or sigmoid is left out.
    plain = find("loss", name)
    assert plain
    outputs, targets = drawn("one_hot")
    stated = lossrun.loss(name, from_logits=True)(outputs, targets)
    torch.testing.assert_close(stated, lossrun.loss(plain.component.name)(outputs, targets))


# --- optimizers: ten steps from the same weights with the same gradients

RATE, STEPS = 0.0625, 10
SHAPES = {"hidden": (6, 4), "hidden_bias": (6,), "output": (3, 6), "output_bias": (3,)}


class Rule(NamedTuple):
    """`steps(weight, gradients)`: where one weight is after them. `why`: the remark that says how it differs."""

    steps: Callable[[list[Tensor], list[list[Tensor]]], list[Tensor]]
    differs: bool = False


def torch_rule(name: str) -> Rule:
    def steps(weights: list[Tensor], gradients: list[list[Tensor]]) -> list[Tensor]:
        optimizer = getattr(torch.optim, name)(weights, lr=RATE)
        for each_step in gradients:
            for weight, gradient in zip(weights, each_step, strict=True):
                weight.grad = gradient.clone()
            optimizer.step()
        return weights

    return Rule(steps)


def keras_rule(name: str) -> Rule:
    def steps(weights: list[Tensor], gradients: list[list[Tensor]]) -> list[Tensor]:
        optimizer = getattr(keras.optimizers, name)(learning_rate=RATE)
        variables = [keras.Variable(weight.detach().numpy()) for weight in weights]
        for each_step in gradients:
            optimizer.apply([gradient.clone() for gradient in each_step], variables)
        return [variable.value.detach() for variable in variables]

    return Rule(steps)


def tf_rule(update: Callable[[Tensor, Tensor, dict[str, Any]], Tensor], *, differs: bool = False) -> Rule:
    """`update(weight, gradient, state)` of tf.compat.v1.train's documentation."""

    def steps(weights: list[Tensor], gradients: list[list[Tensor]]) -> list[Tensor]:
        moved = [weight.detach().double() for weight in weights]
        states: list[dict[str, Any]] = [{} for _ in weights]
        for each_step in gradients:
            moved = [update(w, g.double(), s) for w, g, s in zip(moved, each_step, states, strict=True)]
        return moved

    return Rule(steps, differs)


def tf_descent(weight: Tensor, gradient: Tensor, _state: dict[str, Any]) -> Tensor:
    return weight - RATE * gradient


def tf_momentum(weight: Tensor, gradient: Tensor, state: dict[str, Any]) -> Tensor:
    """accumulation = momentum accumulation + gradient; variable -= rate accumulation. Momentum has no default: 0.9."""
    state["a"] = 0.9 * state.get("a", 0.0) + gradient
    return weight - RATE * state["a"]


def tf_adam(weight: Tensor, gradient: Tensor, state: dict[str, Any]) -> Tensor:
    """lr_t = rate sqrt(1 - beta2^t) / (1 - beta1^t); variable -= lr_t m / (sqrt(v) + 1e-8)."""
    state["t"] = t = state.get("t", 0) + 1
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * gradient
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * gradient**2
    return weight - RATE * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * state["m"] / (state["v"].sqrt() + 1e-8)


def tf_adagrad(weight: Tensor, gradient: Tensor, state: dict[str, Any]) -> Tensor:
    """accum = 0.1 at first, += gradient^2; variable -= rate gradient / sqrt(accum)."""
    state["a"] = state.get("a", 0.1) + gradient**2
    return weight - RATE * gradient / state["a"].sqrt()


def tf_adadelta(weight: Tensor, gradient: Tensor, state: dict[str, Any]) -> Tensor:
    """rho 0.95, epsilon 1e-8: update = sqrt(accum_update + eps) / sqrt(accum + eps) gradient."""
    state["a"] = 0.95 * state.get("a", 0.0) + 0.05 * gradient**2
    step = ((state.get("u", torch.zeros(())) + 1e-8) / (state["a"] + 1e-8)).sqrt() * gradient
    state["u"] = 0.95 * state.get("u", 0.0) + 0.05 * step**2
    return weight - RATE * step


def tf_rmsprop(weight: Tensor, gradient: Tensor, state: dict[str, Any]) -> Tensor:
    """decay 0.9, epsilon 1e-10, the mean square starting at 1 (RMSPropOptimizer's "rms" slot)."""
    state["v"] = 0.9 * state.get("v", 1.0) + 0.1 * gradient**2
    return weight - RATE * gradient / (state["v"] + 1e-10).sqrt()


KERAS_OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Adafactor")
TORCH_OPTIMIZERS = {
    **{"sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "rmsprop": "RMSprop", "adagrad": "Adagrad"},
    **{"adadelta": "Adadelta", "adamax": "Adamax", "nadam": "NAdam", "radam": "RAdam", "asgd": "ASGD"},
    **{"rprop": "Rprop", "adafactor": "Adafactor"},
}
OPTIMIZERS: dict[str, Rule] = {
    **{name: torch_rule(theirs) for name, theirs in TORCH_OPTIMIZERS.items()},
    **{f"torch.optim.{theirs}": torch_rule(theirs) for theirs in TORCH_OPTIMIZERS.values()},
    **{f"keras.{name}": keras_rule(name) for name in KERAS_OPTIMIZERS},
    # PyTorch writes NAdam.
    "Nadam": keras_rule("Nadam"),
    "NAdam": torch_rule("NAdam"),
    **dict.fromkeys(("GradientDescentOptimizer", "gradient_descent"), tf_rule(tf_descent)),
    **dict.fromkeys(("MomentumOptimizer", "momentum"), tf_rule(tf_momentum)),
    **dict.fromkeys(("AdamOptimizer", "tf.AdamOptimizer"), tf_rule(tf_adam)),
    **dict.fromkeys(("AdagradOptimizer", "tf.AdagradOptimizer"), tf_rule(tf_adagrad)),
    **dict.fromkeys(("AdadeltaOptimizer", "tf.AdadeltaOptimizer"), tf_rule(tf_adadelta)),
    **dict.fromkeys(("RMSPropOptimizer", "tf.RMSPropOptimizer"), tf_rule(tf_rmsprop, differs=True)),
}
# Muon: torch's takes matrices alone, and Keras' computes in another precision; see test_keras_optimizers.py.
NOBODYS_OPTIMIZERS = {
    *("nesterov_adam", "rectified_adam", "averaged_sgd", "resilient_propagation", "resilient_backpropagation"),
    *("torch.Muon", "keras.Muon"),
}


def test_every_spelling_of_an_optimizer_is_compared_or_nobodys():
    assert folded(spellings("optimizer")) <= folded(OPTIMIZERS) | folded(NOBODYS_OPTIMIZERS)


def starting_weights() -> list[Tensor]:
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=draw).requires_grad_() for shape in SHAPES.values()]


def gradients() -> list[list[Tensor]]:
    """Of either sign and sizes around 1, where it does not matter to what epsilon is added."""
    draw = torch.Generator().manual_seed(1)

    def one(shape: tuple[int, ...]) -> Tensor:
        signs = torch.randint(0, 2, shape, generator=draw) * 2.0 - 1
        return signs * (0.3 + 1.7 * torch.rand(shape, generator=draw))

    return [[one(shape) for shape in SHAPES.values()] for _ in range(STEPS)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_takes_its_frameworks_steps(name):
    found, rule = find("optimizer", name), OPTIMIZERS[name]
    assert found
    parameters = {p.name: p.default for p in found.component.parameters} | found.implies
    ours = starting_weights()
    optimizer = build_optimizer(found.component.name, ours, RATE, **parameters)
    for each_step in gradients():
        for weight, gradient in zip(ours, each_step, strict=True):
            weight.grad = gradient.clone()
        optimizer.step()
    theirs = rule.steps(starting_weights(), gradients())
    close = [
        np.allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-5, atol=1e-5)
        for one, other in zip(ours, theirs, strict=True)
    ]
    # What cannot be the same says so wherever the name is used.
    assert all(close) != rule.differs
    assert not rule.differs or found.remark


# --- schedules: where a name of torch's or Keras' has defaults, or another rule

EPOCHS, STEPS_PER_EPOCH = 12, 5


def torch_rates(make: Callable[[Any], Any]) -> list[float]:
    """The rate at the beginning of each epoch, the scheduler called once an epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler, rates = make(optimizer), []
    for _ in range(EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


_LR = torch.optim.lr_scheduler
# Spelling -> (torch's, with what it cannot do without; the same in ours).
TORCH_SCHEDULES: dict[str, tuple[Callable[[Any], Any], dict[str, Any]]] = {
    "StepLR": (lambda o: _LR.StepLR(o, step_size=3), {"step_size": 3}),
    "MultiStepLR": (lambda o: _LR.MultiStepLR(o, milestones=[2, 7]), {"milestones": [2, 7]}),
    "ConstantLR": (_LR.ConstantLR, {}),
    "ExponentialLR": (lambda o: _LR.ExponentialLR(o, gamma=0.8), {"gamma": 0.8}),
    "LinearLR": (_LR.LinearLR, {}),
    "PolynomialLR": (_LR.PolynomialLR, {}),
    "CosineAnnealingLR": (lambda o: _LR.CosineAnnealingLR(o, T_max=EPOCHS), {}),
    "CosineAnnealingWarmRestarts": (lambda o: _LR.CosineAnnealingWarmRestarts(o, T_0=4), {"T_0": 4.0}),
}
# Compared in test_keras_optimizers.py with what Keras cannot do without.
KERAS_SCHEDULES = {
    *("PiecewiseConstantDecay", "piecewise_constant_decay", "ExponentialDecay", "exponential_decay"),
    *("InverseTimeDecay", "inverse_time_decay", "CosineDecay", "cosine_decay"),
    *("CosineDecayRestarts", "cosine_decay_restarts", "keras.ReduceLROnPlateau"),
}
# Another rule, or another meaning of the parameters: a remark says so.
REMARKED_SCHEDULES = {
    *("PolynomialDecay", "polynomial_decay", "CyclicLR", "CyclicalLearningRate", "OneCycleLR"),
    *("LinearLR", "PolynomialLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts"),
}
NOBODYS_SCHEDULES = {"none", "poly", "sgdr", "super_convergence", "ReduceLROnPlateau"}


def test_every_spelling_of_a_schedule_is_compared_remarked_or_nobodys():
    known = {*TORCH_SCHEDULES, *KERAS_SCHEDULES, *REMARKED_SCHEDULES, *NOBODYS_SCHEDULES}
    assert folded(spellings("schedule")) == folded(known)
    for name in REMARKED_SCHEDULES:
        found = find("schedule", name)
        assert found
        assert found.remark, name


@pytest.mark.parametrize("name", TORCH_SCHEDULES)
def test_a_schedule_of_torch_has_torchs_rates_at_the_beginning_of_each_epoch(name):
    make, given = TORCH_SCHEDULES[name]
    found = find("schedule", name)
    assert found
    parameters = {p.name: p.default for p in found.component.parameters} | found.implies
    for key, value in given.items():
        parameter = found.component.parameter(key)
        assert parameter
        parameters[parameter.name] = value
    position = {"steps_per_epoch": STEPS_PER_EPOCH, "epochs": EPOCHS, "learning_rate": RATE}
    ours = [rate(found.component.name, step=STEPS_PER_EPOCH * e, **position, **parameters) for e in range(EPOCHS)]
    assert ours == pytest.approx(torch_rates(make), rel=1e-9, abs=1e-15)


def test_reduce_on_plateau_is_torchs_at_its_defaults():
    found = find("schedule", "ReduceLROnPlateau")
    assert found
    defaults = {p.name: p.default for p in found.component.parameters} | found.implies
    ours = Plateau(
        **{key: defaults[key] for key in ("factor", "patience", "threshold", "cooldown", "min_rate")}, mode="min"
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    theirs, state = _LR.ReduceLROnPlateau(optimizer), ours.start()
    watched = [1.0] * 8 + [0.9999] * 8 + [0.5] * 14
    for value in watched:
        theirs.step(value)
        state = ours.after(state, value)
        assert ours.rate(state, RATE) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
    assert ours.rate(state, RATE) < RATE


# --- initializers: range and deviation of many draws

FAN_IN, FAN_OUT = 300, 200
INITIALIZERS: dict[str, Callable[[], Tensor]] = {
    **{
        f"{prefix}{name}": lambda name=name: getattr(keras.initializers, name)(seed=1)((FAN_IN, FAN_OUT))
        for name in ("GlorotNormal", "HeNormal", "GlorotUniform", "HeUniform", "RandomNormal", "TruncatedNormal")
        for prefix in ("", "keras.")
    },
    **{
        name: lambda name=name: getattr(nn.init, f"{name}_")(torch.empty(FAN_OUT, FAN_IN))
        for name in ("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal")
    },
    "torch.normal": lambda: nn.init.normal_(torch.empty(FAN_OUT, FAN_IN)),
    "nn.init.normal_": lambda: nn.init.normal_(torch.empty(FAN_OUT, FAN_IN)),
    **dict.fromkeys(
        ("torch.trunc_normal", "trunc_normal_"), lambda: nn.init.trunc_normal_(torch.empty(FAN_OUT, FAN_IN))
    ),
    # Of TensorFlow's two functions the documented defaults: deviation 1, and a truncated one cut at 2 deviations.
    **dict.fromkeys(("tf.normal", "tf.random_normal"), lambda: torch.randn(FAN_OUT, FAN_IN)),
    "tf.truncated_normal": lambda: nn.init.trunc_normal_(torch.empty(FAN_OUT, FAN_IN), a=-2.0, b=2.0),
}
# Other tools' words for ours, and ours.
NOBODYS_INITIALIZERS = {"default", "normal"}


def test_every_spelling_of_an_initializer_is_compared_or_nobodys():
    assert folded(spellings("initializer")) <= folded(INITIALIZERS) | folded(NOBODYS_INITIALIZERS)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_an_initializer_draws_its_frameworks_distribution(name):
    found = find("initializer", name)
    assert found
    init = {p.name: p.default for p in found.component.parameters} | found.implies | {"name": found.component.name}
    torch.manual_seed(0)
    layer, theirs = nn.Linear(FAN_IN, FAN_OUT), INITIALIZERS[name]()
    initialise(layer, init)
    # 60,000 draws: a deviation to 1 %; the greatest of a normal lies near 4.3 deviations, of a truncated one at 2.27.
    assert layer.weight.std().item() == pytest.approx(theirs.std().item(), rel=0.015)
    assert layer.weight.abs().max().item() == pytest.approx(theirs.abs().max().item(), rel=0.15)


# --- metrics: by sklearn and Keras, of the very predictions that ours judges


def of_keras(name: str, **options: Any) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda targets, predicted: float(getattr(keras.metrics, name)(**options)(targets, predicted))


def macro_f1(targets: np.ndarray, predicted: np.ndarray) -> float:
    return float(sklearn.metrics.f1_score(targets, predicted.argmax(axis=1), average="macro"))


def of_decisions(name: str) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """sklearn's function of labels, by task."""
    function = getattr(sklearn.metrics, name)
    return {
        "binary": lambda t, p: float(function(t[:, 0], p[:, 0] > 0.5)),
        "multiclass": lambda t, p: float(function(t, p.argmax(axis=1), average="macro")),
    }


def of_ranks(name: str) -> dict[str, Callable[[np.ndarray, np.ndarray], float]]:
    """sklearn's function of scores, by task."""
    function = getattr(sklearn.metrics, name)
    return {
        "binary": lambda t, p: float(function(t[:, 0], p[:, 0])),
        "multiclass": lambda t, p: float(function(np.eye(3)[t], p, average="macro")),
        "multilabel": lambda t, p: float(function(t, p, average="macro")),
    }


F1, PRECISION, RECALL = map(of_decisions, ("f1_score", "precision_score", "recall_score"))
AUC, AVERAGE_PRECISION = map(of_ranks, ("roc_auc_score", "average_precision_score"))


# Spelling -> (task, (targets, predictions) -> value).
METRICS: dict[str, tuple[Any, Callable[[np.ndarray, np.ndarray], float]]] = {
    "accuracy_score": ("multiclass", lambda t, p: float(sklearn.metrics.accuracy_score(t, p.argmax(axis=1)))),
    "binary_accuracy": ("binary", of_keras("BinaryAccuracy")),
    "categorical_accuracy": ("multiclass", lambda t, p: of_keras("CategoricalAccuracy")(np.eye(3)[t], p)),
    "sparse_categorical_accuracy": ("multiclass", of_keras("SparseCategoricalAccuracy")),
    "acc": ("multiclass", of_keras("SparseCategoricalAccuracy")),
    **dict.fromkeys(("f1_score", "F1Score", "f_measure", "f1_binary", "BinaryF1Score"), ("binary", F1["binary"])),
    **dict.fromkeys(("precision_score", "BinaryPrecision", "ppv"), ("binary", PRECISION["binary"])),
    **dict.fromkeys(("macro_precision", "MulticlassPrecision"), ("multiclass", PRECISION["multiclass"])),
    **dict.fromkeys(("recall_score", "BinaryRecall", "sensitivity", "tpr"), ("binary", RECALL["binary"])),
    **dict.fromkeys(("macro_recall", "MulticlassRecall"), ("multiclass", RECALL["multiclass"])),
    **dict.fromkeys(("roc_auc", "roc_auc_score", "auroc", "BinaryAUROC"), ("binary", AUC["binary"])),
    **dict.fromkeys(("macro_auc", "MulticlassAUROC"), ("multiclass", AUC["multiclass"])),
    "MultilabelAUROC": ("multilabel", AUC["multilabel"]),
    **dict.fromkeys(
        ("ap", "average_precision_score", "BinaryAveragePrecision", "pr_auc", "auprc"),
        ("binary", AVERAGE_PRECISION["binary"]),
    ),
    **dict.fromkeys(
        ("macro_average_precision", "MulticlassAveragePrecision"), ("multiclass", AVERAGE_PRECISION["multiclass"])
    ),
    "MultilabelAveragePrecision": ("multilabel", AVERAGE_PRECISION["multilabel"]),
    "f1_macro": ("multiclass", macro_f1),
    **dict.fromkeys(
        ("brier_score", "BrierScore", "brier_score_loss"),
        ("binary", lambda t, p: float(sklearn.metrics.brier_score_loss(t[:, 0], p[:, 0]))),
    ),
    "root_mean_squared_error": ("regression", of_keras("RootMeanSquaredError", dtype="float64")),
    **dict.fromkeys(("R2Score", "r_squared"), ("regression", lambda t, p: float(sklearn.metrics.r2_score(t, p)))),
}
# Of the calibration error there are formulas alone: test_calibration.py.
NOBODYS_METRICS = {"ece", "calibration_error", "BinaryCalibrationError", "MulticlassCalibrationError"}


def test_every_spelling_of_a_metric_is_compared_or_nobodys():
    assert folded(spellings("metric")) == folded(METRICS) | folded(NOBODYS_METRICS)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_its_frameworks(name):
    task, reference = METRICS[name]
    found = find("metric", name)
    assert found
    outputs, targets = drawn(
        {"binary": "labels", "multilabel": "labels", "multiclass": "classes", "regression": "numbers"}[task]
    )
    if task == "binary":
        outputs, targets = outputs[:, :1], targets[:, :1]
    prepared = prepared_targets(task, targets, outputs.shape[1])
    read_as = "mean" if task == "regression" else "probabilities"
    ours = compute_metrics(task, outputs, prepared, output="none", reads_as=read_as)[found.component.name].item()
    judged = predictions(outputs, task=task, output="none", reads_as=read_as)
    assert ours == pytest.approx(reference(targets.numpy(), judged.numpy()), rel=1e-6)


# --- layers

LAYERS = {
    "conv2d": {"kernel": 3},
    "AveragePooling2D": {},
    "AvgPool2d": {},
    "MaxPooling2D": {},
    "MaxPool2d": {},
}
NOBODYS_LAYERS = {"convolution", "linear", "fully_connected"}


def test_every_spelling_of_a_layer_is_compared_or_nobodys():
    assert folded(spellings("layer")) == folded(LAYERS) | folded(NOBODYS_LAYERS)


@pytest.mark.parametrize(
    ("name", "torchs", "kerass"),
    [
        ("conv2d", nn.Conv2d(1, 4, 3), "Conv2D"),
        ("AveragePooling2D", nn.AvgPool2d(2), "AveragePooling2D"),
        ("AvgPool2d", nn.AvgPool2d(2), "AveragePooling2D"),
        ("MaxPooling2D", nn.MaxPool2d(2), "MaxPooling2D"),
        ("MaxPool2d", nn.MaxPool2d(2), "MaxPooling2D"),
    ],
)
@pytest.mark.parametrize("side", [8, 9])
def test_a_layer_gives_images_of_its_frameworks_size(name, torchs, kerass, side):
    found = find("layer", name)
    model = find("model", "cnn")
    assert found
    assert model
    layer = {p.name: p.default for p in found.component.parameters} | found.implies | {"name": found.component.name}
    parameters = {p.name: p.default for p in model.component.parameters} | {"layers": [layer | LAYERS[name]]}
    (ours, *_) = model.component.layers(parameters, (1, side, side), 2)  # type: ignore[attr-defined]
    in_torch = torchs(torch.zeros(1, 1, side, side)).shape[-2:]
    arguments = (4, 3) if kerass == "Conv2D" else (2,)
    in_keras = getattr(keras.layers, kerass)(*arguments)(np.zeros((1, side, side, 1), np.float32)).shape[1:3]
    assert tuple(in_torch) == tuple(in_keras)
    # A remark says where a pool's last window is another.
    assert (ours.output_shape[1:] == tuple(in_torch)) or (found.remark and side % 2)
