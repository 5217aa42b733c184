"""Check whether a run is long enough: how far its steps can move the outputs."""

from collections.abc import Iterator
from math import ceil, prod, sqrt
from typing import Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Activation
from lossrun.lint.rule import Case, Example, Rule, Violation
from lossrun.lint.size import layers

# The typical value of a hidden unit or an input that is at most 1.
_HALF: Final = 0.5
# How far outputs have to move: a logit of 0.25 is a probability of 0.56 instead of 0.5.
NEAR: Final = 0.25
# A run on a handful of samples only tries something out.
FEW_SAMPLES: Final = 32
# Enough for most models to converge: steps of 0.01 that add up to 5.
GOOD_RATE: Final = 0.01
GOOD_WAY: Final = 5.0


def too_few_steps(case: Case) -> Iterator[Violation]:
    """Find a run whose steps are too few and too small to change the outputs much."""
    config, facts = case.config, case.facts
    if case.optimizer is None or not case.optimizer.bounded_steps or facts.train < FEW_SAMPLES:
        return
    steps = config.epochs * config.steps_per_epoch(facts.train)
    moved = config.learning_rate * steps
    reach = outputs_move(case, moved)
    # An epoch is enough to try out a config.
    if reach is None or reach >= NEAR or config.epochs == 1:
        return
    rate = max(config.learning_rate, min(GOOD_RATE, case.optimizer.usual_rates[1]))
    epochs = max(config.epochs, ceil(GOOD_WAY / rate / config.steps_per_epoch(facts.train)))
    yield Violation(
        ("epochs",),
        f"{case.optimizer.name} moves a weight by about the learning rate in a step: {steps} steps of "
        f"{config.learning_rate:g} move it by {moved:.2g} at most, and the outputs of this model by about {reach:.2g}",
        f"set learning_rate: {rate:g} and epochs: {epochs}",
        (f"learning_rate={rate:g}", f"epochs={epochs}"),
    )


def outputs_move(case: Case, moved: float) -> float | None:
    """Estimate how far an output moves, at most, if every weight moves by `moved`; None for models that are not dense.

    The changes of a unit's weights add up over its inputs. What reaches a unit of the next layer is the sum over n
    units with weights of about 1 / sqrt(n), so it grows by sqrt(n) and by the slope of the activation.
    """
    parameters = case.config.model.parameters
    rows = layers(case.config, case.facts)
    if not rows or any(row.type != "dense" for row in rows):
        return None
    widths = [prod(case.facts.input_shape), *(row.output_shape[0] for row in rows[:-1])]
    activation = get("activation", parameters["activation"]) if "activation" in parameters else None
    slope = activation.slope if isinstance(activation, Activation) else 1.0
    inputs = case.facts.inputs.largest if case.facts.inputs else 1.0
    gain: float = 1.0
    reach: float = moved * (widths[-1] * (inputs if len(widths) == 1 else _HALF) + 1)
    for place in range(len(widths) - 1, 0, -1):
        gain *= sqrt(widths[place]) * slope
        reach += gain * moved * (widths[place - 1] * (inputs if place == 1 else _HALF) + 1)
    return reach


_BLOBS: Final = (
    "dataset: {name: synthetic_classification, samples: 200}\nmodel: {name: mlp, hidden: [2], activation: sigmoid}\n"
)

BUDGET_RULES: Final[dict[str, Rule]] = {
    "too_few_steps": Rule(
        check=too_few_steps,
        explains=True,
        severity="warn",
        meaning="The run must have enough steps to change the outputs.",
        why="Adam and similar optimizers divide by the gradient's size, so a weight moves by about the learning rate "
        "in a step, however wrong the outputs are. 45 steps of 0.001 leave every weight within 0.05 of where it began.",
        example=Example(
            f"{_BLOBS}loss: cross_entropy\nepochs: 5",
            f"{_BLOBS}loss: cross_entropy\nepochs: 100\nlearning_rate: 0.01",
        ),
    ),
}
