"""Arguments of Keras' and PyTorch's classes that have another name here, or no counterpart.

The classes are really asked for their arguments. A name that is only near in letters is the wrong answer.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType

import keras
import pytest
from torch import nn, optim

from lossrun.catalog import find
from lossrun.config.habits import ANSWERS, HABITS

pytestmark = pytest.mark.keras

OneProblem = Callable[..., str]

HOMES: list[tuple[str, str, ModuleType]] = [
    ("optimizer", "keras", keras.optimizers),
    ("optimizer", "torch", optim),
    ("schedule", "keras", keras.optimizers.schedules),
    ("schedule", "keras", keras.callbacks),
    ("schedule", "torch", optim.lr_scheduler),
    ("loss", "keras", keras.losses),
    ("loss", "torch", nn),
]
# What the user cannot choose, and `from_logits`, which `validate.conventions` turns into `inputs`.
NO_PARAMETERS = {"self", "params", "optimizer", "args", "kwargs", "name", "from_logits"}
# Keys of other components here, so that no answer would be true of all: of PyTorch's cosine similarity and Adafactor.
UNANSWERED = {"loss.eps", "optimizer.eps"}


def unknown_arguments() -> Iterator[str]:
    """The paths of arguments that the component with the class's name does not take."""
    for kind, framework, home in HOMES:
        for name, thing in vars(home).items():
            found = find(kind, f"{framework}.{name}") if inspect.isclass(thing) else None
            if found:
                for argument in inspect.signature(thing.__init__).parameters.keys() - NO_PARAMETERS:
                    if not found.component.parameter(argument):
                        yield f"{kind}.{argument}"


def test_every_argument_of_a_known_class_is_a_parameter_or_answered() -> None:
    unknown = set(unknown_arguments())
    assert {path for path in unknown if path.lower() not in HABITS | ANSWERS} == UNANSWERED
    assert {"optimizer.clipnorm", "schedule.T_max", "loss.size_average"} <= unknown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("optimizer: {name: tf.RMSPropOptimizer, decay: 0.9}", "for that of TensorFlow 1's RMSProp, use alpha"),
        ("optimizer: {name: keras.SGD, decay: 1e-6}", "use the schedule inverse_time"),
        ("optimizer: {name: muon, adam_beta_1: 0.9}", "did you mean optimizer.adamw_betas?"),
        ("schedule: {name: reduce_on_plateau, monitor: val_mae}", "did you mean schedule.metric?"),
        ("schedule: {name: cosine, eta_min: 1e-4}", "final_fraction is this divided by learning_rate"),
        (
            "schedule: {name: cyclic, step_size_up: 2000}",
            "in epochs here, not in steps, and may be fractions of one: up_",
        ),
    ],
)
def test_an_argument_is_answered_by_what_it_means(problem: OneProblem, line: str, said: str) -> None:
    assert said in problem(line, replaces=line.partition(" ")[0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("optimizer: {type: Adam}", "no name; write name instead of type: {name: Adam}"),
        ("optimizer: {class_name: SGD, config: {lr: 1}}", "no name; write name instead of class_name: {name: SGD}"),
        ("optimizer: {_target_: torch.optim.Adam}", "write name instead of _target_: {name: torch.optim.Adam}"),
        ("optimizer: {adam: {eps: 1}}", "no name; write adam as its name: {name: adam}, and the parameters next to it"),
        ("loss: {mse: 1.0, mae: 0.5}", "no name; a run has one loss, not mse and mae"),
        ("optimizer: {momentum: 0.9}", "no name; expected an optimizer such as sgd"),
    ],
)
def test_a_mapping_without_a_name_is_told_how_to_name_it(problem: OneProblem, line: str, said: str) -> None:
    assert said in problem(line, replaces=line.partition(" ")[0])
