"""Optimizers and schedules by their Keras spellings, compared by running Keras 3."""

import os

os.environ["KERAS_BACKEND"] = "torch"

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from lossrun.catalog import find
from lossrun.catalog.unsupported import NO_OPTIMIZERS, NO_SCHEDULES
from lossrun.components.optimizers import build_optimizer
from lossrun.components.schedules import rate
from lossrun.config import Choice
from lossrun.config.read import from_mapping
from lossrun.training.build import plateau

pytestmark = [
    pytest.mark.keras,
    # Keras' Nadam makes numpy arrays of torch's tensors in a way that numpy is about to give up.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]

STEPS = 10
RATE = 0.0625
# The names are for Keras' Muon, which is given the name of its output layer.
SHAPES = {"hidden": (6, 4), "hidden_bias": (6,), "output": (3, 6), "output_bias": (3,)}

# Class -> (its arguments, ours): the same rule, so the same steps.
SAME: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("SGD", {}, {}),
    ("SGD", {"momentum": 0.9}, {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}, {"momentum": 0.9, "nesterov": True}),
    ("Adam", {}, {}),
    ("Adam", {"beta_1": 0.8, "beta_2": 0.99, "amsgrad": True}, {"betas": [0.8, 0.99], "amsgrad": True}),
    ("Adam", {"weight_decay": 0.1}, {"weight_decay": 0.1}),
    ("AdamW", {}, {}),
    ("AdamW", {"weight_decay": 0.1, "amsgrad": True}, {"weight_decay": 0.1, "amsgrad": True}),
    ("RMSprop", {}, {}),
    ("RMSprop", {"rho": 0.8, "momentum": 0.5, "centered": True}, {"rho": 0.8, "momentum": 0.5, "centered": True}),
    ("Adagrad", {}, {}),
    ("Adagrad", {"initial_accumulator_value": 0.5}, {"initial_accumulator_value": 0.5}),
    ("Adadelta", {}, {}),
    ("Adadelta", {"rho": 0.8, "epsilon": 1e-3}, {"rho": 0.8, "eps": 1e-3}),
    ("Adamax", {}, {}),
    ("Adamax", {"beta_1": 0.8, "beta_2": 0.9}, {"betas": [0.8, 0.9]}),
    ("Nadam", {}, {}),
    ("Nadam", {"beta_1": 0.8, "beta_2": 0.99, "weight_decay": 0.1}, {"betas": [0.8, 0.99], "weight_decay": 0.1}),
    ("Adafactor", {}, {}),
    (
        "Adafactor",
        # Not with a decay, which Keras lets shrink a matrix before its size is taken.
        {"beta_2_decay": -0.5, "epsilon_2": 0.5, "clip_threshold": 2.0},
        {"beta_2_decay": -0.5, "epsilon_2": 0.5, "clip_threshold": 2.0},
    ),
]
# Class -> why its steps are not ours.
ANOTHER_RULE = {
    "Muon": "orthogonalises in single precision, where torch's does in bfloat16: see the test that allows for it",
    "Ftrl": "not here",
    "Lamb": "not here",
    "Lion": "not here",
    "ScheduleFreeAdamW": "not here",
    "LossScaleOptimizer": "not here",
    "MultiOptimizer": "not here",
}
NO_RULE = {"Optimizer", "OptimizerMap"}


def weights() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def gradients(step: int) -> list[np.ndarray]:
    """Of either sign and sizes around 1, where it does not matter to what epsilon is added."""
    draw = np.random.default_rng(step + 1)
    signs = [draw.choice([-1, 1], size=shape) for shape in SHAPES.values()]
    return [(sign * draw.uniform(0.3, 2, sign.shape)).astype(np.float32) for sign in signs]


def by_keras(optimizer: Any) -> list[np.ndarray]:
    """How far each weight has come after the steps."""
    variables = [keras.Variable(value, name=name) for name, value in weights().items()]
    for step in range(STEPS):
        optimizer.apply([torch.from_numpy(gradient) for gradient in gradients(step)], variables)
    moved = [variable.value.detach().numpy() for variable in variables]
    return [after - before for after, before in zip(moved, weights().values(), strict=True)]


