"""Try settings before they are advised: other learning rates, longer runs, other models."""

from collections.abc import Mapping, Sequence
from math import ceil, inf, isfinite
from typing import Any, Final

from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.config.resolve import loss_declaration
from lossrun.health.circumstances import (
    ENOUGH_MOVEMENT,
    LONGER,
    RATE,
    Advice,
    Circumstances,
    Settings,
    has_unusual_init,
    last_of_each_key,
    middle_rate,
    rounded,
    steps_scale_with_gradient,
    usual_range,
)

OPTIMIZER: Final = "optimizer="
ADAM: Final = "optimizer=adam"
RELU: Final = ("model.activation=relu", "model.init=he_normal")
# Factors that are tried for a learning rate that diverged, and for one that made no progress.
SMALLER_FACTORS: Final = (1 / 2, 1 / 5, 1 / 10, 1 / 30, 1 / 100, 1 / 300, 1 / 1000)
OTHER_FACTORS: Final = (3.0, 10.0, 30.0, 100.0, 1 / 10, 1 / 100)
# How much lower the loss must be with other settings to advise them.
BETTER: Final = 0.95
# The same for settings that change more than the rate of a run that learned something.
MUCH_BETTER: Final = 0.8
# A loss below the first value is clearly better than a constant; above the others, a model has learned little or
# nothing.
LEARNED: Final = 0.85
LITTLE_LEARNED: Final = 0.9
NOTHING_LEARNED: Final = 0.99
GOOD_RATE: Final = 0.01
# A run with this many steps has had enough time.
MANY_STEPS: Final = 200
# A run with fewer steps has hardly begun.
FEW_STEPS: Final = 50
# How many settings are tried for longer.
MOST_LONGER: Final = 2
# Units of a layer that are enough for most small problems.
WIDE: Final = 64


def smaller_rate(known: Circumstances, why: str = "") -> Advice | None:
    """Return the smaller learning rate with the lowest loss in a trial, from the usual range if any of these trains."""
    rate, usual = known.config.learning_rate, usual_range(known.config.optimizer.name)
    smaller = [rounded(rate * share) for share in SMALLER_FACTORS]
    smaller += [one for one in middle_rate(known) if one < rate]
    losses = _losses_at(known, smaller)
    trained = {tried: loss for tried, loss in losses.items() if isfinite(loss)}
    if min(trained.values(), default=inf) > NOTHING_LEARNED and (found := _other_initial_weights(known, smaller)):
        return found
    ordinary = {tried: loss for tried, loss in trained.items() if usual[0] <= tried <= usual[1]}
    least = min(ordinary.values(), default=inf)
    # If only tiny steps train, the numbers are too large for any usual rate.
    if least > 1 and (found := _lowest_loss(known, _standardized_at(known, smaller), 1.0)):
        return found
    if not trained:
        return None
    candidates = ordinary if least < 1 else trained
    best = min(candidates, key=lambda tried: candidates[tried])
    reason = why or f"the learning rate of {rate:g} is too large"
    return Advice(f"{reason}; {best:g} worked in a trial", (f"{RATE}{best:g}",))


def _other_initial_weights(known: Circumstances, rates: Sequence[float]) -> Advice | None:
    """Return torch's initial weights if the configured ones may be to blame and these train, or cannot be tried."""
    if not has_unusual_init(known):
        return None
    others: Settings = ("model.init=torch",)
    tried = known.try_out([(*others, *rate) for rate in [(), *((f"{RATE}{one:g}",) for one in rates)]])
    if min(tried.values(), default=0.0) > NOTHING_LEARNED:
        return None
    return Advice("the network is dead from the start, at any learning rate, because of its initial weights", others)


def _standardized_at(known: Circumstances, rates: Sequence[float]) -> list[tuple[Settings, str]]:
    """Return the settings of standardized data at the configured rate and some others, each with a description."""
    standardize = known.config.dataset.parameters.get("standardize")
    if standardize is None or standardize["inputs"]:
        return []
    names = ("inputs", "targets") if known.facts.task == "regression" else ("inputs",)
    settings = tuple(f"dataset.standardize.{name}=true" for name in names)
    return [
        ((*settings, *rate), "with numbers as large as these, only tiny steps work; standardized data")
        for rate in [(), *((f"{RATE}{one:g}",) for one in rates)]
    ]


