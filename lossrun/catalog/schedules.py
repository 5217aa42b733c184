"""How the learning rate moves. Every length is in epochs, where torch's count calls of the scheduler and Keras' count
steps; a share is of the configured learning rate, where their `eta_min` or `end_learning_rate` is a rate. Only
reduce_on_plateau looks at results.

Schedules that count (step, multi_step, exponential, inverse_time, piecewise_constant, reduced_start) count from the
start of the run, warm-up included; those that span a time (linear, polynomial, cosine, cosine_restarts, cyclic,
one_cycle) begin when the warm-up ends, and move step by step.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final, Literal

from lossrun.catalog.declaration import Schedule, also
from lossrun.catalog.parameter import REQUIRED, Parameter

WARMUP: Final = Parameter(
    "warmup_epochs", float, 0.0, "rate rises in a straight line from near 0, step by step", unit="epochs", at_least=0
)
OVER: Final = Parameter(
    "over_epochs",
    float | None,
    None,
    "how long it takes, the last share holding afterwards; left out: what the warm-up leaves of the run",
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
            f"boundaries and fractions have {len(boundaries)} and {len(fractions)} entries; expected a share from each "
            "boundary on (before the first it is 1: the learning rate itself)"
        )
    if any(one >= other for one, other in pairwise(boundaries)):
        return f"boundaries are {boundaries}; expected each later than the one before"
    return ""


SCHEDULES: Final[tuple[Schedule, ...]] = (
    Schedule(
        name="constant",
        meaning="the same rate throughout",
        formula="rate",
        when="To compare losses and optimizers at first: nothing else moves. The last epochs jitter as wide as the "
        "rate allows.",
        parameters=(WARMUP,),
        aliases=also("none"),
    ),
    Schedule(
        name="step",
        meaning="rate times gamma after every so many epochs",
        formula="rate gamma^floor(epoch / every)",
        when="Long runs with sgd: each stair lets the weights settle, and the loss falls visibly.",
        parameters=(
            Parameter("every", int, 10, "length of a stair", unit="epochs", at_least=1, aliases=("step_size",)),
            Parameter("gamma", float, 0.1, "factor at each stair", above=0, at_most=1),
            WARMUP,
        ),
        aliases=also("StepLR"),
    ),
    Schedule(
        name="multi_step",
        meaning="rate times gamma after each of the named epochs",
        formula="rate gamma^(milestones passed)",
        when="As step, with stairs of unequal length: published recipes say at which epochs.",
        source="He et al. 2016, Deep Residual Learning for Image Recognition, section 4.2",
        parameters=(
            Parameter(
                "milestones", list[int], REQUIRED, "after which epochs, such as [30, 60]", unit="epochs", at_least=1
            ),
            Parameter("gamma", float, 0.1, "factor at each milestone", above=0, at_most=1),
            WARMUP,
        ),
        aliases=also("MultiStepLR"),
    ),
    Schedule(
        name="piecewise_constant",
        meaning="the rate itself, then a share of it from each boundary on",
        formula="rate times the fraction of the last boundary passed",
        when="Any stairs, up or down: when multi_step's one factor is not enough.",
        parameters=(
            # Keras' list of values begins with the rate before the first boundary: here that is learning_rate.
            Parameter("boundaries", list[float], REQUIRED, "when the share changes", unit="epochs", above=0),
            Parameter("fractions", list[float], REQUIRED, "share of the rate from each boundary on", at_least=0),
            WARMUP,
        ),
        # Keras' new value begins one step later: a step that is equal to a boundary is still before it.
        aliases=also("PiecewiseConstantDecay", "piecewise_constant_decay"),
        contradiction=stairs_without_a_share,
    ),
    Schedule(
        name="reduced_start",
        meaning="rate times factor for the first epochs, then the rate itself",
        formula="rate factor for the first for_epochs epochs, then rate",
        when="When the first steps explode at the full rate. A warm-up (warmup_epochs, with every schedule) does it "
        "without the jump.",
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
        meaning="rate times gamma for every so many epochs: in stairs, or step by step",
        formula="rate gamma^(epoch / every), whole epochs only in stairs",
        when="A steady fall that does not know how long the run will be.",
        parameters=(
            Parameter("gamma", float, 0.95, "factor of that time", above=0, at_most=1, aliases=("decay_rate",)),
            Parameter("every", float, 1.0, "the time that gamma is for", unit="epochs", above=0),
            Parameter("staircase", bool, True, "only whole stairs; false: a little at each step"),
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
        when="A fall that slows down: the classic for sgd, whose convergence is proved with it.",
        source="Robbins and Monro 1951; Darken and Moody 1990, Note on Learning Rate Schedules for Stochastic "
        "Optimization",
        parameters=(
            Parameter("decay", float, 0.1, "of that time", at_least=0, aliases=("decay_rate",)),
            Parameter("every", float, 1.0, "the time that decay is for", unit="epochs", above=0),
            Parameter("staircase", bool, False, "only whole stairs"),
            WARMUP,
        ),
        aliases=also("InverseTimeDecay", "inverse_time_decay"),
    ),
    Schedule(
        name="linear",
        meaning="a straight line from start_fraction of the rate to final_fraction of it",
        formula="rate (start_fraction + (final_fraction - start_fraction) progress)",
        when="The simplest fall to 0 over the run, hard to beat; usual with a warm-up for transformers.",
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
        when="Between linear (power 1) and a quicker fall; 0.9 is usual in segmentation, 2 elsewhere.",
        source="Chen et al. 2018, DeepLab",
        parameters=(
            Parameter("power", float, 1.0, "1 is a straight line, more falls sooner", above=0),
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
                remark="Keras and TensorFlow end at a rate of 0.0001 unless told otherwise, here at final_fraction, 0",
            ),
        ),
        depends_on_length=True,
    ),
    Schedule(
        name="cosine",
        meaning="half a cosine from the rate down to final_fraction of it, step by step, over the whole run",
        formula="rate (final_fraction + (1 - final_fraction) (1 + cos(pi progress)) / 2)",
        when="A good default for a run of known length: high for long, then down to fine steps. A run stopped early "
        "has not come down.",
        source="Loshchilov and Hutter 2017, SGDR: Stochastic Gradient Descent with Warm Restarts",
        parameters=(WARMUP, FINAL_FRACTION, OVER),
        aliases=(
            *also("CosineDecay", "cosine_decay"),
            *also("CosineAnnealingLR", remark=f"{BY_EPOCHS}, and rises again after T_max, where it stays down here"),
        ),
        depends_on_length=True,
    ),
    Schedule(
        name="cosine_restarts",
        meaning="half cosines one after the other, each from the rate down to final_fraction of it",
        formula="as cosine in each cycle, cycle i of first_epochs growth^i epochs from a top of peak_factor^i",
        when="Runs whose length is open: the end of every cycle is a good place to stop. Stop elsewhere and the rate "
        "is high.",
        source="Loshchilov and Hutter 2017, SGDR: Stochastic Gradient Descent with Warm Restarts",
        parameters=(
            Parameter("first_epochs", float, REQUIRED, "length of the first", unit="epochs", above=0, aliases=("T_0",)),
            Parameter(
                "growth", float, 1.0, "of the length, from one to the next", at_least=1, aliases=("T_mult", "t_mul")
            ),
            Parameter("peak_factor", float, 1.0, "of the top, from one to the next", above=0, aliases=("m_mul",)),
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
        meaning="up to the rate and down again, over and over; momentum is left alone",
        formula="rate (base_fraction + (1 - base_fraction) h), h from 0 to 1 and back in straight lines",
        when="To search a range of rates within a run, and against getting stuck. The learning rate is the top.",
        source="Smith 2017, Cyclical Learning Rates for Training Neural Networks",
        parameters=(
            Parameter("base_fraction", float, 0.1, "share of the rate at the bottom", at_least=0, at_most=1),
            Parameter("up_epochs", float, 2.0, "length of the way up", unit="epochs", above=0),
            Parameter("down_epochs", float | None, None, "of the way down; left out: as up", unit="epochs", above=0),
            Parameter(
                "mode",
                Literal["triangular", "triangular2", "exp_range"],
                "triangular",
                "tops: alike, halved from one to the next, or falling with gamma",
            ),
            Parameter("gamma", float, 1.0, "factor of the tops per epoch, for exp_range", above=0, at_most=1),
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
        meaning="from a fraction up to the rate and down to nearly nothing, over the whole run; momentum is left alone",
        formula="rate / div_factor up to rate after pct_start of the run, then down to rate / div_factor / "
        "final_div_factor",
        when="Short runs at a high rate: the learning rate is the top, several times what a constant one would be. "
        "The momentum is not cycled against it, as torch's would be.",
        source="Smith and Topin 2018, Super-Convergence",
        parameters=(
            Parameter("pct_start", float, 0.3, "share of the time that the way up takes", at_least=0, at_most=1),
            Parameter("div_factor", float, 25.0, "rate / that is the start", at_least=1),
            Parameter("final_div_factor", float, 1e4, "the start / that is the end", above=0),
            Parameter("anneal", Literal["cos", "linear"], "cos", "shape of both ways", aliases=("anneal_strategy",)),
            Parameter("three_phase", bool, False, "down to the start first, as long as the way up, then to the end"),
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
        meaning="rate times factor when the watched value has not improved for more than patience epochs",
        formula="rate factor^(times the watched value stalled), at least min_rate",
        when="When it is not known when progress will stall. Each seed has its own rate then, so seeds train one by "
        "one.",
        source="Krizhevsky, Sutskever and Hinton 2012, ImageNet Classification, section 5 (by hand)",
        parameters=(
            Parameter("factor", float, 0.1, "what the rate is multiplied by", above=0, below=1),
            Parameter("patience", int, 10, "epochs without improvement to allow", unit="epochs", at_least=0),
            Parameter("threshold", float, 1e-4, "relative improvement that counts", at_least=0),
            Parameter("cooldown", int, 0, "epochs to wait after a reduction", unit="epochs", at_least=0),
            Parameter("min_rate", float, 0.0, "the rate never falls below it", at_least=0, aliases=("min_lr",)),
            Parameter("metric", str, "auto", "what to watch; auto: val_loss, or train_loss without validation"),
            Parameter("mode", Literal["auto", "min", "max"], "auto", "which way is better; auto: as the metric says"),
            WARMUP,
        ),
        aliases=(
            *also("ReduceLROnPlateau"),
            *also(
                "keras.ReduceLROnPlateau",
                remark="Keras reduces after patience epochs without improvement, PyTorch and lossrun after one more, "
                "and its min_delta is a difference, where threshold is a share of the value",
            ),
        ),
    ),
)


def waits_for_results(name: str) -> bool:
    """Return whether a schedule looks at a metric of the run, so that each seed has a learning rate of its own."""
    return any(schedule.waits_for_results for schedule in SCHEDULES if schedule.name == name)
