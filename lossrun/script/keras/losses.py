"""Write a loss in Keras: its own class if there is an identical one, else a few lines of keras.ops."""

from typing import Final

import numpy as np

from lossrun.by_name import function_in
from lossrun.errors import UsageError
from lossrun.script.keras import loss_lines
from lossrun.script.keras.loss_lines import weighted_within
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, comment, function, literal, number
from lossrun.script.lines.weights import Options, options
from lossrun.shell import command

ABOUT: Final = "The loss that training minimises. targets come first, as everywhere in Keras."


def loss_section(experiment: ScriptInput) -> Section:
    """Return `loss_fn`, which takes targets and outputs."""
    loss = experiment.config.loss
    if loss.is_plugin:
        raise UsageError(
            f"loss: {loss.name} is your own and computes with torch tensors, which Keras' other backends do not have; "
            f"use --as pytorch, or a loss from `{command('list', 'losses')}`"
        )
    chosen = options(experiment)
    if not chosen.of_samples and (own := _class(chosen)) is not None:
        return Section(functions=[f"loss_fn = {own}"])
    constants = []
    if chosen.weights is not None:
        constants.append(call("CLASS_WEIGHTS = np.array", [literal(chosen.weights), '"float32"']))
        if loss["class_weights"] == "balanced":
            constants[:0] = comment("balanced: samples / (classes * samples of the class)")
    if not chosen.of_samples:
        lines = [*_prepared(chosen), *_written(chosen), *_reduced(chosen)]
        functions = [function("def loss_fn(targets, outputs)", ABOUT, lines)]
    else:
        functions = _weighted_by_keras(chosen) if _is_weighed_by_keras(chosen) else _weighted_by_itself(chosen)
    needed = ["from keras import ops"] if "ops." in functions[0] else []
    return Section(imports=needed, constants=constants, functions=functions)


def _written(o: Options) -> list[str]:
    """Return the lines of the loss. Raises UsageError for a loss without a version in keras.ops."""
    write = function_in(loss_lines, o.name)
    if write is None:
        raise UsageError(f"loss: {o.name} has no version in Keras; use --as pytorch")
    lines: list[str] = write(o)
    return lines


WEIGHTED: Final = '''class Loss(keras.losses.Loss):
    """The loss of each sample; Keras multiplies it by the sample's weight and divides by DIVISOR."""

    def call(self, targets, outputs):
BODY'''


WEIGHING: Final = '''class Loss(keras.losses.Loss):
    """ABOUT"""

    def __call__(self, targets, outputs, sample_weight=None):
BODY'''


def _is_weighed_by_keras(o: Options) -> bool:
    """Return whether Keras itself computes this weighted mean."""
    return o.weights is None and o.parameters.get("ignore_index") is None and o.reduction == "mean"


def _weighted_by_keras(o: Options) -> list[str]:
    """Return a loss whose weighted mean Keras computes.

    Keras divides the sum of the weighted losses by the sum of the weights, or in its own convention by the number of
    samples.
    """
    lines = [*_prepared(o), *_written(o)]
    lines.append("return losses" if o.per_sample else "return ops.mean(losses, axis=-1)")
    by_samples = o.parameters.get("weight_convention") == "keras"
    text = WEIGHTED.replace("DIVISOR", "the number of samples" if by_samples else "the sum of the weights")
    text = text.replace("BODY", "\n".join(f"        {line}" for line in lines))
    reduction = "sum_over_batch_size" if by_samples else "mean_with_sample_weight"
    return [text, f'loss_fn = Loss(reduction="{reduction}")']


def _weighted_by_itself(o: Options) -> list[str]:
    """Return a loss that computes its own weighted mean.

    Keras only knows weights of samples. The weights of classes must stay separate, because they do not count in
    metrics.
    """
    lines = [
        "targets, sample_weight = ops.convert_to_tensor(targets), ops.convert_to_tensor(sample_weight)",
        *_prepared(o),
        *_written(o),
    ]
    if o.weights is not None and not weighted_within(o):
        lines.append("losses = weights * losses")
    if not o.per_sample:
        lines.append("losses = ops.mean(losses, axis=-1)")
    factor = o.factor("ops.shape(outputs)[0]")
    if factor:
        lines += comment(f"reduction {o.reduction}: the mean times this.")
    times = f"{factor} * " if factor else ""
    if counted := _counted(o):
        lines.append(f"counted = {' * '.join(counted)}")
        lines.append(f"return {times}ops.divide_no_nan(ops.sum(sample_weight * losses), ops.sum(counted))")
    else:
        lines.append(f"return {times}ops.mean(sample_weight * losses)")
    about = "The mean loss; samples are weighted" + ", and so are their classes" * (o.weights is not None)
    body = "\n".join(f"        {line}" for line in lines)
    return [WEIGHING.replace("ABOUT", f"{about}.").replace("BODY", body), "loss_fn = Loss()"]


