"""Why a run has the trouble that it has, and the settings that cure it.

The evidence is weighed in order: what the linter found before the run; the gradient with respect to the outputs; the
layers; the loss; the scale of the targets; and at last the learning rate, for which rates are tried.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite, prod, sqrt
from typing import Any, Final, NamedTuple

from lossrun.catalog import DataFacts, get
from lossrun.catalog.declaration import Loss, Optimizer
from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.config import Config
from lossrun.config.resolve import loss_declaration
from lossrun.health.layers import Layers

# Shares of a learning rate that diverged, and multiples of one that went nowhere, that are tried instead.
SMALLER: Final = (1 / 2, 1 / 5, 1 / 10, 1 / 30, 1 / 100, 1 / 300, 1 / 1000)
OTHERS: Final = (3.0, 10.0, 30.0, 100.0, 1 / 10, 1 / 100)
# How much lower the loss must be with another rate to advise it.
BETTER: Final = 0.95
# Targets at least this many standard deviations, or numbers, away from 0 are far for outputs that begin near 0.
FAR: Final = 3.0
LARGE: Final = 10.0
# A scheduled rate so many times above the configured one was raised by the schedule.
RAISED: Final = 1.5
GOOD_RATE: Final = 0.01
RATE: Final = "learning_rate="
# Settings of initializations that ignore the number of inputs of a layer.
# A best epoch in this part of the run came early.
EARLY: Final = 0.7
OF_ANY_SIZE: Final = ("std", "value")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known about a run besides its losses.

    Attributes:
        config: The resolved config.
        lint: {rule: the settings that it advised}, of the broken rules that explain why a run does not learn.
        constant: The loss of the best constant output.
        try_rates: Tries learning rates from the first weights and returns the loss of each after some steps, infinity
            for a rate that does not train; {} where nothing can be tried.
    """

    config: Config
    facts: DataFacts
    lint: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    constant: float = inf
    try_rates: Callable[[Sequence[float]], Mapping[float, float]] = lambda rates: {}


class Advice(NamedTuple):
    """Why, in a sentence without a full stop, and the cure as settings for --set; () where no setting cures it."""

    why: str
    cure: tuple[str, ...]


def advise(
    name: str, known: Circumstances, layers: Layers | None, row: Mapping[str, Any], since: int = 0
) -> Advice | None:
    """Return the advice for a diagnosis; None where there is nothing to add to what the catalogue says of it.

    Args:
        layers: The state of the layers; None if the weights are not finite.
        row: The history row of the epoch.
        since: The epoch of the best val_loss.
    """
    if name == "smoothing":
        return None
    if name in ("overfitting", "overconfident"):
        return Advice("", _end_earlier(name, known, since))
    if name in _MISTAKES and not known.lint:
        return Advice("", _MISTAKES[name](known))
    # Rates are better tried than guessed.
    if any(not setting.startswith(RATE) for cure in known.lint.values() for setting in cure):
        settings = dict.fromkeys(setting for cure in known.lint.values() for setting in cure)
        reason = f"the linter said why before the run began: {', '.join(known.lint)}"
        return Advice(reason, _last_of_each_key(settings))
    diverged = name in ("dead", "exploded", "non_finite")
    found = _raised_by_schedule(known, row) if diverged else None
    found = found or (_of_layers(name, known, layers) if layers and name not in ("exploded", "non_finite") else None)
    if diverged:
        return found or _smaller_rate(known)
    return found or _of_loss(known) or _of_targets(known) or _other_rate(name, known)


def _last_of_each_key(settings: Mapping[str, None]) -> tuple[str, ...]:
    return tuple({setting.partition("=")[0]: setting for setting in settings}.values())


def _hidden_softmax(known: Circumstances) -> tuple[str, ...]:
    return ("loss.from_logits=false",) if known.config.model.is_plugin else ("model.output=logits",)


_MISTAKES: Final[Mapping[str, Callable[[Circumstances], tuple[str, ...]]]] = {
    "double_softmax": _hidden_softmax,
    "double_sigmoid": _hidden_softmax,
    "squashed": lambda known: ("model.output=none",),
    "single_softmax": lambda known: (
        ("model.output=none",) if known.facts.task == "regression" else ("model.output=sigmoid",)
    ),
    "clipped": lambda known: (
        ("model.output=softmax",) if known.facts.task == "multiclass" else ("model.output=sigmoid",)
    ),
    "impossible": lambda known: (f"loss={USUAL_LOSSES[known.facts.task]}",),
}


def _end_earlier(name: str, known: Circumstances, since: int) -> tuple[str, ...]:
    """The settings that end a run soon after its best epoch, or that keep probabilities away from 0 and 1."""
    smoothing = known.config.loss.parameters.get("label_smoothing")
    if name == "overconfident" and smoothing == 0 and since > EARLY * known.config.epochs:
        return ("loss.label_smoothing=0.1",)
    return (f"early_stopping={max(2, since // 2)}",)


def _raised_by_schedule(known: Circumstances, row: Mapping[str, Any]) -> Advice | None:
    rate, configured = row["learning_rate"], known.config.learning_rate
    if rate <= RAISED * configured:
        return None
    return Advice(f"the schedule had raised the learning rate from {configured:g} to {rate:g}", ("schedule=constant",))


