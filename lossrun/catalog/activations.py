"""The activations that the hidden layers of a model may have. Each is a module of `torch.nn` with torch's defaults."""

from typing import Final

from lossrun.catalog.alias import also
from lossrun.catalog.declaration import Activation

ACTIVATIONS: Final[tuple[Activation, ...]] = (
    Activation(
        name="relu",
        meaning="0 below 0, the identity above",
        formula="max(0, x)",
        when="The default. It is cheap, and its slope does not shrink for large x. A unit whose x is below 0 for every "
        "sample has no gradient and cannot recover; if many units die, use leaky_relu or a smaller learning rate. It "
        "goes well with he_normal and he_uniform.",
        source="Nair and Hinton 2010, Rectified Linear Units Improve Restricted Boltzmann Machines",
        aliases=also("ReLU"),
        torch_class="ReLU",
    ),
    Activation(
        name="tanh",
        meaning="from -1 to 1, centred on 0",
        formula="(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        when="Small networks and smooth functions. Far from 0 it is flat, so deep networks learn slowly. It goes "
        "well with glorot_normal and glorot_uniform.",
        source="LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp",
        aliases=also("Tanh"),
        torch_class="Tanh",
        slope=1.0,
    ),
    Activation(
        name="sigmoid",
        meaning="from 0 to 1",
        formula="1 / (1 + exp(-x))",
        when="For textbook examples. Its slope is at most 1/4, so gradients shrink with every layer: prefer tanh, or "
        "relu.",
        source="Rumelhart, Hinton and Williams 1986, Learning representations by back-propagating errors",
        aliases=also("Sigmoid"),
        torch_class="Sigmoid",
        slope=0.25,
    ),
    Activation(
        name="leaky_relu",
        meaning="relu with a slope of 0.01 below 0",
        formula="x where x > 0, else 0.01 x",
        when="Like relu, when units die: a unit below 0 keeps a small gradient and can recover.",
        source="Maas, Hannun and Ng 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models",
        torch_class="LeakyReLU",
    ),
    Activation(
        name="elu",
        meaning="the identity above 0, a smooth curve down to -1 below",
        formula="x where x > 0, else exp(x) - 1",
        when="Like relu, with outputs of a mean nearer to 0 and a gradient below 0.",
        source="Clevert, Unterthiner and Hochreiter 2016, Fast and Accurate Deep Network Learning by ELUs",
        torch_class="ELU",
    ),
    Activation(
        name="selu",
        meaning="elu, scaled so that mean 0 and variance 1 pass from layer to layer",
        formula="1.0507 (x where x > 0, else 1.6733 (exp(x) - 1))",
        when="Deep dense networks without batch norm, on standardized inputs. Dropout breaks its scaling.",
        source="Klambauer, Unterthiner, Mayr and Hochreiter 2017, Self-Normalizing Neural Networks",
        torch_class="SELU",
    ),
    Activation(
        name="gelu",
        meaning="a smooth relu: x times the chance that a standard normal number is below x",
        formula="x Phi(x), Phi the normal distribution function",
        when="When a smooth relu helps; usual in transformers.",
        source="Hendrycks and Gimpel 2016, Gaussian Error Linear Units, arXiv:1606.08415",
        torch_class="GELU",
    ),
    Activation(
        name="silu",
        meaning="a smooth relu: x times its sigmoid",
        formula="x / (1 + exp(-x))",
        when="Like gelu, and a little cheaper.",
        source="Elfwing, Uchibe and Doya 2018; as swish Ramachandran, Zoph and Le 2017",
        aliases=also("swish"),
        torch_class="SiLU",
    ),
    Activation(
        name="softplus",
        meaning="a smooth relu that is always above 0",
        formula="ln(1 + exp(x))",
        when="When outputs of a layer must be above 0 and smooth. Elsewhere silu usually learns faster.",
        source="Dugas, Bengio, Belisle, Nadeau and Garcia 2001",
        torch_class="Softplus",
    ),
    Activation(
        name="none",
        meaning="no activation: the layers together are one linear map",
        formula="x",
        when="To see what the activation contributes.",
        aliases=also("linear", "Linear", "identity", "Identity"),
        torch_class="Identity",
        slope=1.0,
    ),
)