def extend_cure(advice: Advice, known: Circumstances, *, diverged: bool = False) -> Advice:
    """Extend a cure until it beats a constant: with another learning rate, model or loss, or more epochs.

    `diverged`: whether the run diverged; then it is enough that the loss falls.
    """
    cure = advice.cure
    share = known.try_out([cure]).get(cure)
    if share is None or share < (NOTHING_LEARNED if diverged and isfinite(share) else LEARNED):
        return advice
    given = [setting for setting in cure if setting.startswith(RATE)]
    rate = float(given[0].removeprefix(RATE)) if given else known.config.learning_rate
    rest = tuple(setting for setting in cure if not setting.startswith(RATE))
    others = (one.removeprefix(OPTIMIZER) for one in cure if one.startswith(OPTIMIZER))
    most = usual_range(next(iter(others), known.config.optimizer.name))[1]
    shares = SMALLER_FACTORS if not isfinite(share) else tuple(times for times in OTHER_FACTORS if times > 1)
    rates = [one for times in shares if (one := rounded(rate * times)) <= most]
    families = [[(*rest, f"{RATE}{one:g}") for one in rates]]
    if isfinite(share):
        families += [
            [(*cure, *settings) for settings, _ in _other_models(known)],
            [(*cure, *cross_entropy_instead(known))],
        ]
    for several in families:
        tried = {settings: loss for settings, loss in known.try_out(several).items() if settings != cure}
        better = [settings for settings in several if tried.get(settings, inf) < min(BETTER * share, LEARNED)]
        if better:
            # A run that diverged gets the smallest rate.
            best = better[0] if diverged and isfinite(share) else min(better, key=lambda settings: tried[settings])
            return Advice(advice.why, last_of_each_key(best))
    steps = known.config.epochs * known.steps_per_epoch
    faster = max(rate, GOOD_RATE)
    if diverged or not isfinite(share) or faster * steps >= ENOUGH_MOVEMENT:
        return advice
    epochs = ceil(ENOUGH_MOVEMENT / faster / known.steps_per_epoch)
    return Advice(advice.why, (*rest, f"{RATE}{faster:g}", f"epochs={epochs}"))


def cross_entropy_instead(known: Circumstances) -> Settings:
    """Return the settings of a cross-entropy, if the run has a loss of numbers on classes; () for any other loss."""
    declared, task = loss_declaration(known.config.loss), known.facts.task
    if declared is None or task == "regression" or declared.prediction != "mean":
        return ()
    faster: Settings = (ADAM, f"{RATE}{GOOD_RATE:g}") if steps_scale_with_gradient(known) else ()
    return (f"loss={USUAL_LOSSES[task]}", "model.output=logits", *faster)


def better_settings(name: str, known: Circumstances, loss: float) -> Advice | None:
    """Return settings that reach a lower loss from the initial weights: another learning rate or model, or more epochs.

    `loss`: the last one of the run.
    """
    rate, epochs = known.config.learning_rate, known.config.epochs
    most = max(rate, usual_range(known.config.optimizer.name)[1])
    others = [one for times in OTHER_FACTORS if (one := rounded(rate * times)) <= most]
    losses = _losses_at(known, list(dict.fromkeys([rounded(rate), *others, *middle_rate(known)])))
    if not losses:
        return None
    best, now = min(losses, key=lambda tried: losses[tried]), losses.get(rounded(rate), inf)
    # Settings are tried at a constant rate.
    if known.config.schedule.name != "constant" and now < min(MUCH_BETTER * known.share(loss), LEARNED):
        return Advice(f"a constant rate of {rate:g} reached a lower loss in a trial", ("schedule=constant",))
    gets_further = isfinite(losses[best]) and losses[best] < BETTER * now and best != rounded(rate)
    # After so few steps, rates differ mostly by their last batch.
    short = epochs * known.steps_per_epoch < FEW_STEPS
    if gets_further and losses[best] < LEARNED and not short:
        return _other_rate(rate, best)
    if not short and (found := another_model(known, min(BETTER * losses[best], LEARNED))):
        return found
    if not short and not gets_further and (found := _with_more_time(known)):
        return found
    longer = f"epochs={max(10 * epochs, ceil(MANY_STEPS / known.steps_per_epoch))}"
    if gets_further:
        why, cure = _other_rate(rate, best)
        return Advice(why, (*cure, longer) if short else cure)
    if name in ("unfinished", "above_constant"):
        return Advice(
            f"no other learning rate reached a lower loss than {rate:g} when it was tried, so the run is too short",
            (longer,),
        )
    return Advice(
        "no learning rate from a hundredth to a hundred times this one, and no larger model, reached a lower loss "
        "in a trial, so the inputs may not predict the targets",
        (),
    )


