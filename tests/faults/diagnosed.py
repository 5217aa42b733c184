"""A case for each diagnosis that the faults of our own do not show, to be healthy with the cure that is printed."""

from typing import Any, Final

import numpy as np

from tests.faults.own import ADAM, BINARY, CURVE, HELD, MULTI, NET, OFFSET

_RANDOM: Final = np.random.default_rng(11)
_POINTS: Final = _RANDOM.normal(size=(400, 2)).round(4)
# Seven samples in a hundred are a yes, in two opposite corners that no line tells apart from the rest.
_RARE: Final[dict[str, Any]] = {
    "name": "inline",
    "inputs": _POINTS.tolist(),
    "targets": (_POINTS[:, 0] * _POINTS[:, 1] > 1.3).astype(int).tolist(),
    "task": "binary",
    **HELD,
}
# Two classes on either side of a line, with one label in five wrong: nobody is right more than eight times in ten.
_MORE: Final = _RANDOM.normal(size=(600, 2)).round(4)
_WRONG: Final = (_RANDOM.random(600) < 0.2) != (_MORE.sum(axis=1) > 0)
_NOISY: Final[dict[str, Any]] = {
    "name": "inline",
    "inputs": _MORE.tolist(),
    "targets": _WRONG.astype(int).tolist(),
    "task": "binary",
    "validation": 0.5,
    "test": 0,
}
_CELSIUS: Final = [-40.5 + 1.5 * place for place in range(60)]
_SMALL_WEIGHTS: Final[dict[str, Any]] = {"name": "mlp", "hidden": [16], "init": {"name": "normal", "std": 0.01}}


def _blobs(classes: int) -> dict[str, Any]:
    return {"name": "synthetic_classification", "kind": "blobs", "samples": 300, "classes": classes}


def _sgd(rate: float, epochs: int, **more: Any) -> dict[str, Any]:
    return {"optimizer": "sgd", "learning_rate": rate, "epochs": epochs, **more}


# By the diagnosis.
DIAGNOSED: Final[dict[str, dict[str, Any]]] = {
    "chance": {"dataset": _blobs(3), "model": _SMALL_WEIGHTS, "loss": "cross_entropy", **_sgd(1e-4, 8)},
    "constant": {
        "dataset": {**CURVE, "standardize": {"inputs": True, "targets": True}},
        "model": _SMALL_WEIGHTS,
        "loss": "mse",
        **_sgd(1e-3, 10),
    },
    "stuck": {"dataset": OFFSET, "model": NET, "loss": "mse", "optimizer": "adam", "learning_rate": 1e-5, "epochs": 10},
    # Degrees Celsius as degrees Fahrenheit: adam's steps are too small for the way.
    "above_constant": {
        "dataset": {"name": "inline", "inputs": _CELSIUS, "targets": [1.8 * one + 32 for one in _CELSIUS]},
        "model": "linear",
        "loss": "mse",
        "optimizer": "adam",
        "learning_rate": 0.001,
        "epochs": 50,
    },
    "exploded": {"dataset": CURVE, "model": "linear", "loss": "mae", **_sgd(100.0, 10)},
    "dead_units": {"dataset": BINARY, "model": NET, "loss": "binary_cross_entropy", **_sgd(5.0, 15)},
    # With steps of one size the weights jump from one side of the minimum to the other.
    "oscillation": {"dataset": CURVE, "model": "linear", "loss": "mae", **_sgd(2.2, 60, batch_size="full")},
    "one_answer": {"dataset": _RARE, "model": "linear", "loss": "binary_cross_entropy", **ADAM},
    "too_small": {
        "dataset": _blobs(6),
        "model": {"name": "mlp", "hidden": [16, 1], "activation": "leaky_relu"},
        "loss": "cross_entropy",
        **ADAM,
    },
    # The absolute error is least at probabilities of 0 and 1, whatever the odds.
    "overconfident": {
        "dataset": _NOISY,
        "model": {"name": "mlp", "hidden": [16]},
        "loss": "mae",
        "optimizer": "adam",
        "learning_rate": 0.03,
        "epochs": 60,
    },
    "vanishing_gradient": {
        "dataset": MULTI,
        "model": {"name": "mlp", "hidden": [16] * 6, "activation": "sigmoid"},
        "loss": "cross_entropy",
        **_sgd(0.1, 20),
    },
}
# Diagnoses that some faults of our own get, by the name of the fault.
OF_OURS: Final[dict[str, str]] = {
    "non_finite": "sgd that diverges",
    "dead": "all weights 0",
    "double_softmax": "softmax twice",
    "double_sigmoid": "sigmoid twice",
    "squashed": "sigmoid over any number",
    "single_softmax": "softmax over one output",
    "clipped": "logits taken for probabilities",
    "impossible": "cross-entropy of numbers",
    "saturated_units": "large initial weights",
    "unfinished": "too few steps",
    "overfitting": "noise learned by heart",
}