def by_ours(spelling: str, given: dict[str, Any]) -> list[np.ndarray]:
    found = find("optimizer", spelling)
    assert found
    parameters = {p.name: p.default for p in found.component.parameters} | found.implies
    for name, value in given.items():
        parameter = found.component.parameter(name)
        assert parameter
        parameters[parameter.name] = value
    ours = [torch.from_numpy(value.copy()).requires_grad_() for value in weights().values()]
    optimizer = build_optimizer(found.component.name, ours, RATE, **parameters)
    for step in range(STEPS):
        for weight, gradient in zip(ours, gradients(step), strict=True):
            weight.grad = torch.from_numpy(gradient)
        optimizer.step()
    return [weight.detach().numpy() - before for weight, before in zip(ours, weights().values(), strict=True)]


@pytest.mark.parametrize(("name", "theirs", "ours"), SAME, ids=str)
def test_a_keras_spelling_takes_keras_steps(name: str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    expected = by_keras(getattr(keras.optimizers, name)(learning_rate=RATE, **theirs))
    for one, other in zip(by_ours(f"keras.{name}", ours), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * float(np.abs(other).max()))


def test_muon_takes_keras_steps_but_for_the_rounding_of_bfloat16() -> None:
    """A hundredth: its 8 bits (0.4 %), which five iterations pass on and ten steps average."""
    expected = by_keras(keras.optimizers.Muon(learning_rate=RATE, exclude_layers=["output"]))
    hidden, *others = by_ours("keras.Muon", {})
    error = np.linalg.norm(hidden - expected[0]) / np.linalg.norm(expected[0])
    assert error < 0.02
    # Biases and the output layer are AdamW's with either.
    for one, other in zip(others, expected[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * float(np.abs(other).max()))


def test_every_optimizer_of_keras_is_compared_or_explained() -> None:
    classes = {name for name, value in vars(keras.optimizers).items() if isinstance(value, type)}
    compared = {name for name, _, _ in SAME}
    assert compared.isdisjoint(ANOTHER_RULE)
    assert classes - NO_RULE == compared | set(ANOTHER_RULE)
    folded = {name.lower() for name in NO_OPTIMIZERS}
    for name, reason in ANOTHER_RULE.items():
        assert (find("optimizer", f"keras.{name}") is None) == (reason == "not here") == (name.lower() in folded), name


EPOCHS, STEPS_PER_EPOCH = 12, 5
TOTAL = EPOCHS * STEPS_PER_EPOCH
# Class -> (its arguments except for the rate, ours). Lengths in steps there, in epochs here.
SAME_SCHEDULES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("CosineDecay", {"decay_steps": TOTAL}, {}),
    ("CosineDecay", {"decay_steps": 20, "alpha": 0.1}, {"over_epochs": 4.0, "alpha": 0.1}),
    ("CosineDecayRestarts", {"first_decay_steps": 15}, {"first_epochs": 3.0}),
    (
        "CosineDecayRestarts",
        {"first_decay_steps": 7, "t_mul": 1.0, "m_mul": 0.5, "alpha": 0.1},
        {"first_epochs": 1.4, "t_mul": 1.0, "m_mul": 0.5, "alpha": 0.1},
    ),
    ("ExponentialDecay", {"decay_steps": 10, "decay_rate": 0.5}, {"every": 2.0, "decay_rate": 0.5}),
    (
        "ExponentialDecay",
        {"decay_steps": 10, "decay_rate": 0.5, "staircase": True},
        {"every": 2.0, "decay_rate": 0.5, "staircase": True},
    ),
    ("InverseTimeDecay", {"decay_steps": 10, "decay_rate": 0.5}, {"every": 2.0, "decay_rate": 0.5}),
    (
        "InverseTimeDecay",
        {"decay_steps": 10, "decay_rate": 0.5, "staircase": True},
        {"every": 2.0, "decay_rate": 0.5, "staircase": True},
    ),
    # A rate in Keras: a tenth of 0.0625.
    (
        "PolynomialDecay",
        {"decay_steps": 20, "power": 2.0, "end_learning_rate": 0.00625},
        {"over_epochs": 4.0, "power": 2.0, "final_fraction": 0.1},
    ),
    # The step that is equal to a boundary is still before it.
    (
        "PiecewiseConstantDecay",
        {"boundaries": [9, 29], "values": [RATE, RATE / 2, RATE / 8]},
        {"boundaries": [2.0, 6.0], "fractions": [0.5, 0.125]},
    ),
]


@pytest.mark.parametrize(("name", "theirs", "ours"), SAME_SCHEDULES, ids=str)
def test_a_schedule_by_its_keras_spelling_is_keras(name: str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    first = {} if "values" in theirs else {"initial_learning_rate": RATE}
    schedule = getattr(keras.optimizers.schedules, name)(**first, **theirs)
    found = find("schedule", f"keras.{name}")
    assert found
    parameters = {p.name: p.default for p in found.component.parameters} | found.implies
    for given, value in ours.items():
        parameter = found.component.parameter(given)
        assert parameter
        parameters[parameter.name] = value
    position = {"steps_per_epoch": STEPS_PER_EPOCH, "epochs": EPOCHS, "learning_rate": RATE}
    for step in range(TOTAL):
        expected = float(schedule(step))
        # Keras computes in single precision.
        assert rate(found.component.name, step=step, **position, **parameters) == pytest.approx(
            expected, rel=1e-5, abs=1e-7 * RATE
        ), step


def test_every_schedule_of_keras_is_compared() -> None:
    classes = {name for name, value in vars(keras.optimizers.schedules).items() if isinstance(value, type)}
    assert classes - {"LearningRateSchedule"} == {name for name, _, _ in SAME_SCHEDULES}
    callbacks = {"LearningRateScheduler", "ReduceLROnPlateau"}
    assert callbacks <= set(vars(keras.callbacks))
    assert "LearningRateScheduler" in NO_SCHEDULES


def keras_plateau_rates(values: list[float], **options: Any) -> list[float]:
    """The rate after each epoch that ends with one of these values, by Keras' callback."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss="mse")
    callback = keras.callbacks.ReduceLROnPlateau(**options)
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {options["monitor"]: value})
        rates.append(float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)))
    return rates


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"patience": 0},
        {"patience": 1, "factor": 0.5},
        {"patience": 2, "cooldown": 1, "min_delta": 0.5},
        {"patience": 2, "cooldown": 3, "min_delta": 0.0, "factor": 0.5},
        {"patience": 3, "cooldown": 2, "min_lr": 0.01},
    ],
)
def test_the_plateau_of_keras_reduces_when_keras_does(mode: str, given: dict[str, Any]) -> None:
    generator = np.random.default_rng(0)
    # Falling, then a plateau, several times, so that patience and cooldown meet improvements in every state.
    values = [float(x) for x in np.repeat(generator.normal(0, 1, 25), generator.integers(1, 9, 25))]
    schedule = resolved({"name": "keras.ReduceLROnPlateau", "metric": "val_loss", "mode": mode, **given})
    rule = plateau(schedule)
    assert rule
    state, ours = rule.start(), []
    for value in values:
        state = rule.after(state, value)
        ours.append(rule.rate(state, RATE))
    theirs = keras_plateau_rates(values, monitor="val_loss", mode=mode, **given)
    assert ours == pytest.approx(theirs, rel=1e-6)
    assert len(set(ours)) > 1


def resolved(schedule: dict[str, Any]) -> Choice:
    """A schedule as a config that was read holds it."""
    five = {"dataset": "synthetic_regression", "model": "mlp", "loss": "mse", "optimizer": "sgd", "learning_rate": RATE}
    return from_mapping({**five, "schedule": schedule}, Path()).config.schedule