def _of_layers(name: str, known: Circumstances, layers: Layers) -> Advice | None:
    """What the gradient says, from the outputs down."""
    init = dict(known.config.model.parameters.get("init") or {})
    any_size = any(key in init for key in OF_ANY_SIZE)
    if layers.at_outputs == 0 and known.facts.task != "regression":
        output = known.config.model["output"]
        return _smaller_rate(known, f"the {output} of every output is saturated, so no gradient enters the network")
    if name == "vanishing_gradient":
        return Advice("", ("model.activation=relu", "model.init=he_normal"))
    if name == "saturated_units" and any_size:
        return Advice(
            "the first weights are so large that most units begin where their slope is nearly 0",
            ("model.init=glorot_uniform",),
        )
    if name == "dead_units":
        return _smaller_rate(known, "the first updates moved them to where they have no slope") or Advice(
            "", ("model.activation=leaky_relu",)
        )
    return None


def _of_loss(known: Circumstances) -> Advice | None:
    declared, task = loss_declaration(known.config.loss), known.facts.task
    if not isinstance(declared, Loss) or task == "regression" or declared.prediction != "mean":
        return None
    usual = USUAL_LOSSES[task]
    cure = [f"loss={usual}", "model.output=logits"]
    if _scales(known):
        cure += ["optimizer=adam", f"learning_rate={GOOD_RATE:g}"]
    return Advice(
        f"{declared.name} on classes has the smallest gradient where an output is most wrong; {usual} has the largest",
        tuple(cure),
    )


def _of_targets(known: Circumstances) -> Advice | None:
    scale, standardize = known.facts.target_scale, known.config.dataset.parameters.get("standardize")
    if scale is None or standardize is None or standardize["targets"] or known.config.model["output"] != "none":
        return None
    declared = loss_declaration(known.config.loss)
    if declared is None or declared.targets_at_least is not None or declared.targets_at_most is not None:
        return None
    if scale.mean > LARGE or scale.mean > FAR * scale.spreads[1] or scale.spreads[1] > LARGE:
        return Advice(
            f"targets of {scale.low:g} to {scale.high:g} are far from the outputs of a new network, which are near 0",
            (
                "dataset.standardize.inputs=true",
                "dataset.standardize.targets=true",
                *(setting for cure in known.lint.values() for setting in cure),
            ),
        )
    return None


def another_rate_got_further(known: Circumstances, loss: float) -> bool:
    """Whether a larger rate got below the final loss of the run within the few steps that it was tried for."""
    rate = known.config.learning_rate
    losses = known.try_rates([rounded(rate * times) for times in OTHERS if times > 1])
    return min(losses.values(), default=inf) < BETTER * loss


def _usual(known: Circumstances) -> list[float]:
    """The middle of the optimizer's usual learning rates, if it is known."""
    declared = None if known.config.optimizer.is_plugin else get("optimizer", known.config.optimizer.name)
    return [rounded(sqrt(prod(declared.usual_rates)))] if isinstance(declared, Optimizer) else []


def _scales(known: Circumstances) -> bool:
    declared = None if known.config.optimizer.is_plugin else get("optimizer", known.config.optimizer.name)
    return isinstance(declared, Optimizer) and declared.scales_with_gradient


def _smaller_rate(known: Circumstances, why: str = "") -> Advice | None:
    rate = known.config.learning_rate
    smaller = [*(rounded(rate * share) for share in SMALLER), *(usual for usual in _usual(known) if usual < rate)]
    losses = known.try_rates(smaller)
    trained = {tried: loss for tried, loss in losses.items() if isfinite(loss)}
    init = dict(known.config.model.parameters.get("init") or {})
    begins_dead = any(key in init for key in OF_ANY_SIZE) and min(trained.values(), default=inf) > known.constant
    if begins_dead:
        return Advice("the network is dead from its first weights on, whatever the rate", ("model.init=torch",))
    if not trained:
        return None
    best = min(trained, key=lambda tried: trained[tried])
    reason = why or f"the learning rate of {rate:g} is too large"
    return Advice(f"{reason}; {best:g} trained when it was tried", (f"learning_rate={best:g}",))


def _other_rate(name: str, known: Circumstances) -> Advice | None:
    """A rate that gets further from the first weights, or more epochs."""
    rate, epochs = known.config.learning_rate, known.config.epochs
    losses = dict(known.try_rates([rounded(rate), *(rounded(rate * times) for times in OTHERS), *_usual(known)]))
    if not losses:
        return None
    best = min(losses, key=lambda tried: losses[tried])
    now = losses[rounded(rate)]
    if isfinite(losses[best]) and losses[best] < BETTER * (now if isfinite(now) else inf) and best != rounded(rate):
        small = "small" if best > rate else "large"
        return Advice(
            f"the learning rate of {rate:g} is too {small}; {best:g} got further when it was tried",
            (f"learning_rate={best:g}",),
        )
    if name in ("unfinished", "above_constant"):
        return Advice(
            f"no other learning rate got further than {rate:g} when it was tried, so the run is too short",
            (f"epochs={10 * epochs}",),
        )
    return Advice(
        "no learning rate from a hundredth to a hundred times this one got further when it was tried, so the inputs "
        "may not tell the targets apart, or the model is too small",
        (),
    )


def rounded(rate: float) -> float:
    """A learning rate to one digit."""
    return float(f"{rate:.0e}")
