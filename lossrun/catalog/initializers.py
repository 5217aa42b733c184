"""The initializers of a model's weights. Each is a function of its name in `components/initializers.py`."""

from typing import Final

from lossrun.catalog.alias import Alias, also, in_keras
from lossrun.catalog.declaration import Initializer
from lossrun.catalog.parameter import Key, Parameter

BIAS: Final = Parameter("bias", float, 0.0, "first value of every bias")
STD: Final = Parameter("std", float, 0.05, "standard deviation", above=0)
BIAS_STD: Final = Parameter("bias_std", float, 0.0, "standard deviation of the biases around `bias`", at_least=0)


TRUNCATED: Final = Parameter(
    "truncated", bool, False, "redraw values beyond two standard deviations and keep the variance, as Keras does"
)


def _initializer(
    name: str,
    meaning: str,
    *parameters: Key,
    aliases: tuple[Alias, ...] = (),
    by_size: bool = True,
    varies: bool = True,
) -> Initializer:
    return Initializer(
        name=name,
        meaning=meaning,
        parameters=(*parameters, BIAS),
        aliases=aliases,
        by_size=by_size,
        varies=varies,
    )


INITIALIZERS: Final[tuple[Initializer, ...]] = (
    Initializer(
        name="torch",
        meaning="torch's default: weights and biases uniform within 1/sqrt(fan_in)",
        aliases=also("default"),
    ),
    _initializer("glorot_uniform", "uniform within sqrt(6 / (fan_in + fan_out))", aliases=also("xavier_uniform")),
    _initializer(
        "glorot_normal",
        "normal, variance 2 / (fan_in + fan_out)",
        TRUNCATED,
        aliases=(*also("xavier_normal"), *in_keras("GlorotNormal", truncated=True)),
    ),
    _initializer("he_uniform", "uniform within sqrt(6 / fan_in)", aliases=also("kaiming_uniform")),
    _initializer(
        "he_normal",
        "normal, variance 2 / fan_in",
        TRUNCATED,
        aliases=(*also("kaiming_normal"), *in_keras("HeNormal", truncated=True)),
    ),
    _initializer(
        "normal",
        "normal around 0",
        STD,
        BIAS_STD,
        aliases=(
            *also("random_normal"),
            *also("normal_", "torch.normal", "tf.normal", "tf.random_normal", std=1.0),
        ),
        by_size=False,
    ),
    _initializer(
        "truncated_normal",
        "normal around 0, redrawn beyond two standard deviations",
        STD,
        BIAS_STD,
        aliases=also("trunc_normal", "torch.trunc_normal", "tf.truncated_normal", std=1.0),
        by_size=False,
    ),
    _initializer(
        "constant",
        "the same value everywhere",
        Parameter("value", float, 0.0, "every weight"),
        by_size=False,
        varies=False,
    ),
)
