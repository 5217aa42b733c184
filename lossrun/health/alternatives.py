"""Settings that are tried before they are advised: other learning rates, longer runs, other models.

A loss is always a share of the best constant output's loss: 1 is nothing learned, and 0 is a loss of 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf, isfinite, prod, sqrt
from typing import Any, Final, NamedTuple, TypeAlias

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Optimizer
from lossrun.config import Config

Settings: TypeAlias = tuple[str, ...]

RATE: Final = "learning_rate="
OPTIMIZER: Final = "optimizer="
ADAM: Final = "optimizer=adam"
RELU: Final = ("model.activation=relu", "model.init=he_normal")
# Shares of a learning rate that diverged, and multiples of one that went nowhere, that are tried instead.
SMALLER: Final = (1 / 2, 1 / 5, 1 / 10, 1 / 30, 1 / 100, 1 / 300, 1 / 1000)
OTHERS: Final = (3.0, 10.0, 30.0, 100.0, 1 / 10, 1 / 100)
# How much lower the loss must be with other settings to advise them.
BETTER: Final = 0.95
# The same for settings that change more than the rate of a run that learned something.
MUCH_BETTER: Final = 0.8
# A loss below this has clearly left that of a constant.
LEARNED: Final = 0.85
GOOD_RATE: Final = 0.01
# What brings most models to their end: steps of the learning rate that add up to 5.
GOOD_WAY: Final = 5.0
# Steps of a run that has had its time.
LONG: Final = 200
# Units of a layer that suffice for most small problems.
WIDE: Final = 64


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about a run besides its losses.

    Attributes:
        config: The resolved config.
        lint: {rule: the settings that it advised}, of the broken rules that explain why a run does not learn.
        constant: The loss of the best constant output.
        try_out: Tries settings from the first weights and returns the loss of each after some steps; infinity where
            they do not train. Settings that cannot be tried are left out.
    """

    config: Config
    facts: DataFacts
    lint: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constant: float = inf
    try_out: Callable[[Sequence[Settings]], Mapping[Settings, float]] = lambda several: {}

    @property
    def steps_per_epoch(self) -> int:
        return self.config.steps_per_epoch(self.facts.train)

    def share(self, loss: float) -> float:
        """Return a loss of the run as a share of the best constant's."""
        return share_of(self.constant, loss)


def share_of(constant: float, loss: float) -> float:
    """Return a loss as a share of the best constant's, also where losses may be below 0."""
    return 1 + (loss - constant) / abs(constant) if constant and isfinite(constant) else loss


class Advice(NamedTuple):
    """Why, in a sentence without a full stop, and the cure as settings for --set; () where no setting cures it."""

    why: str
    cure: Settings


def smaller_rate(known: Circumstances, why: str = "") -> Advice | None:
    """Return the smaller learning rate with the lowest loss when it was tried; one of the usual ones if any trains."""
    rate, usual = known.config.learning_rate, _usual_range(known.config.optimizer.name)
    smaller = [*(rounded(rate * share) for share in SMALLER), *(one for one in _middle(known) if one < rate)]
    losses = _with_rates(known, smaller)
    trained = {tried: loss for tried, loss in losses.items() if isfinite(loss)}
    init = dict(known.config.model.parameters.get("init") or {})
    if {"std", "value"} & init.keys() and min(trained.values(), default=inf) > 1:
        return Advice("the network is dead from its first weights on, whatever the rate", ("model.init=torch",))
    if not trained:
        return None
    ordinary = {tried: loss for tried, loss in trained.items() if usual[0] <= tried <= usual[1]}
    candidates = ordinary if min(ordinary.values(), default=inf) < 1 else trained
    best = min(candidates, key=lambda tried: candidates[tried])
    reason = why or f"the learning rate of {rate:g} is too large"
    return Advice(f"{reason}; {best:g} trained when it was tried", (f"{RATE}{best:g}",))


def long_enough(advice: Advice, known: Circumstances, *, diverged: bool = False) -> Advice:
    """Add to a cure what it needs to get away from a constant: another rate, a larger model, or more epochs.

    `diverged`: whether the run had; then a cure that trains is enough.
    """
    cure = advice.cure
    if not (share := known.try_out([cure]).get(cure)) or share < LEARNED or (diverged and isfinite(share)):
        return advice
    given = [setting for setting in cure if setting.startswith(RATE)]
    rate = float(given[0].removeprefix(RATE)) if given else known.config.learning_rate
    rest = tuple(setting for setting in cure if not setting.startswith(RATE))
    others = (one.removeprefix(OPTIMIZER) for one in cure if one.startswith(OPTIMIZER))
    most = _usual_range(next(iter(others), known.config.optimizer.name))[1]
    shares = SMALLER if not isfinite(share) else tuple(times for times in OTHERS if times > 1)
    rates = [one for times in shares if (one := rounded(rate * times)) <= most]
    models = [settings for settings, _ in _models(known)] if isfinite(share) else []
    for several in ([(*rest, f"{RATE}{one:g}") for one in rates], [(*rest, *settings) for settings in models]):
        tried = known.try_out(several)
        best = min(tried, key=lambda settings: tried[settings], default=cure)
        if tried.get(best, inf) < min(BETTER * share, LEARNED):
            return Advice(advice.why, best)
    steps = known.config.epochs * known.steps_per_epoch
    faster = max(rate, GOOD_RATE)
    if not isfinite(share) or faster * steps >= GOOD_WAY:
        return advice
    epochs = ceil(GOOD_WAY / faster / known.steps_per_epoch)
    return Advice(advice.why, (*rest, f"{RATE}{faster:g}", f"epochs={epochs}"))