def _with_more_time(known: Circumstances) -> Advice | None:
    """Return the settings of another model that get away from a constant in more steps than others are tried for."""
    epochs = ceil(LONGER / known.steps_per_epoch)
    longer: Settings = (f"epochs={epochs}",) if epochs > known.config.epochs else ()
    models = _other_models(known)
    for settings, what in [*reversed(_with_larger_steps(known, models)), *models][:MOST_LONGER]:
        cure = (*settings, *longer)
        if known.try_out([cure], LONGER).get(cure, inf) < LEARNED:
            for_epochs = f" for {epochs} epochs" * bool(longer)
            return Advice(f"{what.removesuffix(',')}{for_epochs} reached a lower loss in a trial", cure)
    return None


def larger_steps_do_better(known: Circumstances, loss: float) -> bool:
    """Return whether larger steps got far below the final loss of the run in a short trial.

    They are tried together with the linter's advice.
    """
    advised = last_of_each_key([setting for cure in known.lint.values() for setting in cure])
    larger = [(f"{RATE}{rounded(known.config.learning_rate * times):g}",) for times in OTHER_FACTORS if times > 1]
    # Deep networks of units that saturate learn so slowly that another activation tells.
    others = [settings for settings, _ in _other_models(known) if RELU[0] in settings and len(settings) > len(RELU)]
    several = [(), *larger, *others, *(settings for settings, _ in _with_larger_steps(known, []))]
    tried = known.try_out([last_of_each_key([*advised, *settings]) for settings in several], held_out=True)
    much = BETTER if known.share(loss) > LITTLE_LEARNED else MUCH_BETTER
    return min(tried.values(), default=inf) < much * known.share(loss)


def another_model(known: Circumstances, below: float) -> Advice | None:
    """Return the settings of another model that got below this loss in a trial; None if no model did."""
    models = _other_models(known)
    return _lowest_loss(known, [*_standardized(known), *models, *_with_larger_steps(known, models)], below)


def _standardized(known: Circumstances) -> list[tuple[Settings, str]]:
    """Return the settings that standardize the inputs, where they are not."""
    standardize = known.config.dataset.parameters.get("standardize")
    if standardize is None or standardize["inputs"]:
        return []
    return [(("dataset.standardize.inputs=true",), "a model with standardized inputs")]


def larger_model(known: Circumstances, loss: float) -> Advice | None:
    """Return the settings of a larger model that got far below the final loss of a run in a part of its steps."""
    # A linear model was probably chosen on purpose.
    if known.config.model.name == "linear" or known.config.epochs * known.steps_per_epoch < MANY_STEPS:
        return None
    return _lowest_loss(known, _other_models(known)[:1], MUCH_BETTER * known.share(loss), held_out=True)


def _lowest_loss(
    known: Circumstances, models: Sequence[tuple[Settings, str]], below: float, *, held_out: bool = False
) -> Advice | None:
    several = dict(models)
    tried = known.try_out(list(several), held_out=held_out)
    best = min(tried, key=lambda settings: tried[settings], default=())
    if not best or not tried[best] < below:
        return None
    return Advice(f"{several[best]} reached a lower loss in a trial", best)


def _other_models(known: Circumstances) -> list[tuple[Settings, str]]:
    """Return models to try instead of the configured one, larger ones first, each with a description."""
    parameters: Mapping[str, Any] = known.config.model.parameters
    hidden = parameters.get("hidden") or []
    found: list[tuple[Settings, str]] = []
    if known.config.model.name == "linear":
        found.append((("model=mlp",), "a model with a hidden layer"))
    larger: Settings = ()
    if "hidden" in parameters and (min(hidden, default=0) < WIDE or len(hidden) > 2):
        width = max(WIDE, *hidden)
        larger = (f"model.hidden=[{width}, {width}]",)
        found.append((larger, f"a model with two layers of {width} units"))
    if hidden and f"model.activation={parameters.get('activation')}" != RELU[0]:
        # A few relu units may all be dead from the beginning.
        found.append(((*larger, *RELU), "relu with suitable initial weights" + " in two wider layers" * bool(larger)))
    return found


def _with_larger_steps(known: Circumstances, models: Sequence[tuple[Settings, str]]) -> list[tuple[Settings, str]]:
    """Return the same models with larger steps."""
    if steps_scale_with_gradient(known):
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
        f"the learning rate of {rate:g} is too {small}; {best:g} reached a lower loss in a trial",
        (f"{RATE}{best:g}",),
    )


def _losses_at(known: Circumstances, rates: Sequence[float]) -> dict[float, float]:
    tried = known.try_out([(f"{RATE}{rate:g}",) for rate in rates])
    return {rate: tried[settings] for rate in rates if (settings := (f"{RATE}{rate:g}",)) in tried}
