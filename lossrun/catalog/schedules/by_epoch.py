"""The schedules that count epochs from the start of the run, a warm-up included."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from lossrun.catalog.alias import also
from lossrun.catalog.declaration import Schedule
from lossrun.catalog.parameter import REQUIRED, Parameter
from lossrun.catalog.schedules.parameters import WARMUP


def mismatched_boundaries(parameters: Mapping[str, Any]) -> str:
    boundaries, fractions = parameters.get("boundaries", []), parameters.get("fractions", [])
    if len(boundaries) != len(fractions):
        return (
            f"boundaries and fractions have {len(boundaries)} and {len(fractions)} entries; expected one fraction for "
            "each boundary (before the first boundary the fraction is 1)"
        )
    if any(one >= other for one, other in pairwise(boundaries)):
        return f"boundaries are {boundaries}; expected each later than the one before"
    return ""


BY_EPOCH: Final[tuple[Schedule, ...]] = (
    Schedule(
        name="constant",
        moves=False,
        meaning="the same rate throughout",
        formula="rate",
        when="The first choice to compare losses and optimizers, because nothing else changes. In the last epochs "
        "the weights jitter around the minimum: the larger the rate, the wider.",
        parameters=(WARMUP,),
        aliases=also("none"),
    ),
    Schedule(
        name="step",
        meaning="multiplies the rate by gamma at a fixed interval of epochs",
        formula="rate gamma^floor(epoch / every)",
        when="Long runs with sgd. After each drop the weights settle and the loss falls visibly.",
        parameters=(
            Parameter("every", int, 10, "epochs between two drops", unit="epochs", at_least=1, aliases=("step_size",)),
            Parameter("gamma", float, 0.1, "factor at each drop", above=0, at_most=1),
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
        aliases=also(
            "PiecewiseConstantDecay",
            "piecewise_constant_decay",
            remark="Keras counts boundaries in steps, lossrun in epochs",
        ),
        contradiction=mismatched_boundaries,
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
)