def further(name: str, known: Circumstances) -> Advice | None:
    """Return what reaches a lower loss from the first weights: another learning rate, another model, more epochs."""
    rate, epochs = known.config.learning_rate, known.config.epochs
    most = max(rate, _usual_range(known.config.optimizer.name)[1])
    others = [one for times in OTHERS if (one := rounded(rate * times)) <= most]
    losses = _with_rates(known, list(dict.fromkeys([rounded(rate), *others, *_middle(known)])))
    if not losses:
        return None
    best, now = min(losses, key=lambda tried: losses[tried]), losses.get(rounded(rate), inf)
    gets_further = isfinite(losses[best]) and losses[best] < BETTER * now and best != rounded(rate)
    if gets_further and losses[best] < LEARNED:
        return _other_rate(rate, best)
    if found := another_model(known, min(BETTER * losses[best], LEARNED)):
        return found
    if gets_further:
        return _other_rate(rate, best)
    if name in ("unfinished", "above_constant"):
        return Advice(
            f"no other learning rate reached a lower loss than {rate:g} when it was tried, so the run is too short",
            (f"epochs={10 * epochs}",),
        )
    return Advice(
        "no learning rate from a hundredth to a hundred times this one, and no larger model, reached a lower loss "
        "when it was tried, so the inputs may say nothing about the targets",
        (),
    )


def another_rate_got_further(known: Circumstances, loss: float) -> bool:
    """Return whether a larger rate got below the final loss of the run within the few steps that it was tried for."""
    rates = [rounded(known.config.learning_rate * times) for times in OTHERS if times > 1]
    return min(_with_rates(known, rates).values(), default=inf) < BETTER * known.share(loss)


def another_model(known: Circumstances, below: float) -> Advice | None:
    """Return the settings of another model that got below this loss when they were tried; None if none did."""
    return _furthest(known, [*_models(known), *_faster(known, _models(known))], below)


def larger_model(known: Circumstances, loss: float) -> Advice | None:
    """Return the settings of a larger model that got far below the final loss of a run in a part of its steps."""
    # A linear model is a choice.
    if known.config.model.name == "linear" or known.config.epochs * known.steps_per_epoch < LONG:
        return None
    return _furthest(known, _models(known)[:1], MUCH_BETTER * known.share(loss))


def _furthest(known: Circumstances, models: Sequence[tuple[Settings, str]], below: float) -> Advice | None:
    several = dict(models)
    tried = known.try_out(list(several))
    best = min(tried, key=lambda settings: tried[settings], default=())
    if not best or not tried[best] < below:
        return None
    return Advice(f"{several[best]} reached a lower loss when it was tried", best)


def _models(known: Circumstances) -> list[tuple[Settings, str]]:
    """Return models to try instead of the configured one, a larger one first, each with what to call it."""
    parameters: Mapping[str, Any] = known.config.model.parameters
    hidden = parameters.get("hidden") or []
    found: list[tuple[Settings, str]] = []
    if known.config.model.name == "linear":
        found.append((("model=mlp",), "a model with a hidden layer"))
    elif "hidden" in parameters and (min(hidden, default=0) < WIDE or len(hidden) > 2):
        width = max(WIDE, *hidden)
        found.append(((f"model.hidden=[{width}, {width}]",), f"a model with two layers of {width} units"))
    if hidden and f"model.activation={parameters.get('activation')}" != RELU[0]:
        found.append((RELU, "relu with weights that suit it"))
    return found


def _faster(known: Circumstances, models: Sequence[tuple[Settings, str]]) -> list[tuple[Settings, str]]:
    """Return the same models with larger steps."""
    if scales(known):
        faster: Settings = (ADAM, f"{RATE}{GOOD_RATE:g}")
        what = ADAM.removeprefix(OPTIMIZER)
    elif known.config.learning_rate < GOOD_RATE:
        faster, what = (f"{RATE}{GOOD_RATE:g}",), "a larger rate"
    else:
        return []
    return [(faster, what), *(((*settings, *faster), f"{model}, with {what},") for settings, model in models)]


def _other_rate(rate: float, best: float) -> Advice:
    small = "small" if best > rate else "large"
    return Advice(
        f"the learning rate of {rate:g} is too {small}; {best:g} reached a lower loss when it was tried",
        (f"{RATE}{best:g}",),
    )


def _with_rates(known: Circumstances, rates: Sequence[float]) -> dict[float, float]:
    tried = known.try_out([(f"{RATE}{rate:g}",) for rate in rates])
    return {rate: tried[settings] for rate in rates if (settings := (f"{RATE}{rate:g}",)) in tried}


def _optimizer(name: str) -> Optimizer | None:
    declared = None if ":" in name else get("optimizer", name)
    return declared if isinstance(declared, Optimizer) else None


def _usual_range(name: str) -> tuple[float, float]:
    """Return the usual learning rates of an optimizer of this name."""
    declared = _optimizer(name)
    return declared.usual_rates if declared else (0.0, inf)


def _middle(known: Circumstances) -> list[float]:
    """Return the middle of the optimizer's usual learning rates, if it is known."""
    declared = _optimizer(known.config.optimizer.name)
    return [rounded(sqrt(prod(declared.usual_rates)))] if declared else []


def scales(known: Circumstances) -> bool:
    """Return whether the optimizer's steps are as large as the gradient."""
    declared = _optimizer(known.config.optimizer.name)
    return declared is not None and declared.scales_with_gradient


def rounded(rate: float) -> float:
    """Return a learning rate to one digit."""
    return float(f"{rate:.0e}")
