"""Parameters that several optimizers share, and checks of parameters that contradict each other."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.parameter import Parameter
from lossrun.digits import apart

MOMENTUM: Final = Parameter("momentum", float, 0.0, "share of the previous update to keep", at_least=0, below=1)
WEIGHT_DECAY: Final = Parameter("weight_decay", float, 0.0, "L2 penalty added to the gradient", at_least=0)
DECOUPLED: Final = Parameter(
    "decoupled_weight_decay", bool, False, "decay the weights themselves instead of the gradient, as adamw does"
)
BETAS: Final = Parameter("betas", list[float], [0.9, 0.999], "decay of the two running means", at_least=0, below=1)
AMSGRAD: Final = Parameter("amsgrad", bool, False, "divide by the largest second moment so far")


def eps(default: float) -> Parameter:
    return Parameter("eps", float, default, "added to the denominator", above=0, aliases=("epsilon",))


def decay_of_weights(default: float, name: str = "weight_decay", aliases: tuple[str, ...] = ()) -> Parameter:
    meaning = "share of the weights removed per unit of learning rate"
    return Parameter(name, float, default, meaning, at_least=0, aliases=aliases)


def decays_through_gradient(optimizer: Optimizer, parameters: Mapping[str, Any]) -> bool:
    """Return whether a weight decay is set that is added to the gradient, while Keras subtracts it from the weights.

    For gradient descent without momentum the two are the same.
    """
    coupled = optimizer.parameter("weight_decay") == WEIGHT_DECAY and optimizer.parameter(DECOUPLED.name) is None
    plain = optimizer.scales_with_gradient and not parameters.get("momentum")
    return coupled and not plain and bool(parameters.get("weight_decay"))


def nesterov_without_momentum(parameters: Mapping[str, Any]) -> str:
    if parameters.get("nesterov") and not (parameters.get("momentum") and not parameters.get("dampening")):
        return (
            f"nesterov looks ahead along the momentum, but momentum is {parameters.get('momentum', 0)} and dampening "
            f"{parameters.get('dampening', 0)}; set momentum above 0 (0.9 is usual) and dampening to 0, or nesterov to "
            "false"
        )
    return ""


def wrong_count(parameters: Mapping[str, Any], **counts: int) -> str:
    """Return what is wrong with the lengths of lists, or ""; `counts` has the length that each list must have."""
    for name, count in counts.items():
        if name in parameters and len(parameters[name]) != count:
            given = len(parameters[name])
            return f"{name} has {given} number{'' if given == 1 else 's'}; expected {count}, as in its default"
    return ""


def crossed_step_sizes(parameters: Mapping[str, Any]) -> str:
    smallest, largest = parameters.get("step_size_min", 1e-6), parameters.get("step_size_max", 50.0)
    if smallest > largest:
        low, high = apart(smallest, largest)
        return f"step_size_min {low} is above step_size_max {high}; expected it to be below"
    return ""


TWO_BETAS: Final = partial(wrong_count, betas=2)
