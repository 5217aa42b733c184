"""The schedules of the learning rate that a config may name.

Every length is in epochs; torch counts calls of the scheduler, and Keras counts steps. Every level is a share of the
configured learning rate; their `eta_min` and `end_learning_rate` are rates. Only reduce_on_plateau looks at results.

Schedules that count epochs (step, multi_step, exponential, inverse_time, piecewise_constant, reduced_start) count from
the start of the run, warm-up included. Schedules that span a time (linear, polynomial, cosine, cosine_restarts, cyclic,
one_cycle) begin when the warm-up ends, and change the rate at every step.

The module is one table of declarations, so it is longer than others.
"""

from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any, Final, Literal

from lossrun.catalog.alias import also
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.parameter import REQUIRED, Parameter

WARMUP: Final = Parameter(
    "warmup_epochs", float, 0.0, "length of a linear rise from near 0 at the start", unit="epochs", at_least=0
)
OVER: Final = Parameter(
    "over_epochs",
    float | None,
    None,
    "how long the change takes; afterwards the last share holds. Left out: the rest of the run after the warm-up",
    unit="epochs",
    above=0,
)
FINAL_FRACTION: Final = Parameter(
    "final_fraction", float, 0.0, "share of the rate left at the end", at_least=0, at_most=1, aliases=("alpha",)
)
BY_EPOCHS: Final = "PyTorch moves the rate once an epoch, lossrun at every step"


def stairs_without_a_share(parameters: Mapping[str, Any]) -> str:
    boundaries, fractions = parameters.get("boundaries", []), parameters.get("fractions", [])
    if len(boundaries) != len(fractions):
        return (
            f"boundaries and fractions have {len(boundaries)} and {len(fractions)} entries; expected one fraction for "
            "each boundary (before the first boundary the fraction is 1)"
        )
    if any(one >= other for one, other in pairwise(boundaries)):
        return f"boundaries are {boundaries}; expected each later than the one before"
    return ""


