"""The schedules that span a time. They begin when the warm-up ends, and change the rate at every step."""

from typing import Final, Literal

from lossrun.catalog.alias import also
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.parameter import REQUIRED, Parameter
from lossrun.catalog.schedules.parameters import BY_EPOCHS, FINAL_FRACTION, OVER, WARMUP

BY_PROGRESS: Final[tuple[Schedule, ...]] = (
    Schedule(
        name="linear",
        meaning="a straight line from start_fraction of the rate to final_fraction of it",
        formula="rate (start_fraction + (final_fraction - start_fraction) progress)",
        when="The simplest fall to 0 over the run, and hard to beat; usual for transformers, with a warm-up.",
        parameters=(
            Parameter("start_fraction", float, 1.0, "share of the rate at the start", above=0, at_most=1),
            FINAL_FRACTION,
            OVER,
            WARMUP,
        ),
        # With torch's own defaults it is a warm-up.
        aliases=also("LinearLR", start_fraction=1 / 3, final_fraction=1.0, over_epochs=5.0, remark=BY_EPOCHS),
        depends_on_length=True,
    ),
    Schedule(
        name="polynomial",
        meaning="from the rate down to final_fraction of it, as (1 - time)^power",
        formula="rate (final_fraction + (1 - final_fraction) (1 - progress)^power)",
        when="With power 1 it is linear; a larger power falls sooner. 0.9 is usual in segmentation, 2 elsewhere.",
        source="Chen et al. 2018, DeepLab",
        parameters=(
            Parameter("power", float, 1.0, "1 is a straight line; more falls sooner", above=0),
            FINAL_FRACTION,
            OVER,
            WARMUP,
        ),
        aliases=(
            *also("poly"),
            *also("PolynomialLR", over_epochs=5.0, remark=BY_EPOCHS),
            *also(
                "PolynomialDecay",
                "polynomial_decay",
                remark="by default Keras and TensorFlow end at a rate of 0.0001, lossrun at 0 (final_fraction)",
            ),
        ),
        depends_on_length=True,
    ),
    Schedule(
        name="cosine",
        meaning="half a cosine from the rate down to final_fraction of it, step by step, over the whole run",
        formula="rate (final_fraction + (1 - final_fraction) (1 + cos(pi progress)) / 2)",
        when="A good default for a run of known length: the rate stays high for long, then falls to fine steps. If a "
        "run stops early, its rate has not yet fallen.",
        source="Loshchilov and Hutter 2017, SGDR: Stochastic Gradient Descent with Warm Restarts",
        parameters=(WARMUP, FINAL_FRACTION, OVER),
        aliases=(
            *also("CosineDecay", "cosine_decay"),
            *also("CosineAnnealingLR", remark=f"{BY_EPOCHS}; after T_max PyTorch's rate rises again, and ours stays"),
        ),
        depends_on_length=True,
    ),
    Schedule(
        name="cosine_restarts",
        meaning="repeated half cosines, each from the rate down to final_fraction of it",
        formula="as cosine in each cycle, cycle i of first_epochs growth^i epochs from a top of peak_factor^i",
        when="Runs of open length: the end of each cycle is a good place to stop. Elsewhere the rate is still high.",
        source="Loshchilov and Hutter 2017, SGDR: Stochastic Gradient Descent with Warm Restarts",
        parameters=(
            Parameter(
                "first_epochs",
                float,
                REQUIRED,
                "length of the first cycle",
                unit="epochs",
                above=0,
                aliases=("T_0",),
                example=10,
            ),
            Parameter(
                "growth",
                float,
                1.0,
                "factor of the length, from one cycle to the next",
                at_least=1,
                aliases=("T_mult", "t_mul"),
            ),
            Parameter(
                "peak_factor",
                float,
                1.0,
                "factor of the highest rate, from one cycle to the next",
                above=0,
                aliases=("m_mul",),
            ),
            FINAL_FRACTION,
            WARMUP,
        ),
        aliases=(
            *also("sgdr"),
            *also("CosineAnnealingWarmRestarts", remark=BY_EPOCHS),
            *also("CosineDecayRestarts", "cosine_decay_restarts", growth=2.0),
        ),
    ),
    Schedule(
        name="cyclic",
        meaning="rises to the rate and falls again, repeatedly; the momentum does not change",
        formula="rate (base_fraction + (1 - base_fraction) h), h from 0 to 1 and back in straight lines",
        when="To search a range of rates within one run, and to escape poor minima. The learning rate is the highest "
        "one.",
        source="Smith 2017, Cyclical Learning Rates for Training Neural Networks",
        parameters=(
            Parameter("base_fraction", float, 0.1, "share of the rate at the bottom", at_least=0, at_most=1),
            Parameter("up_epochs", float, 2.0, "length of the rise", unit="epochs", above=0),
            Parameter(
                "down_epochs", float | None, None, "length of the fall; left out: up_epochs", unit="epochs", above=0
            ),
            Parameter(
                "mode",
                Literal["triangular", "triangular2", "exp_range"],
                "triangular",
                "the highest rate of each cycle: the same, halved each time, or falling with gamma",
            ),
            Parameter("gamma", float, 1.0, "factor of the highest rate per epoch, for exp_range", above=0, at_most=1),
            WARMUP,
        ),
        aliases=also(
            "CyclicLR",
            "CyclicalLearningRate",
            remark="PyTorch and TensorFlow Addons state the bottom and the top as rates, lengths and gamma in steps, "
            "and PyTorch moves the momentum the other way; here learning_rate is the top",
        ),
    ),
    Schedule(
        name="one_cycle",
        meaning="rises from a fraction to the rate, then falls to nearly 0 over the whole run; the momentum does not "
        "change",
        formula="rate / div_factor up to rate after pct_start of the run, then down to rate / div_factor / "
        "final_div_factor",
        when="Short runs at a high rate. The learning rate is the highest one, several times a good constant rate. "
        "Unlike in torch, the momentum does not cycle against it.",
        source="Smith and Topin 2018, Super-Convergence",
        parameters=(
            Parameter("pct_start", float, 0.3, "share of the run for the rise", at_least=0, at_most=1),
            Parameter("div_factor", float, 25.0, "the start is the rate divided by this", at_least=1),
            Parameter("final_div_factor", float, 1e4, "the end is the start divided by this", above=0),
            Parameter(
                "anneal",
                Literal["cos", "linear"],
                "cos",
                "shape of the rise and the fall",
                aliases=("anneal_strategy",),
            ),
            Parameter(
                "three_phase", bool, False, "fall in two parts: to the first rate as fast as it rose, then to the last"
            ),
            WARMUP,
        ),
        aliases=(
            *also("super_convergence"),
            *also("OneCycleLR", remark="PyTorch moves the momentum the other way unless it gets cycle_momentum=False"),
        ),
        depends_on_length=True,
    ),
)