def _counted(o: Options) -> list[str]:
    """Return the factors of a sample's weight in the divisor of the mean, (N,); [] if all count the same."""
    if o.is_sum:
        return []
    factors = []
    if o.parameters.get("weight_convention", "pytorch") == "pytorch":
        factors.append("sample_weight")
        if o.weights is not None and (o.of_classes or o.columns == 1):
            factors.append("weights" if o.of_classes else "weights[:, 0]")
        elif o.weights is not None:
            factors.append(f"{np.mean(o.weights):.9g}")  # of the outputs
    if (ignored := o.parameters.get("ignore_index")) is not None:
        factors.append(f'ops.cast(targets != {ignored}, "float32")')
    return factors


def _class(o: Options) -> str | None:
    """Return Keras' own class if it is exactly this loss with these options."""
    if not o.plain or o.one_hot:
        return None
    logits, losses = o.form == "logits", "keras.losses."
    match o.name:
        case "mse":
            return losses + "MeanSquaredError()"
        case "mae":
            return losses + "MeanAbsoluteError()"
        case "huber":
            return losses + f"Huber(delta={number(o['delta'])})"
        case "log_cosh":
            return losses + "LogCosh()"
        case "mape" if o["eps"] == 1e-7:
            return losses + "MeanAbsolutePercentageError()"
        case "msle":
            return losses + "MeanSquaredLogarithmicError()"
        case "poisson_nll" if not o["log_input"] and not o["full"] and o["eps"] == 1e-7:
            return losses + "Poisson()"
        case "cosine_similarity":
            return losses + "CosineSimilarity()"
        case "binary_cross_entropy" if o.form != "log_probabilities" and o["pos_weight"] is None:
            smoothing = [f"label_smoothing={number(o.smoothing)}"] if o.smoothing else []
            return call(losses + "BinaryCrossentropy", [f"from_logits={logits}", *smoothing])
        case "hinge":
            return losses + "Hinge()"
        case "squared_hinge":
            return losses + "SquaredHinge()"
        case "cross_entropy" if o.form != "log_probabilities" and not o.smoothing:
            ignored = [] if o["ignore_index"] is None else [f"ignore_class={o['ignore_index']}"]
            return call(losses + "SparseCategoricalCrossentropy", [f"from_logits={logits}", *ignored])
        case "multilabel_soft_margin":
            return losses + "BinaryCrossentropy(from_logits=True)"
    return None


def _prepared(o: Options) -> list[str]:
    lines = []
    if o.one_hot:
        lines.append(f"targets = ops.one_hot(targets, {o.columns})")
    if o.weights is not None and (o.divides_by_weights or not weighted_within(o)):
        if o.of_classes:
            lines.append('weights = ops.take(CLASS_WEIGHTS, ops.cast(targets, "int32"))')
        elif o.columns == 1:
            lines.append("weights = CLASS_WEIGHTS[0] * (1 - targets) + CLASS_WEIGHTS[1] * targets")
        else:
            lines.append("weights = ops.convert_to_tensor(CLASS_WEIGHTS)  # of each output")
    return lines


def _reduced(o: Options) -> list[str]:
    """Return the lines from `losses`, (N,) or (N, K), to one number, or one per sample, which Keras averages."""
    factor = o.factor("ops.shape(outputs)[0]")
    times = f"{factor} * " if factor else ""
    about = comment(f"reduction {o.reduction}: the mean times this.") if factor else []
    ignored = o.parameters.get("ignore_index")
    losses = "losses" if o.weights is None or weighted_within(o) else "weights * losses"
    if ignored is not None and not o.is_sum:
        kept = f'ops.cast(targets != {ignored}, "float32")'
        counted = f"counted = weights * {kept}" if o.divides_by_weights else f"counted = {kept}"
        return [counted, *about, f"return {times}ops.divide_no_nan(ops.sum({losses}), ops.sum(counted))"]
    if o.divides_by_weights:
        by = "ops.sum" if o.of_classes or o.columns == 1 else "ops.mean"
        return [
            *comment("PyTorch's convention: divided by the sum of the weights, not by the number of samples."),
            *about,
            f"return {times}ops.divide_no_nan({by}({losses}), {by}(weights))"
            if o.may_count_nothing
            else f"return {times}{by}({losses}) / {by}(weights)",
        ]
    if not factor:
        return [f"return {losses}" if o.per_sample else f"return ops.mean({losses}, axis=-1)"]
    return [*about, f"return {times}ops.mean({losses})"]