SCHEDULES: Final[tuple[Schedule, ...]] = (
    Schedule(
        name="constant",
        moves=False,
        meaning="the same rate throughout",
        formula="rate",
        when="The first choice to compare losses and optimizers, because nothing else changes. In the last epochs the "
        "weights jitter as widely as the rate allows.",
        parameters=(WARMUP,),
        aliases=also("none"),
    ),
    Schedule(
        name="step",
        meaning="multiplies the rate by gamma at a fixed interval of epochs",
        formula="rate gamma^floor(epoch / every)",
        when="Long runs with sgd: after each drop the weights settle and the loss falls visibly.",
        parameters=(
            Parameter("every", int, 10, "length of a stair", unit="epochs", at_least=1, aliases=("step_size",)),
            Parameter("gamma", float, 0.1, "factor at each stair", above=0, at_most=1),
            WARMUP,
        ),
        aliases=also("StepLR"),
    ),
    Schedule(
        name="multi_step",
        meaning="multiplies the rate by gamma after each listed epoch",
        formula="rate gamma^(milestones passed)",
        when="Like step, with drops at epochs that you choose, as published recipes list them.",
        source="He et al. 2016, Deep Residual Learning for Image Recognition, section 4.2",
        parameters=(
            Parameter("milestones", list[int], REQUIRED, "the epochs", unit="epochs", at_least=1, example=[10, 20]),
            Parameter("gamma", float, 0.1, "factor at each milestone", above=0, at_most=1),
            WARMUP,
        ),
        aliases=also("MultiStepLR"),
    ),
    Schedule(
        name="piecewise_constant",
        meaning="the full rate at first, then a fraction of it from each boundary on",
        formula="rate times the fraction of the last boundary passed",
        when="Any staircase, up or down, when the single factor of multi_step is not enough.",
        parameters=(
            # Keras' list of values begins with the rate before the first boundary; here that is learning_rate.
            Parameter(
                "boundaries", list[float], REQUIRED, "when the share changes", unit="epochs", above=0, example=[10, 20]
            ),
            Parameter(
                "fractions",
                list[float],
                REQUIRED,
                "share of the rate from each boundary on",
                at_least=0,
                example=[0.5, 0.1],
            ),
            WARMUP,
        ),
        # Keras changes the rate one step later: a step equal to a boundary still has the old rate.
        aliases=also("PiecewiseConstantDecay", "piecewise_constant_decay"),
        contradiction=stairs_without_a_share,
    ),
    Schedule(
        name="reduced_start",
        meaning="the rate times factor for the first epochs, then the full rate",
        formula="rate factor for the first for_epochs epochs, then rate",
        when="When the first steps diverge at the full rate. A warm-up (warmup_epochs, available with every schedule) "
        "rises smoothly instead.",
        source="He et al. 2016, Deep Residual Learning for Image Recognition, section 4.2",
        parameters=(
            Parameter("factor", float, 1 / 3, "share of the rate at first", above=0, at_most=1),
            Parameter("for_epochs", float, 5.0, "how long", unit="epochs", above=0, aliases=("total_iters",)),
            WARMUP,
        ),
        aliases=also("ConstantLR"),
    ),
    Schedule(
        name="exponential",
        meaning="multiplies the rate by gamma once per period, in stairs or step by step",
        formula="rate gamma^(epoch / every), whole epochs only in stairs",
        when="A steady fall that does not depend on the length of the run.",
        parameters=(
            Parameter("gamma", float, 0.95, "factor for each period", above=0, at_most=1, aliases=("decay_rate",)),
            Parameter("every", float, 1.0, "length of the period", unit="epochs", above=0),
            Parameter("staircase", bool, True, "change only after whole periods; false: a little at each step"),
            WARMUP,
        ),
        aliases=(
            *also("ExponentialLR"),
            *also("ExponentialDecay", "exponential_decay", staircase=False),
        ),
    ),
    Schedule(
        name="inverse_time",
        meaning="rate / (1 + decay * time): step by step, or in stairs",
        formula="rate / (1 + decay epoch / every)",
        when="A fall that slows down: the classic schedule for sgd, used in its convergence proofs.",
        source="Robbins and Monro 1951; Darken and Moody 1990, Note on Learning Rate Schedules for Stochastic "
        "Optimization",
        parameters=(
            Parameter("decay", float, 0.1, "decay for each period", at_least=0, aliases=("decay_rate",)),
            Parameter("every", float, 1.0, "length of the period", unit="epochs", above=0),
            Parameter("staircase", bool, False, "change only after whole periods"),
            WARMUP,
        ),
        aliases=also("InverseTimeDecay", "inverse_time_decay"),
    ),
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
            *also("OneCycleLR", remark="PyTorch moves the momentum the other way unless told cycle_momentum=False"),
        ),
        depends_on_length=True,
    ),
    Schedule(
        name="reduce_on_plateau",
        meaning="multiplies the rate by factor when the watched metric stops improving",
        formula="rate factor^k, at least min_rate; k counts how often the watched metric stalled",
        when="When you do not know when progress will stall. Each seed then has its own rate, so seeds train one by "
        "one.",
        source="Krizhevsky, Sutskever and Hinton 2012, ImageNet Classification, section 5 (by hand)",
        parameters=(
            Parameter("factor", float, 0.1, "what the rate is multiplied by", above=0, below=1),
            Parameter("patience", int, 10, "epochs without improvement to allow", unit="epochs", at_least=0),
            Parameter("threshold", float, 1e-4, "improvement that counts", at_least=0, aliases=("min_delta",)),
            Parameter(
                "threshold_mode",
                Literal["rel", "abs"],
                "rel",
                "rel: threshold is a share of the best value so far; abs: it is a difference",
            ),
            Parameter(
                "counting",
                Literal["pytorch", "keras"],
                "pytorch",
                "pytorch: reduce after more than patience epochs without improvement; keras: after patience epochs, "
                "and the last epoch of a cooldown counts already",
            ),
            Parameter("cooldown", int, 0, "epochs to wait after a reduction", unit="epochs", at_least=0),
            Parameter("min_rate", float, 0.0, "the rate never falls below it", at_least=0, aliases=("min_lr",)),
            Parameter("metric", str, "auto", "the metric to watch; auto: val_loss, or train_loss without validation"),
            Parameter(
                "mode",
                Literal["auto", "min", "max"],
                "auto",
                "whether lower or higher is better; auto: as the metric declares",
            ),
            WARMUP,
        ),
        aliases=(
            *also("ReduceLROnPlateau"),
            *also("keras.ReduceLROnPlateau", threshold_mode="abs", counting="keras"),
        ),
    ),
)


def epochs_as_in_pytorch(plateau: Mapping[str, Any]) -> dict[str, int]:
    """Return the patience and cooldown of a reduce_on_plateau, counted in PyTorch's way.

    Keras reduces in the epoch that makes patience full, PyTorch in the next one, and Keras counts the last epoch of a
    cooldown already. A patience or cooldown of 0 is the same as 1 in Keras.
    """
    epochs = {name: plateau[name] for name in ("patience", "cooldown")}
    return {name: max(count - 1, 0) for name, count in epochs.items()} if plateau["counting"] == "keras" else epochs


def waits_for_results(name: str) -> bool:
    """Return whether a schedule watches a metric of the run, so that each seed has its own learning rate."""
    return any(schedule.waits_for_results for schedule in SCHEDULES if schedule.name == name)


@cache
def moves(name: str) -> bool:
    """Return whether the rate of a schedule changes at all; a warm-up does not count."""
    return any(schedule.moves for schedule in SCHEDULES if schedule.name == name)
