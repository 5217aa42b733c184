"""Thirty-five faults of our own, each with a healthy twin.

They cover the lists of UMLAUT (Schoop, Huang and Hartmann 2021), NeuraLint (Nikanjam, Ben Braiek, Morovati and Khomh
2021) and AUTOTRAINER (Zhang, Zhai, Ma and Shen 2021): data that are not scaled, wrong last layers and losses, missing
activations, weights that begin badly, learning rates and lengths, layers in trouble, and what happens after learning.
Data are drawn once and small, so that each case trains in about a second.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

RANDOM = np.random.default_rng(7)


def _table(samples: int, widths: list[float], means: list[float] | None = None) -> np.ndarray:
    return RANDOM.normal(means or [0.0] * len(widths), widths, (samples, len(widths))).round(4)


def _inline(inputs: np.ndarray, targets: np.ndarray, task: str, **more: Any) -> dict[str, Any]:
    return {"name": "inline", "inputs": inputs.tolist(), "targets": targets.tolist(), "task": task, **more}


def _split(scaled: np.ndarray) -> np.ndarray:
    """Two classes with a curved boundary."""
    return (scaled[:, 0] * scaled[:, 1] + scaled[:, 0] > 0).astype(int)


UNIT: Final = _table(240, [1.0, 1.0, 1.0])
CLASSES: Final = _split(UNIT)
THREE: Final = np.digitize(UNIT[:, 0] + UNIT[:, 1], [-0.6, 0.6])
SMOOTH: Final = (UNIT[:, 0] + 0.5 * UNIT[:, 1] ** 2).round(4)
HELD: Final[dict[str, Any]] = {"validation": 0.2, "test": 0}
BINARY: Final = _inline(UNIT, CLASSES, "binary", **HELD)
MULTI: Final = _inline(UNIT, THREE, "multiclass", **HELD)
CURVE: Final = _inline(UNIT, SMOOTH, "regression", **HELD)
ADAM: Final[dict[str, Any]] = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 30}
NET: Final[dict[str, Any]] = {"name": "mlp", "hidden": [16, 16]}


@dataclass(frozen=True)
class Fault:
    """A config with a fault.

    Attributes:
        name: What is wrong.
        config: The config.
        expected: The rules and diagnoses of which at least one has to be told.
        twin: What differs in the healthy config.
        curable: Whether settings alone cure it.
    """

    name: str
    config: dict[str, Any]
    expected: set[str]
    twin: dict[str, Any] = field(default_factory=dict)
    curable: bool = True

    @property
    def healthy(self) -> dict[str, Any]:
        return {**self.config, **self.twin}


def _fault(
    name: str,
    expected: str,
    dataset: dict[str, Any],
    model: dict[str, Any],
    loss: Any,
    twin: dict[str, Any],
    curable: bool = True,
    **more: Any,
) -> Fault:
    config = {"dataset": dataset, "model": model, "loss": loss, **ADAM, **more}
    return Fault(name, config, set(expected.split()), twin, curable)


def _standardized(dataset: dict[str, Any], *, targets: bool = False) -> dict[str, Any]:
    return {**dataset, "standardize": {"inputs": True, "targets": targets}}


LARGE: Final = _inline((UNIT * 500).round(2), CLASSES, "binary", **HELD)
APART: Final = _inline((UNIT * [0.01, 40, 1]).round(5), CLASSES, "binary", **HELD)
FAR: Final = _inline((UNIT + 60).round(4), CLASSES, "binary", **HELD)
PRICES: Final = _inline(UNIT, (SMOOTH * 50_000 + 250_000).round(1), "regression", **HELD)
OFFSET: Final = _inline(UNIT, (SMOOTH + 200).round(4), "regression", **HELD)
ONE_TWO: Final = _inline(UNIT, CLASSES + 1.0, "regression", **HELD)
ROWS: Final = _inline(UNIT, np.eye(3, dtype=int)[THREE], "multilabel", **HELD)
COPIED: Final = _inline(np.tile(UNIT, (2, 1)), np.tile(CLASSES, 2), "binary", validation=0, test=0.2)
FLIPPED: Final = np.where(RANDOM.random(240) < 0.25, 1 - CLASSES, CLASSES)
FEW: Final = _inline(
    np.concatenate([UNIT, _table(240, [1.0] * 12)], axis=1)[:80], FLIPPED[:80], "binary", validation=0.4, test=0
)
MANY: Final = _inline(UNIT, CLASSES, "binary", validation=0.4, test=0)
# An odd number of ones, of four: no line tells it apart, and a linear model is best at 0.5 everywhere.
BITS: Final = (np.arange(16)[:, None] >> np.arange(4)) & 1
PARITY: Final = _inline(np.tile(BITS, (4, 1)), np.tile(BITS.sum(axis=1) % 2, 4), "binary", validation=0, test=0)
# Six classes at six places, numbered in an order that means nothing.
PLACES: Final = RANDOM.integers(0, 6, 240)
CENTRES: Final = np.array([[-2, 0], [0, 2], [2, 0], [-2, 2], [0, -2], [2, -2]])
LABELLED: Final = _inline((CENTRES[PLACES] + _table(240, [0.5, 0.5])).round(4), PLACES, "regression", **HELD)
TANH: Final[dict[str, Any]] = {"name": "mlp", "hidden": [16, 16], "activation": "tanh"}

# Much like another case: only the runner trains them.
ALIKE: Final = {
    "columns far apart",
    "inputs far from 0",
    "classes called 1 and 2",
    "a rate far too small",
}
OWN: Final[tuple[Fault, ...]] = (
    # The data.
    _fault(
        "inputs in the hundreds",
        "unscaled_inputs",
        LARGE,
        NET,
        "binary_cross_entropy",
        {"dataset": _standardized(LARGE)},
    ),
    _fault(
        "columns far apart", "unscaled_inputs", APART, NET, "binary_cross_entropy", {"dataset": _standardized(APART)}
    ),
    _fault("inputs far from 0", "unscaled_inputs", FAR, NET, "binary_cross_entropy", {"dataset": _standardized(FAR)}),
    _fault(
        "targets in the ten thousands",
        "unscaled_targets",
        PRICES,
        NET,
        "mse",
        {"dataset": _standardized(PRICES, targets=True)},
    ),
    _fault(
        "targets far from 0",
        "above_constant stuck constant unfinished saturated_units",
        OFFSET,
        TANH,
        "mse",
        {"dataset": _standardized(OFFSET, targets=True)},
    ),
    _fault(
        "classes called 1 and 2",
        "target_range",
        ONE_TWO,
        {**NET, "output": "sigmoid"},
        "binary_cross_entropy",
        {"dataset": BINARY},
    ),
    _fault(
        "one-hot classes as labels",
        "exclusive_labels",
        ROWS,
        NET,
        "binary_cross_entropy",
        {"dataset": MULTI, "loss": "cross_entropy"},
    ),
    _fault(
        "copies before the split",
        "repeated_samples",
        COPIED,
        NET,
        "binary_cross_entropy",
        {"dataset": MANY},
        curable=False,
    ),
    _fault(
        "classes as numbers",
        "classes_as_numbers",
        LABELLED,
        NET,
        "mse",
        {"dataset": {**LABELLED, "task": "multiclass"}, "loss": "cross_entropy"},
    ),
    # The last layer and the loss.
    _fault(
        "softmax over one output",
        "output_shape single_softmax",
        BINARY,
        {**NET, "output": "softmax"},
        "binary_cross_entropy",
        {"model": NET},
    ),
    _fault(
        "sigmoids over exclusive classes",
        "output_shape",
        MULTI,
        {**NET, "output": "sigmoid"},
        "cross_entropy",
        {"model": NET},
    ),
    _fault(
        "softmax twice",
        "double_activation double_softmax",
        MULTI,
        {**NET, "output": "softmax"},
        {"name": "cross_entropy", "from_logits": True},
        {"model": NET},
    ),
    _fault(
        "sigmoid twice",
        "double_activation double_sigmoid",
        BINARY,
        {**NET, "output": "sigmoid"},
        {"name": "binary_cross_entropy", "from_logits": True},
        {"model": NET},
    ),
    _fault(
        "logits taken for probabilities",
        "missing_activation clipped",
        BINARY,
        {**NET, "output": "logits"},
        "BCELoss",
        {"loss": "BCEWithLogitsLoss"},
    ),
    _fault(
        "sigmoid over any number", "output_shape squashed", CURVE, {**NET, "output": "sigmoid"}, "mse", {"model": NET}
    ),
    _fault(
        "cross-entropy of numbers",
        "target_range impossible",
        CURVE,
        {**NET, "output": "none"},
        "binary_cross_entropy",
        {"loss": "mse"},
    ),
    _fault(
        "margins of probabilities",
        "margin_on_probabilities",
        BINARY,
        {**NET, "output": "sigmoid"},
        "hinge",
        {"model": NET},
    ),
    # The model.
    _fault(
        "no hidden layer for a parity",
        "chance",
        PARITY,
        {"name": "linear"},
        "binary_cross_entropy",
        {"model": {"name": "mlp", "hidden": [32]}, "learning_rate": 0.03},
        epochs=150,
    ),
    _fault(
        "no activation", "linear_hidden", BINARY, {**NET, "activation": "none"}, "binary_cross_entropy", {"model": NET}
    ),
    _fault(
        "all weights 0",
        "same_weights dead",
        BINARY,
        {**NET, "init": {"name": "constant", "value": 0.0}},
        "binary_cross_entropy",
        {"model": NET},
    ),
    _fault(
        "large initial weights",
        "saturated_units",
        MULTI,
        {**TANH, "hidden": [64, 64, 64], "init": {"name": "normal", "std": 5.0}},
        "cross_entropy",
        {"model": TANH},
        optimizer="sgd",
        learning_rate=0.01,
        epochs=40,
    ),
    _fault(
        "six layers of sigmoids",
        "vanishing_gradient chance",
        MULTI,
        {"name": "mlp", "hidden": [16] * 6, "activation": "sigmoid"},
        "cross_entropy",
        {"model": {"name": "mlp", "hidden": [16] * 6, "init": "he_normal"}},
        optimizer="sgd",
        learning_rate=0.1,
    ),
    _fault(
        "dropout of 2 units",
        "strong_dropout",
        BINARY,
        {"name": "mlp", "hidden": [16, 2], "dropout": 0.6},
        "binary_cross_entropy",
        {"model": NET},
    ),
    _fault(
        "biases far below 0",
        "dead_units dead",
        BINARY,
        {**NET, "init": {"name": "normal", "std": 0.1, "bias": -2.0}},
        "binary_cross_entropy",
        {"model": NET},
        learning_rate=0.001,
    ),
    _fault(
        "biases below all inputs",
        "dead_units dead",
        CURVE,
        {**NET, "init": {"name": "he_normal", "bias": -8.0}},
        "mse",
        {"model": NET},
    ),
    _fault(
        "biases beyond all slopes",
        "saturated_units dead",
        MULTI,
        {**TANH, "init": {"name": "glorot_uniform", "bias": 20.0}},
        "cross_entropy",
        {"model": TANH},
    ),
    _fault(
        "batch norm of two samples",
        "few_normalized",
        MULTI,
        {**NET, "batch_norm": True},
        "cross_entropy",
        {"batch_size": 32},
        batch_size=2,
        epochs=8,
    ),
    # The learning rate and the length.
    _fault(
        "adam at 1",
        "unusual_rate dead exploded",
        MULTI,
        NET,
        "cross_entropy",
        {"learning_rate": 0.01},
        learning_rate=1.0,
    ),
    _fault(
        "sgd that diverges",
        "non_finite exploded dead",
        CURVE,
        NET,
        "mse",
        {"learning_rate": 0.02},
        optimizer="sgd",
        learning_rate=2.0,
    ),
    _fault(
        "a rate far too small",
        "unusual_rate chance stuck unfinished above_constant",
        MULTI,
        NET,
        "cross_entropy",
        {"learning_rate": 0.01},
        learning_rate=1e-6,
    ),
    _fault(
        "sgd at a rate too small",
        "unfinished chance above_constant",
        MULTI,
        NET,
        "cross_entropy",
        {"learning_rate": 0.1},
        optimizer="sgd",
        learning_rate=5e-4,
    ),
    _fault(
        "too few steps",
        "too_few_steps unfinished above_constant",
        BINARY,
        {"name": "mlp", "hidden": [2], "activation": "sigmoid"},
        "binary_cross_entropy",
        {"epochs": 200, "learning_rate": 0.03},
        learning_rate=0.001,
        epochs=5,
    ),
    _fault(
        "the sum of a batch",
        "reduction_rate",
        CURVE,
        NET,
        {"name": "mse", "reduction": "sum"},
        {"loss": "mse"},
        optimizer="sgd",
        learning_rate=0.05,
    ),
    # After learning.
    _fault(
        "noise learned by heart",
        "overfitting overconfident",
        FEW,
        {"name": "mlp", "hidden": [128, 128]},
        "binary_cross_entropy",
        {"dataset": MANY, "model": {"name": "mlp", "hidden": [16]}, "epochs": 30},
        epochs=150,
    ),
    _fault(
        "absolute error on classes",
        "chance one_answer stuck unfinished",
        MULTI,
        {"name": "mlp", "hidden": [4], "activation": "sigmoid", "output": "softmax"},
        "mae",
        {"loss": "cross_entropy", "optimizer": "adam", "learning_rate": 0.02},
        optimizer="sgd",
        learning_rate=0.01,
        epochs=30,
    ),
)
