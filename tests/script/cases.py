"""What the scripts of both frameworks are tried with."""

from pathlib import Path
from typing import Any, Final

from lossrun.catalog import find
from lossrun.catalog.declaration import Loss
from lossrun.catalog.schedules import SCHEDULES as DECLARED
from tests.other_values import required
from tests.script.conftest import DATASETS

SHIPPED: Final = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
MLP: Final = {"name": "mlp", "hidden": [6], "activation": "tanh"}


def keys_of_loss(
    name: str, task: str, loss: dict[str, Any] | None = None, model: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A config in which the loss has targets that it can take."""
    found = find("loss", name)
    assert found
    declared = found.component
    assert isinstance(declared, Loss)
    dataset: dict[str, Any] = dict(DATASETS[task])
    if task == "regression" and (
        declared.targets_at_least is not None or declared.name in ("mape", "cosine_similarity")
    ):
        columns = [[0.2 + 0.01 * i, 0.9 - 0.02 * i] for i in range(32)]
        dataset = {"name": "inline", "inputs": [[0.1 * i, (i % 5) / 5] for i in range(32)], "targets": columns}
    return {"dataset": dataset, "loss": loss or name, "model": {**MLP, **(model or {})}}


# (task, loss, what differs in the model)
LOSS_OPTIONS: Final[list[Any]] = [
    ("multiclass", {"name": "cross_entropy", "label_smoothing": 0.1}, {}),
    ("multiclass", {"name": "cross_entropy", "class_weights": "balanced"}, {}),
    ("multiclass", {"name": "cross_entropy", "class_weights": [1, 2, 3, 0.5], "label_smoothing": 0.2}, {}),
    ("multiclass", {"name": "cross_entropy", "class_weights": [1, 2, 3, 0.5], "weight_convention": "keras"}, {}),
    ("multiclass", {"name": "cross_entropy", "class_weights": [1, 2, 3, 0.5], "reduction": "sum"}, {}),
    ("multiclass", {"name": "cross_entropy", "ignore_index": 1}, {}),
    ("multiclass", {"name": "cross_entropy", "ignore_index": 1, "label_smoothing": 0.1}, {}),
    ("multiclass", {"name": "cross_entropy", "ignore_index": 1, "class_weights": [1, 2, 3, 0.5]}, {}),
    ("multiclass", {"name": "cross_entropy", "ignore_index": 1, "reduction": "sum"}, {}),
    ("multiclass", {"name": "cross_entropy", "label_smoothing": 0.1}, {"output": "softmax"}),
    ("multiclass", {"name": "cross_entropy", "inputs": "log_probabilities"}, {"output": "log_softmax"}),
    (
        "multiclass",
        {"name": "cross_entropy", "label_smoothing": 0.1, "class_weights": [1, 2, 3, 0.5]},
        {"output": "log_softmax"},
    ),
    ("multiclass", {"name": "mse", "reduction": "sum"}, {}),
    ("multiclass", {"name": "mse", "reduction": "half_sample_mean"}, {"output": "sigmoid"}),
    ("multiclass", {"name": "binary_cross_entropy", "label_smoothing": 0.1}, {}),
    ("multiclass", {"name": "focal", "label_smoothing": 0.1, "alpha": 0.25, "class_weights": [1, 2, 3, 0.5]}, {}),
    ("multiclass", {"name": "focal", "gamma": 1.5}, {"output": "softmax"}),
    ("multiclass", {"name": "multi_margin", "p": 2, "margin": 0.5, "class_weights": [1, 2, 3, 0.5]}, {}),
    ("multiclass", {"name": "categorical_hinge", "class_weights": [1, 2, 3, 0.5], "reduction": "half_sum"}, {}),
    ("multiclass", {"name": "kl_divergence", "class_weights": [1, 2, 3, 0.5]}, {}),
    ("multiclass", {"name": "kl_divergence"}, {"output": "softmax"}),
    ("multiclass", {"name": "generalized_cross_entropy", "q": 0.5}, {"output": "softmax"}),
    ("multiclass", {"name": "symmetric_cross_entropy", "alpha": 0.3, "log_zero": -5.0}, {"output": "softmax"}),
    ("binary", {"name": "binary_cross_entropy", "class_weights": "balanced"}, {}),
    ("binary", {"name": "binary_cross_entropy", "class_weights": [1, 3], "label_smoothing": 0.1}, {}),
    ("binary", {"name": "binary_cross_entropy", "class_weights": [1, 3], "weight_convention": "keras"}, {}),
    ("binary", {"name": "binary_cross_entropy", "pos_weight": 2.5, "label_smoothing": 0.1}, {}),
    ("binary", {"name": "binary_cross_entropy", "pos_weight": 2.5}, {}),
    ("binary", {"name": "binary_cross_entropy", "label_smoothing": 0.1}, {"output": "sigmoid"}),
    ("binary", {"name": "binary_focal", "alpha": 0.25, "gamma": 1.5, "label_smoothing": 0.1}, {}),
    ("binary", {"name": "binary_focal", "class_weights": [1, 3]}, {"output": "sigmoid"}),
    ("binary", {"name": "binary_focal", "alpha": 0.25, "apply_class_balancing": False}, {}),
    ("binary", {"name": "hinge", "class_weights": [1, 3]}, {}),
    ("binary", {"name": "squared_hinge", "reduction": "sum"}, {}),
    ("multilabel", {"name": "binary_cross_entropy", "class_weights": [1, 2, 3]}, {}),
    ("multilabel", {"name": "binary_cross_entropy", "pos_weight": [1, 2, 3], "reduction": "sum"}, {}),
    ("multilabel", {"name": "binary_cross_entropy", "class_weights": "balanced"}, {"output": "sigmoid"}),
    ("multilabel", {"name": "multilabel_soft_margin", "class_weights": [1, 2, 3]}, {}),
    ("multilabel", {"name": "dice", "eps": 0.5}, {"output": "sigmoid"}),
    ("multilabel", {"name": "tversky", "alpha": 0.3, "beta": 0.7, "reduction": "sum"}, {}),
    ("regression", {"name": "huber", "delta": 0.3, "reduction": "half_sample_mean"}, {}),
    ("regression", {"name": "smooth_l1", "beta": 0.0}, {}),
    ("regression", {"name": "quantile", "quantile": 0.9}, {}),
    ("regression", {"name": "poisson_nll", "full": True}, {}),
    ("regression", {"name": "poisson_nll", "log_input": False, "eps": 1e-7}, {"output": "sigmoid"}),
    ("regression", {"name": "gaussian_nll", "full": True}, {}),
    ("regression", {"name": "mse", "reduction": "half_sum"}, {}),
    # A framework's name with its conventions.
    ("multiclass", {"name": "keras.CategoricalCrossentropy", "class_weights": [1, 2, 3, 0.5]}, {"output": "softmax"}),
    ("multiclass", {"name": "CategoricalFocalCrossentropy", "class_weights": "balanced"}, {}),
    ("multiclass", {"name": "KLDivergence"}, {}),
    ("binary", {"name": "SoftMarginLoss"}, {}),
    ("binary", {"name": "keras.Hinge", "class_weights": [1, 3]}, {}),
    ("multilabel", {"name": "keras.Dice"}, {}),
    ("regression", {"name": "keras.Poisson"}, {"output": "sigmoid"}),
    ("regression", {"name": "cosine_distance"}, {}),
]

# Outputs that are read as logits, as probabilities, as plain numbers.
READINGS: Final[list[Any]] = [
    ("binary", "hinge", {}),
    ("binary", "mse", {}),
    ("binary", "mse", {"output": "none"}),
    ("binary", "binary_cross_entropy", {"output": "sigmoid"}),
    ("multiclass", "cross_entropy", {}),
    ("multiclass", "mae", {}),
    ("multiclass", "binary_cross_entropy", {}),
    ("multilabel", "binary_cross_entropy", {}),
    ("multilabel", "dice", {"output": "sigmoid"}),
    ("regression", "huber", {}),
    ("regression", "gaussian_nll", {}),
]

OPTIMIZER_OPTIONS: Final[list[Any]] = [
    {"name": "sgd", "momentum": 0.9},
    {"name": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    {"name": "sgd", "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
    {"name": "sgd", "weight_decay": 0.1},
    {"name": "adam", "amsgrad": True, "weight_decay": 0.1},
    {"name": "adam", "weight_decay": 0.1, "decoupled_weight_decay": True, "betas": [0.8, 0.99]},
    {"name": "keras.Adam"},
    {"name": "adamw", "weight_decay": 0.0},
    {"name": "rmsprop", "momentum": 0.5, "centered": True, "weight_decay": 0.1},
    {"name": "adagrad", "lr_decay": 0.2, "initial_accumulator_value": 0.1},
    {"name": "adadelta", "weight_decay": 0.1},
    {"name": "keras.Nadam"},
    {"name": "nadam", "weight_decay": 0.1},
    {"name": "nadam", "weight_decay": 0.1, "decoupled_weight_decay": True},
    {"name": "nadam", "momentum_decay": 0.0},
    {"name": "rmsprop", "alpha": 0.0},
    {"name": "adafactor", "weight_decay": 0.1, "d": 1.5},
]

INITIALIZERS: Final[list[Any]] = [
    "torch",
    "glorot_uniform",
    "glorot_normal",
    {"name": "he_uniform", "bias": 0.1},
    "he_normal",
    "keras.HeNormal",
    {"name": "glorot_normal", "truncated": True, "bias": 0.1},
    {"name": "normal", "std": 0.5, "bias_std": 0.2},
    "truncated_normal",
    {"name": "constant", "value": 0.1},
]

_WITH_OPTIONS: Final[list[Any]] = [
    {"name": "constant", "warmup_epochs": 1.5},
    {"name": "step", "every": 2, "gamma": 0.5},
    {"name": "multi_step", "milestones": [2, 5], "warmup_epochs": 1},
    {"name": "piecewise_constant", "boundaries": [1.5, 3], "fractions": [0.5, 0.1]},
    {"name": "reduced_start", "factor": 0.25, "for_epochs": 2},
    {"name": "exponential", "gamma": 0.7},
    {"name": "exponential", "gamma": 0.7, "every": 1.5, "staircase": False, "warmup_epochs": 1},
    {"name": "inverse_time", "decay": 0.5},
    {"name": "linear", "final_fraction": 0.1, "over_epochs": 4},
    {"name": "polynomial", "power": 2.0, "final_fraction": 0.1, "warmup_epochs": 1},
    {"name": "cosine", "final_fraction": 0.1},
    {"name": "cosine", "warmup_epochs": 2},
    {"name": "cosine_restarts", "first_epochs": 1, "growth": 2.0, "peak_factor": 0.5},
    {"name": "cosine_restarts", "first_epochs": 2, "warmup_epochs": 1},
    {"name": "cyclic", "up_epochs": 1, "down_epochs": 2, "mode": "triangular2"},
    {"name": "cyclic", "up_epochs": 1, "mode": "exp_range", "gamma": 0.9},
    {"name": "one_cycle"},
    {"name": "one_cycle", "anneal": "linear", "three_phase": True, "warmup_epochs": 1},
]
# With a plain one for each schedule that has no options here.
SCHEDULES: Final[list[Any]] = [
    *_WITH_OPTIONS,
    *(
        {"name": schedule.name, **required(schedule)}
        for schedule in DECLARED
        if not schedule.waits_for_results and schedule.name not in {each["name"] for each in _WITH_OPTIONS}
    ),
]
