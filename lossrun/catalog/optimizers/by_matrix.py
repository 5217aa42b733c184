"""The optimizers that look at a matrix of weights as a whole. None can be stacked over seeds."""

from functools import partial
from typing import Final, Literal

from lossrun.catalog.alias import also
from lossrun.catalog.declaration import Optimizer
from lossrun.catalog.optimizers.parameters import (
    decay_of_weights,
    wrong_count,
)
from lossrun.catalog.parameter import Parameter

BY_MATRIX: Final[tuple[Optimizer, ...]] = (
    Optimizer(
        name="adafactor",
        meaning="steps in proportion to the size of a matrix, scaled by mean squares of its rows and columns; the "
        "share is at most the learning rate, and later 1/sqrt(step)",
        formula="w - a g / sqrt(v) clipped to size d, v from means of g^2 by row and column, a = max(eps2, size of "
        "w) min(rate, 1/sqrt(step))",
        when="Large matrices, with little memory for the optimizer's state. The learning rate is the largest relative "
        "change of the weights, usually 0.01; from step 1 / rate^2 on the change is 1/sqrt(step), whatever the rate.",
        source="Shazeer and Stern 2018, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost",
        parameters=(
            Parameter(
                "beta2_decay",
                float,
                -0.8,
                "power of the step; each mean square weights a new gradient by step^beta2_decay",
                at_most=0,
                aliases=("beta_2_decay",),
            ),
            Parameter(
                "eps1",
                float | None,
                None,
                "lowest root of a mean square; left out: the machine epsilon of the number type",
                at_least=0,
                aliases=("epsilon_1",),
            ),
            Parameter(
                "eps2", float, 1e-3, "size of a matrix counts as at least this", at_least=0, aliases=("epsilon_2",)
            ),
            Parameter(
                "d",
                float,
                1.0,
                "root mean square above which an update is clipped",
                at_least=1,
                aliases=("clip_threshold",),
            ),
            decay_of_weights(0.0),
        ),
        # Keras' 1e-30 is the square of this eps1.
        aliases=also("keras.Adafactor", eps1=1e-15),
        torch_class="Adafactor",
        pairs={"eps": ("eps1", "eps2")},
        elementwise=False,
        usual_rates=(1e-4, 0.1),
    ),
    Optimizer(
        name="muon",
        meaning="orthogonalized momentum for the matrices and convolutions of hidden layers; adamw trains the biases, "
        "norms and the output layer",
        formula="w - rate weight_decay w - rate s O(m), O(m) = U V' for m = U S V', m the running mean of g, s by "
        "the shape",
        when="Networks with hidden layers: all directions of a matrix learn equally fast, also those with small "
        "gradients. With adjust_lr_fn: match_rms_adamw it takes the learning rates of adamw. With original, a rate of "
        "0.02 and adamw_rate_share: 0.015 are usual. A model without hidden layers is trained by adamw alone.",
        source="Jordan et al. 2024, Muon: An optimizer for hidden layers in neural networks; Liu et al. 2025, Muon "
        "is Scalable for LLM Training",
        parameters=(
            Parameter("momentum", float, 0.95, "share of the previous update to keep", at_least=0, below=1),
            Parameter("nesterov", bool, True, "look ahead along the momentum"),
            decay_of_weights(0.1),
            Parameter(
                # Not torch's default "original", because its learning rates are tens of times too large for adamw.
                "adjust_lr_fn",
                Literal["original", "match_rms_adamw"],
                "match_rms_adamw",
                "size of a matrix's updates: set by its shape alone (original), or as large as those of adamw",
            ),
            Parameter("ns_steps", int, 5, "Newton-Schulz iterations", at_least=1, at_most=99),
            Parameter(
                "ns_coefficients",
                list[float],
                [3.4445, -4.775, 2.0315],
                "factors of X, XX'X and XX'XX'X in each iteration that orthogonalizes a matrix X",
            ),
            Parameter("eps", float, 1e-7, "lowest norm to divide by", above=0),
            Parameter("adamw_betas", list[float], [0.9, 0.999], "betas of adamw's part", at_least=0, below=1),
            Parameter("adamw_eps", float, 1e-8, "eps of adamw's part", above=0, aliases=("epsilon",)),
            decay_of_weights(1e-2, "adamw_weight_decay", ("adam_weight_decay",)),
            Parameter(
                "adamw_rate_share",
                float,
                1.0,
                "share of the learning rate for adamw's part",
                above=0,
                aliases=("adam_lr_ratio",),
            ),
        ),
        aliases=(
            *also("torch.Muon", adjust_lr_fn="original"),
            *also("keras.Muon", weight_decay=4e-3, adamw_weight_decay=4e-3, adamw_eps=1e-7),
        ),
        elementwise=False,
        usual_rates=(1e-5, 0.1),
        keeps=1,
        contradiction=partial(wrong_count, ns_coefficients=3, adamw_betas=2),
    ),
)
