"""Explain why a run has a problem, and find the settings that fix it.

The evidence is weighed in order: what the linter found before the run; the gradient with respect to the outputs; the
layers; the loss; the scale of the targets; and at last the learning rate and the model. `alternatives.py` has the
settings that are tried before they are advised.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.config.resolve import loss_declaration
from lossrun.digits import reach
from lossrun.health.alternatives import (
    BETTER,
    LEARNED,
    MUCH_BETTER,
    better_settings,
    cross_entropy_instead,
    extend_cure,
    larger_model,
    smaller_rate,
)
from lossrun.health.circumstances import RATE, Advice, Circumstances, has_unusual_init, last_of_each_key
from lossrun.health.early_fall import also_without_schedule, without_schedule
from lossrun.health.layers import Layers

# Targets at least this many standard deviations, or numbers, away from 0 are far for outputs that begin near 0.
FAR: Final = 3.0
LARGE: Final = 10.0
# A scheduled rate that is this many times above or below the configured one was raised or lowered by the schedule.
RAISED: Final = 1.5
LOWERED: Final = 0.1
# A best epoch in this part of the run came early.
EARLY: Final = 0.7
# If one class has this share of the samples, the others are rare.
RARE: Final = 0.8
_DIVERGED: Final = ("dead", "exploded", "non_finite")
# A model that learned too much, whatever its rate.
_LATE: Final = ("overfitting", "overconfident")


def advise(name: str, known: Circumstances, layers: Layers | None, row: Mapping[str, Any], since: int) -> Advice | None:
    """Return the advice for a diagnosis; None if there is nothing to add to the catalogue's text.

    Args:
        layers: The state of the layers; None if the weights are not finite.
        row: The history row of the epoch.
        since: The epoch of the best val_loss.
    """
    found = _advice(name, known, layers, row, since)
    # Settings are tried at a constant rate, so a schedule that lowers it early would make other settings useless.
    early = found is not None and name not in (*_DIVERGED, *_LATE)
    return also_without_schedule(found, known) if found is not None and early else found


def _advice(
    name: str, known: Circumstances, layers: Layers | None, row: Mapping[str, Any], since: int
) -> Advice | None:
    if name == "smoothing":
        return None
    if name in _LATE:
        return Advice("", _end_earlier(name, known, since))
    if name in _CURES_OF_MISTAKES and not known.lint:
        return extend_cure(Advice("", (*_CURES_OF_MISTAKES[name](known), *_far_targets(known))), known)
    diverged = name in _DIVERGED
    if found := _of_lint(known):
        return extend_cure(found, known, diverged=diverged)
    if found := _by_schedule(known, row, diverged=diverged):
        return found
    return _of_divergence(name, known, layers) if diverged else _of_slow_learning(name, known, layers, row)


def _of_divergence(name: str, known: Circumstances, layers: Layers | None) -> Advice | None:
    found = (_of_layers(name, known, layers) if layers and name == "dead" else None) or smaller_rate(known)
    by_rate = found is None or any(setting.startswith(RATE) for setting in found.cure)
    return found if found is None or by_rate else extend_cure(found, known, diverged=True)


def _of_slow_learning(name: str, known: Circumstances, layers: Layers | None, row: Mapping[str, Any]) -> Advice | None:
    """Return the advice for a run that has not diverged, but has learned little."""
    if found := without_schedule(known, MUCH_BETTER * known.share(row["train_loss"])):
        return found
    if name == "too_small":
        return larger_model(known, row["train_loss"])
    if name == "oscillation":
        return smaller_rate(known)
    if name == "one_answer" and (rare := _of_rare_classes(known)):
        return extend_cure(rare, known)
    by_layers = _of_layers(name, known, layers) if layers else None
    if name == "dead_units" and by_layers:
        if _gets_away(by_layers, known, row["train_loss"]):
            return by_layers
        by_layers = None
    found = by_layers or _of_loss(known) or _of_targets(known)
    return extend_cure(found, known) if found else better_settings(name, known, row["train_loss"])


def _of_lint(known: Circumstances) -> Advice | None:
    """Return the advice that the linter gave before the run; None if it gave only rates, which are better tried."""
    settings = dict.fromkeys(setting for cure in known.lint.values() for setting in cure)
    if all(setting.startswith(RATE) for setting in settings):
        return None
    reason = f"the linter said why before the run began: {', '.join(known.lint)}"
    return Advice(reason, last_of_each_key([*settings, *_far_targets(known)]))


def _gets_away(advice: Advice, known: Circumstances, loss: float) -> bool:
    """Return whether a cure got well below a constant and the loss of the run when it was tried, or cannot be tried."""
    share = known.try_out([advice.cure]).get(advice.cure)
    return share is None or share < min(LEARNED, BETTER * known.share(loss))


def _hidden_softmax(known: Circumstances) -> tuple[str, ...]:
    return ("loss.from_logits=false",) if known.config.model.is_plugin else ("model.output=logits",)


_CURES_OF_MISTAKES: Final[Mapping[str, Callable[[Circumstances], tuple[str, ...]]]] = {
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
    """Return the settings that end a run soon after its best epoch, or that keep probabilities away from 0 and 1."""
    declared = loss_declaration(known.config.loss)
    # However long the training, the minimum of such a loss is at probabilities of 0 and 1.
    if name == "overconfident" and declared is not None and not declared.proper:
        return f"loss={USUAL_LOSSES[known.facts.task]}", "model.output=logits"
    smoothing = known.config.loss.parameters.get("label_smoothing")
    if name == "overconfident" and smoothing == 0 and since > EARLY * known.config.epochs:
        return ("loss.label_smoothing=0.1",)
    return (f"early_stopping={max(2, since // 2)}",)


def _by_schedule(known: Circumstances, row: Mapping[str, Any], *, diverged: bool) -> Advice | None:
    rate, configured = row["learning_rate"], known.config.learning_rate
    if diverged and rate > RAISED * configured:
        what = "raised"
    elif not diverged and isfinite(rate) and rate < LOWERED * configured and row["epoch"] < known.config.epochs:
        what = "lowered"
    else:
        return None
    return Advice(f"the schedule had {what} the learning rate from {reach(configured, rate)}", ("schedule=constant",))


def _of_layers(name: str, known: Circumstances, layers: Layers) -> Advice | None:
    """Return the advice that follows from the gradients, from the outputs to the inputs."""
    if layers.at_outputs == 0 and known.facts.task != "regression":
        output = known.config.model["output"]
        return smaller_rate(known, f"the {output} of every output is saturated, so no gradient enters the network")
    if name == "vanishing_gradient":
        return Advice("", ("model.activation=relu", "model.init=he_normal"))
    if name == "saturated_units" and has_unusual_init(known):
        return Advice(
            "the initial weights are so large that most units start where their slope is nearly 0",
            ("model.init=glorot_uniform",),
        )
    if name == "dead_units":
        return smaller_rate(known, "the first updates moved them to where their slope is 0") or Advice(
            "", ("model.activation=leaky_relu",)
        )
    return None


def _of_loss(known: Circumstances) -> Advice | None:
    if not (cure := cross_entropy_instead(known)):
        return None
    name, usual = known.config.loss.name, USUAL_LOSSES[known.facts.task]
    return Advice(
        f"{name} on classes has the smallest gradient where an output is most wrong; {usual} has the largest", cure
    )


def _of_rare_classes(known: Circumstances) -> Advice | None:
    counts = known.facts.class_counts
    if not counts or "class_weights" not in known.config.loss.parameters or not all(counts):
        return None
    if known.config.loss["class_weights"] or max(counts) < RARE * sum(counts):
        return None
    share = 100 * max(counts) / sum(counts)
    return Advice(f"{share:.3g} % of the training samples are of one class", ("loss.class_weights=balanced",))


def _of_targets(known: Circumstances) -> Advice | None:
    scale, settings = known.facts.target_scale, _far_targets(known)
    if scale is None or not settings:
        return None
    return Advice(
        f"targets of {reach(scale.low, scale.high)} are far from the first outputs of the network, which are near 0",
        (*settings, *(setting for cure in known.lint.values() for setting in cure)),
    )


def _far_targets(known: Circumstances) -> tuple[str, ...]:
    """Return the settings that standardize targets far from 0; () if they are near 0, or must not be standardized."""
    scale, standardize = known.facts.target_scale, known.config.dataset.parameters.get("standardize")
    cured = [setting for cure in known.lint.values() for setting in cure]
    # The linter may have said that the outputs need an unbounded range.
    unbounded = known.config.model["output"] == "none" or "model.output=none" in cured
    if scale is None or standardize is None or standardize["targets"] or not unbounded:
        return ()
    declared = loss_declaration(known.config.loss)
    if declared is None or declared.targets_at_least is not None or declared.targets_at_most is not None:
        return ()
    if any(setting.startswith(("dataset.task", "dataset.standardize.targets")) for setting in cured):
        return ()
    if scale.mean > LARGE or scale.mean > FAR * scale.spreads[1] or scale.spreads[1] > LARGE:
        return "dataset.standardize.inputs=true", "dataset.standardize.targets=true"
    return ()
