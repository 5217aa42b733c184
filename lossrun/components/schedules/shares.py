"""The share of the learning rate at a position: one function for each declared schedule, by its name."""

from bisect import bisect_right
from collections.abc import Sequence
from math import cos, pi
from typing import Any, Literal

from lossrun.components.schedules.position import SchedulePosition


def constant(at: SchedulePosition) -> float:  # noqa: ARG001
    """1: the full rate at every step."""
    return 1.0


def reduce_on_plateau(at: SchedulePosition, **parameters: Any) -> float:  # noqa: ARG001
    """1: reductions depend on results, not on the position; see `plateau.py`."""
    return 1.0


def step(at: SchedulePosition, *, every: int, gamma: float) -> float:
    """gamma^(completed epochs // every)."""
    return float(gamma ** (at.completed_epochs // every))


def multi_step(at: SchedulePosition, *, milestones: Sequence[int], gamma: float) -> float:
    """gamma^(milestones reached), in completed epochs; a milestone that is listed twice counts twice."""
    return float(gamma ** sum(milestone <= at.completed_epochs for milestone in milestones))


def piecewise_constant(at: SchedulePosition, *, boundaries: Sequence[float], fractions: Sequence[float]) -> float:
    """1 before the first boundary, then the fraction of the last boundary passed. Boundaries are epochs, and rise.

    Raises:
        ValueError: If boundaries and fractions do not have the same length.
    """
    if len(boundaries) != len(fractions):
        raise ValueError(f"{len(boundaries)} boundaries and {len(fractions)} fractions; expected the same number")
    reached = bisect_right([at.steps(boundary) for boundary in boundaries], at.step)
    return (1.0, *fractions)[reached]


def reduced_start(at: SchedulePosition, *, factor: float, for_epochs: float) -> float:
    """factor for the first `for_epochs` epochs, then 1."""
    return factor if at.step < at.steps(for_epochs) else 1.0


def exponential(at: SchedulePosition, *, gamma: float, every: float, staircase: bool) -> float:
    """gamma^(time / every); in stairs, only whole periods count."""
    return float(gamma ** at.times(every, staircase))


def inverse_time(at: SchedulePosition, *, decay: float, every: float, staircase: bool) -> float:
    """1 / (1 + decay time / every)."""
    return 1 / (1 + decay * at.times(every, staircase))


def linear(at: SchedulePosition, *, start_fraction: float, final_fraction: float, over_epochs: float | None) -> float:
    """A straight line from start_fraction to final_fraction."""
    return start_fraction + (final_fraction - start_fraction) * at.progress(over_epochs)


def polynomial(at: SchedulePosition, *, power: float, final_fraction: float, over_epochs: float | None) -> float:
    """final + (1 - final) (1 - progress)^power."""
    return float(final_fraction + (1 - final_fraction) * (1 - at.progress(over_epochs)) ** power)


def cosine(at: SchedulePosition, *, final_fraction: float, over_epochs: float | None) -> float:
    """Half a cosine from 1 down to final_fraction; flat before and after.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5, without restarts.
    """
    return _eased(1.0, final_fraction, at.progress(over_epochs))


def cosine_restarts(
    at: SchedulePosition, *, first_epochs: float, growth: float, peak_factor: float, final_fraction: float
) -> float:
    """Cycle i (from 0) takes first_epochs growth^i epochs, from final + (1 - final) peak_factor^i down to final.

    Source: Loshchilov and Hutter 2017, SGDR, equation 5; peak_factor is Keras'.
    """
    length: float = at.steps(first_epochs)
    since: float = at.after_warmup
    cycle = 0
    if growth == 1:
        cycle, since = divmod(at.after_warmup, at.steps(first_epochs))
    while since >= length:
        since -= length
        length *= growth
        cycle += 1
    height = (1 - final_fraction) * float(peak_factor**cycle)
    return _eased(final_fraction + height, final_fraction, since / length)


def cyclic(
    at: SchedulePosition,
    *,
    base_fraction: float,
    up_epochs: float,
    down_epochs: float | None,
    mode: Literal["triangular", "triangular2", "exp_range"],
    gamma: float,
) -> float:
    """A straight line up from base_fraction, and down again.

    The height of a cycle is 1 - base_fraction, times 2^-cycle (triangular2, cycles from 0) or gamma^epochs (exp_range,
    epochs since the warm-up).

    Source: Smith 2017, Cyclical Learning Rates for Training Neural Networks.
    """
    up = at.steps(up_epochs)
    down = up if down_epochs is None else at.steps(down_epochs)
    cycle, since = divmod(at.after_warmup, up + down)
    way = since / up if since <= up else (up + down - since) / down
    passed = at.after_warmup / at.steps_per_epoch
    factors = {"triangular": 1.0, "triangular2": float(0.5**cycle), "exp_range": float(gamma**passed)}
    return base_fraction + (1 - base_fraction) * way * factors[mode]


def one_cycle(
    at: SchedulePosition,
    *,
    pct_start: float,
    div_factor: float,
    final_div_factor: float,
    anneal: Literal["cos", "linear"],
    three_phase: bool,
) -> float:
    """From 1 / div_factor up to 1 after pct_start of the steps, then down to 1 / div_factor / final_div_factor.

    With three phases it first falls back to 1 / div_factor. Phases end at the same steps as in torch's OneCycleLR.

    Source: Smith and Topin 2018, Super-Convergence.
    """
    steps = max(at.left_by_warmup, 1)
    start = 1 / div_factor
    # For each phase, its last step and the share there.
    turns = [(pct_start * steps - 1, 1.0), (steps - 1.0, start / final_div_factor)]
    if three_phase:
        turns.insert(1, (2 * pct_start * steps - 2, start))
    step = min(at.after_warmup, steps - 1)
    begun, before = 0.0, start
    for ended, after in turns:
        if step <= ended or ended == steps - 1:
            progress = (step - begun) / (ended - begun) if ended > begun else 1.0
            return _eased(before, after, progress) if anneal == "cos" else before + (after - before) * progress
        begun, before = ended, after
    raise AssertionError("the last phase ends with the run")


def _eased(before: float, after: float, progress: float) -> float:
    """Return a value between `before` and `after`, on half a cosine."""
    return after + (before - after) * (1 + cos(pi * progress)) / 2
