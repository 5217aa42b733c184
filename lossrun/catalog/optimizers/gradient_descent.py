"""The optimizers that move all weights by their gradients, with one learning rate for all."""

from typing import Final

from lossrun.catalog.alias import also
from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.optimizers.parameters import (
    MOMENTUM,
    WEIGHT_DECAY,
    nesterov_without_momentum,
)
from lossrun.catalog.parameter import Parameter

GRADIENT_DESCENT: Final[tuple[Optimizer, ...]] = (
    Optimizer(
        name="sgd",
        meaning="stochastic gradient descent, plain or with (Nesterov) momentum",
        formula="w - rate v, v = momentum v + (1 - dampening) g, v = g at first; nesterov: w - rate (g + momentum v)",
        when="The simplest optimizer. With momentum 0.9 and a falling rate it often generalises best on images. Its "
        "steps are as large as the gradient, so another loss or reduction needs another learning rate, and the inputs "
        "should be standardized.",
        source="Robbins and Monro 1951, A Stochastic Approximation Method; momentum: Polyak 1964, Nesterov 1983",
        parameters=(
            MOMENTUM,
            Parameter("nesterov", bool, False, "Nesterov momentum; needs momentum above 0"),
            Parameter("dampening", float, 0.0, "share of the gradient left out of the momentum", at_least=0, at_most=1),
            WEIGHT_DECAY,
        ),
        aliases=(
            *also("gradient_descent", "GradientDescentOptimizer"),
            *also("MomentumOptimizer", "momentum", momentum=0.9),
        ),
        torch_class="SGD",
        fused_on=("cpu", "cuda"),
        elementwise=True,
        linear_in_rate=True,
        usual_rates=(1e-4, 5.0),
        scales_with_gradient=True,
        keeps_for=("momentum",),
        keeps_late=True,
        contradiction=nesterov_without_momentum,
    ),
    Optimizer(
        name="asgd",
        meaning="gradient descent with a falling rate and weight decay; it averages the weights but, as in torch, "
        "does not use the average",
        formula="w - eta (g + lambd w), eta = rate / (1 + lambd rate step)^alpha, of the step before",
        when="Only to compare with torch's ASGD. The averaged weights, the purpose of the method, are kept from step "
        "t0 on, but neither torch nor lossrun evaluates them. A schedule takes effect one step late.",
        source="Polyak and Juditsky 1992, Acceleration of Stochastic Approximation by Averaging",
        parameters=(
            Parameter("lambd", float, 1e-4, "decay of the weights, and of the rate", at_least=0, aliases=("lambda",)),
            Parameter("alpha", float, 0.75, "power of the decay of the rate", at_least=0),
            Parameter("t0", float, 1e6, "when to start averaging", unit="steps", at_least=0),
            WEIGHT_DECAY,
        ),
        aliases=also("averaged_sgd"),
        torch_class="ASGD",
        capturable=True,
        elementwise=True,
        usual_rates=(1e-4, 5.0),
        keeps=1,
        scales_with_gradient=True,
    ),
)
