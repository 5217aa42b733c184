"""Check the weight decay: that it is applied to the weights, and is not so strong that nothing is learned."""

from collections.abc import Iterator
from typing import Final

from lossrun.catalog.optimizers.parameters import WEIGHT_DECAY
from lossrun.lint.rule import Case, Example, Rule, Violation
from lossrun.lint.rules.models import has_hidden_layers

# The default of adamw. L2 penalties for adam are at most a tenth of it.
DECAY_OF_WEIGHTS: Final = 1e-2
# These decays or larger ones shrink weights faster than most losses make them grow: added to the gradient, and of the
# weights.
STRONG_PENALTY: Final = 0.1
STRONG_DECAY: Final = 1.0
USUAL_PENALTY: Final = 1e-4


def coupled_decay(case: Case) -> Iterator[Violation]:
    """Find a large weight decay that the optimizer adds to the gradient."""
    parameters = case.config.optimizer.parameters
    if case.optimizer is None or parameters.get("decoupled_weight_decay") is not False:
        return
    decay = parameters["weight_decay"]
    if decay >= DECAY_OF_WEIGHTS:
        other = f", or optimizer: {case.optimizer.decoupled}" if case.optimizer.decoupled else ""
        yield Violation(
            ("optimizer", "weight_decay"),
            f"{case.optimizer.name} adds the decay of {decay:g} to the gradient and then divides by the gradient's "
            "size, so it does not decay the weights as intended",
            f"set optimizer.decoupled_weight_decay: true{other}, or weight_decay: 1e-4 for an L2 penalty",
            ("optimizer.decoupled_weight_decay=true",),
        )


def strong_decay(case: Case) -> Iterator[Violation]:
    """Find a weight decay that keeps all weights near 0."""
    parameters = case.config.optimizer.parameters
    decay = parameters.get("weight_decay") or 0.0
    # A linear model with a strong penalty is ridge regression.
    if case.optimizer is None or not has_hidden_layers(case):
        return
    of_weights = parameters.get("decoupled_weight_decay", case.optimizer.parameter("weight_decay") != WEIGHT_DECAY)
    strong, usual = (STRONG_DECAY, DECAY_OF_WEIGHTS) if of_weights else (STRONG_PENALTY, USUAL_PENALTY)
    if decay >= strong:
        yield Violation(
            ("optimizer", "weight_decay"),
            f"a weight decay of {decay:g} pulls the weights to 0 faster than most losses let them grow",
            f"set optimizer.weight_decay: {usual:g}",
            (f"optimizer.weight_decay={usual:g}",),
        )


_BLOBS: Final = "dataset: synthetic_classification\nloss: cross_entropy\n"

DECAY_RULES: Final[dict[str, Rule]] = {
    "coupled_decay": Rule(
        check=coupled_decay,
        severity="warn",
        meaning="A weight decay as large as adamw's must be applied to the weights.",
        why="Plain Adam adds it to the gradient and then divides by the gradient's size. Weights with large gradients "
        "hardly decay, and weights with small gradients decay too fast (Loshchilov and Hutter 2019).",
        example=Example(
            f"{_BLOBS}optimizer: {{name: adam, weight_decay: 0.01}}\nlearning_rate: 0.001",
            f"{_BLOBS}optimizer: {{name: adamw, weight_decay: 0.01}}\nlearning_rate: 0.001",
        ),
    ),
    "strong_decay": Rule(
        check=strong_decay,
        explains=True,
        severity="warn",
        meaning="The weight decay must not be so strong that all weights stay near 0.",
        why="Each step multiplies every weight by 1 - rate x decay. With a decay of 1, hidden layers shrink until "
        "nothing about the inputs reaches the outputs. Usual decays are 1e-5 to 1e-2 for sgd and adam, and 1e-3 to "
        "0.3 for adamw.",
        example=Example(
            f"{_BLOBS}optimizer: {{name: sgd, weight_decay: 1.0}}\nlearning_rate: 0.1",
            f"{_BLOBS}optimizer: {{name: sgd, weight_decay: 1e-4}}\nlearning_rate: 0.1",
        ),
    ),
}
