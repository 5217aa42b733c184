"""How the learning rate moves: plain arithmetic on positions. Declared in `catalog/schedules.py`."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import cos, floor, inf, pi
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class SchedulePosition:
    """`step`: updates done so far, warm-up included. `epochs`: of the whole run. `warmup`: its length in steps."""

    step: int
    steps_per_epoch: int
    epochs: int
    warmup: int

    @property
    def completed_epochs(self) -> int:
        """Warm-up included."""
        return self.step // self.steps_per_epoch

    @property
    def after_warmup(self) -> int:
        """Steps since the warm-up ended; 0 during it."""
        return max(self.step - self.warmup, 0)

    @property
    def left_by_warmup(self) -> int:
        """Steps of the run that follow the warm-up."""
        return max(self.epochs * self.steps_per_epoch - self.warmup, 0)

    def steps(self, epochs: float) -> int:
        """That many epochs in whole steps, at least one."""
        return max(round(epochs * self.steps_per_epoch), 1)

    def times(self, every: float, staircase: bool) -> float:
        """How often `every` epochs have passed since the start of the run, in whole stairs or exactly."""
        passed = self.step / (every * self.steps_per_epoch)
        return floor(passed) if staircase else passed

    def progress(self, over_epochs: float | None) -> float:
        """From 0 when the warm-up ends to 1 after so many epochs, or at the end of the run; 1 beyond."""
        length = self.left_by_warmup if over_epochs is None else self.steps(over_epochs)
        return min(self.after_warmup / length, 1.0) if length else 0.0


def rate(
    name: str,
    *,
    step: int,
    steps_per_epoch: int,
    epochs: int,
    learning_rate: float,
    warmup_epochs: float = 0.0,
    **parameters: Any,
) -> float:
    """The learning rate of the update that follows `step` others, so `step` counts from 0.

    Step s of a warm-up of w steps gets the share (s + 1) / w of the schedule's rate. reduce_on_plateau is a constant
    here: its reductions are `Plateau.rate`, applied to the result.
    Raises ValueError for an unknown name and TypeError for parameters that the schedule does not take.
    """
    if name not in SHARES:
        raise ValueError(f"unknown schedule {name!r}; expected one of {', '.join(SHARES)}")
    warmup = round(warmup_epochs * steps_per_epoch)
    share = SHARES[name](SchedulePosition(step, steps_per_epoch, epochs, warmup), **parameters)
    ramp = (step + 1) / warmup if step < warmup else 1.0
    return learning_rate * share * ramp


def constant(at: SchedulePosition) -> float:  # noqa: ARG001
    return 1.0


def plateau(at: SchedulePosition, **parameters: Any) -> float:  # noqa: ARG001
    """What the position has to say on reduce_on_plateau."""
    return 1.0


def stairs(at: SchedulePosition, *, every: int, gamma: float) -> float:
    """gamma^(completed epochs // every)."""
    return float(gamma ** (at.completed_epochs // every))


def multi_step(at: SchedulePosition, *, milestones: Sequence[int], gamma: float) -> float:
    """gamma^(milestones reached), in completed epochs; one that is named twice counts twice."""
    return float(gamma ** sum(milestone <= at.completed_epochs for milestone in milestones))


def piecewise_constant(at: SchedulePosition, *, boundaries: Sequence[float], fractions: Sequence[float]) -> float:
    """1, and from each boundary (epochs, rising) on its fraction. Raises ValueError where not each has one."""
    if len(boundaries) != len(fractions):
        raise ValueError(f"{len(boundaries)} boundaries and {len(fractions)} fractions; expected as many of both")
    reached = bisect_right([at.steps(boundary) for boundary in boundaries], at.step)
    return (1.0, *fractions)[reached]


def reduced_start(at: SchedulePosition, *, factor: float, for_epochs: float) -> float:
    return factor if at.step < at.steps(for_epochs) else 1.0


def exponential(at: SchedulePosition, *, gamma: float, every: float, staircase: bool) -> float:
    """gamma^(time / every), of which only the whole part counts in stairs."""
    return float(gamma ** at.times(every, staircase))


def inverse_time(at: SchedulePosition, *, decay: float, every: float, staircase: bool) -> float:
    """1 / (1 + decay time / every)."""
    return 1 / (1 + decay * at.times(every, staircase))


def linear(at: SchedulePosition, *, start_fraction: float, final_fraction: float, over_epochs: float | None) -> float:
    return start_fraction + (final_fraction - start_fraction) * at.progress(over_epochs)


def polynomial(at: SchedulePosition, *, power: float, final_fraction: float, over_epochs: float | None) -> float:
    """final + (1 - final) (1 - progress)^power."""
    return float(final_fraction + (1 - final_fraction) * (1 - at.progress(over_epochs)) ** power)


def cosine(at: SchedulePosition, *, final_fraction: float, over_epochs: float | None) -> float:
    """Half a cosine from 1 down to final_fraction; flat before and beyond.

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
    """Up from base_fraction in a straight line and down again; the height above it is 1 - base_fraction, times
    2^-cycle (triangular2, cycles from 0) or gamma^epochs (exp_range, epochs since the warm-up).

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
    """1 / div_factor, up to 1 after pct_start of the steps, down to 1 / div_factor / final_div_factor at the last one;
    in three phases through 1 / div_factor again. Phases end on steps counted as torch's OneCycleLR does.

    Source: Smith and Topin 2018, Super-Convergence.
    """
    steps = max(at.left_by_warmup, 1)
    start = 1 / div_factor
    # (last step, share there) of each phase.
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
    """From one to the other on half a cosine."""
    return after + (before - after) * (1 + cos(pi * progress)) / 2


SHARES: Final[Mapping[str, Callable[..., float]]] = {
    "constant": constant,
    "step": stairs,
    "multi_step": multi_step,
    "piecewise_constant": piecewise_constant,
    "reduced_start": reduced_start,
    "exponential": exponential,
    "inverse_time": inverse_time,
    "linear": linear,
    "polynomial": polynomial,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "cyclic": cyclic,
    "one_cycle": one_cycle,
    "reduce_on_plateau": plateau,
}


@dataclass(frozen=True, slots=True)
class PlateauState:
    """Where one seed stands: best value seen, epochs since then without improvement, epochs of cooldown left, and the
    product of all reductions so far."""

    best: float
    bad_epochs: int = 0
    cooldown_left: int = 0
    reduction: float = 1.0

    def numbers(self) -> dict[str, float]:
        """For a checkpoint; `from_numbers` is the way back."""
        return {name: float(value) for name, value in asdict(self).items()}

    @classmethod
    def from_numbers(cls, numbers: Mapping[str, float]) -> "PlateauState":
        return cls(
            best=float(numbers["best"]),
            bad_epochs=int(numbers["bad_epochs"]),
            cooldown_left=int(numbers["cooldown_left"]),
            reduction=float(numbers["reduction"]),
        )


@dataclass(frozen=True, slots=True)
class Plateau:
    """The rule of reduce_on_plateau: torch.optim.lr_scheduler.ReduceLROnPlateau with a relative threshold, but for its
    `eps`: however small, a reduction is made. One rule serves all seeds; each has its own `PlateauState`.

    patience and cooldown in epochs; the other fields as declared.
    """

    factor: float
    patience: int
    threshold: float
    cooldown: int
    min_rate: float
    mode: Literal["min", "max"]

    def start(self) -> PlateauState:
        return PlateauState(best=inf if self.mode == "min" else -inf)

    def after(self, state: PlateauState, value: float) -> PlateauState:
        """The state after an epoch that ended with this value of the watched metric. Not a number is no improvement."""
        better = self._better(value, state.best)
        best = value if better else state.best
        if state.cooldown_left:
            return PlateauState(best, 0, state.cooldown_left - 1, state.reduction)
        bad_epochs = 0 if better else state.bad_epochs + 1
        if bad_epochs > self.patience:
            return PlateauState(best, 0, self.cooldown, state.reduction * self.factor)
        return PlateauState(best, bad_epochs, 0, state.reduction)

    def rate(self, state: PlateauState, learning_rate: float) -> float:
        """The reduced learning rate: never below min_rate, and never above the rate it started from."""
        return min(learning_rate, max(learning_rate * state.reduction, self.min_rate))

    def _better(self, value: float, best: float) -> bool:
        if self.mode == "min":
            return value < best * (1 - self.threshold)
        return value > best * (1 + self.threshold)
