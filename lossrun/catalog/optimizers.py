"""The optimizers a config may name, with torch's own defaults (momentum 0)."""

from typing import Final

from lossrun.catalog.declaration import Optimizer, Parameter, also

MOMENTUM: Final = Parameter("momentum", float, 0.0, "share of the last update kept", at_least=0, below=1)
WEIGHT_DECAY: Final = Parameter("weight_decay", float, 0.0, "L2 penalty added to the gradient", at_least=0)
BETAS: Final = Parameter("betas", list[float], [0.9, 0.999], "decay of the two running means", at_least=0, below=1)
AMSGRAD: Final = Parameter("amsgrad", bool, False, "divide by the largest second moment so far")


def eps(default: float) -> Parameter:
    return Parameter("eps", float, default, "added to the denominator", above=0, aliases=("epsilon",))


OPTIMIZERS: Final[tuple[Optimizer, ...]] = (
    Optimizer(
        name="sgd",
        meaning="stochastic gradient descent, plain or with (Nesterov) momentum",
        parameters=(
            MOMENTUM,
            Parameter("nesterov", bool, False, "look ahead along the momentum; needs momentum above 0"),
            Parameter("dampening", float, 0.0, "share of the gradient that momentum leaves out", at_least=0, at_most=1),
            WEIGHT_DECAY,
        ),
        aliases=(
            *also("gradient_descent", "GradientDescentOptimizer"),
            *also("MomentumOptimizer", "momentum", momentum=0.9),
        ),
        elementwise=True,
        usual_rates=(1e-4, 5.0),
    ),
    Optimizer(
        name="adam",
        meaning="per-weight step sizes from running means of the gradient and its square",
        parameters=(BETAS, eps(1e-8), WEIGHT_DECAY, AMSGRAD),
        aliases=(
            *also("AdamOptimizer"),
            *also("keras.Adam", eps=1e-7),
            *also("tf.AdamOptimizer", eps=1e-8),
        ),
        elementwise=True,
        usual_rates=(1e-5, 3e-2),
    ),
    Optimizer(
        name="adamw",
        meaning="Adam with weight decay applied to the weights instead of the gradient",
        parameters=(
            BETAS,
            eps(1e-8),
            Parameter(
                "weight_decay", float, 1e-2, "share of the weights removed per unit of learning rate", at_least=0
            ),
            AMSGRAD,
        ),
        aliases=also("keras.AdamW", eps=1e-7, weight_decay=4e-3),
        elementwise=True,
        usual_rates=(1e-5, 3e-2),
    ),
    Optimizer(
        name="rmsprop",
        meaning="gradient divided by the root of its running mean square",
        parameters=(
            Parameter("alpha", float, 0.99, "decay of the mean square", at_least=0, below=1, aliases=("rho",)),
            eps(1e-8),
            MOMENTUM,
            Parameter("centered", bool, False, "divide by the variance instead of the mean square"),
            WEIGHT_DECAY,
        ),
        aliases=(
            *also("keras.RMSprop", alpha=0.9, eps=1e-7),
            *also("RMSPropOptimizer", "tf.RMSPropOptimizer", alpha=0.9, eps=1e-10),
        ),
        elementwise=True,
        usual_rates=(1e-5, 3e-2),
    ),
    Optimizer(
        name="adagrad",
        meaning="gradient divided by the root of the sum of all its squares: the rate only falls",
        parameters=(
            Parameter("lr_decay", float, 0.0, "fall of the rate per step", unit="1/step", at_least=0),
            Parameter("initial_accumulator_value", float, 0.0, "the sum of squares at the start", at_least=0),
            eps(1e-10),
            WEIGHT_DECAY,
        ),
        aliases=(
            *also("keras.Adagrad", initial_accumulator_value=0.1, eps=1e-7),
            *also("AdagradOptimizer", "tf.AdagradOptimizer", initial_accumulator_value=0.1),
        ),
        elementwise=True,
        usual_rates=(1e-4, 1.0),
    ),
)
