"""Write a loss in Keras: its own class if there is an identical one, else a few lines of keras.ops."""

from typing import Final

from lossrun.by_name import function_in
from lossrun.errors import UsageError
from lossrun.script.keras import loss_lines
from lossrun.script.keras.loss_lines import weighted_within
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, comment, function, literal, number
from lossrun.script.lines.weights import Options, options
from lossrun.shell import command

ABOUT: Final = "What training minimises. targets come first, as everywhere in Keras."


def loss_section(experiment: ScriptInput) -> Section:
    """`loss_fn`, which takes targets and outputs."""
    loss = experiment.config.loss
    if loss.is_plugin:
        raise UsageError(
            f"loss: {loss.name} is your own and computes with torch tensors, which Keras' other backends do not "
            f"have; take --as pytorch, or a loss from `{command('list', 'losses')}`"
        )
    chosen = options(experiment)
    if chosen.of_samples:
        return _weighting_samples(chosen)
    if (own := _class(chosen)) is not None:
        return Section(functions=[f"loss_fn = {own}"])
    lines = [*_prepared(chosen), *_written(chosen)]
    constants = []
    if chosen.weights is not None:
        constants.append(call("CLASS_WEIGHTS = np.array", [literal(chosen.weights), '"float32"']))
        if loss["class_weights"] == "balanced":
            constants[:0] = comment("balanced: samples / (classes * samples of the class)")
    text = function("def loss_fn(targets, outputs)", ABOUT, [*lines, *_reduced(chosen)])
    needed = ["from keras import ops"] if "ops." in text else []
    return Section(imports=needed, constants=constants, functions=[text])


def _written(o: Options) -> list[str]:
    """The lines of the loss. Raises UsageError for one that nobody has written in keras.ops."""
    write = function_in(loss_lines, o.name)
    if write is None:
        raise UsageError(f"loss: {o.name} has no form in Keras; take --as pytorch")
    lines: list[str] = write(o)
    return lines


WEIGHTED: Final = '''class Loss(keras.losses.Loss):
    """The loss of each sample; Keras multiplies it by the sample's weight and divides by DIVISOR."""

    def call(self, targets, outputs):
BODY'''


def _weighting_samples(o: Options) -> Section:
    """A loss of which Keras takes the weighted mean: sum of weighted losses over the sum of the weights, or, by Keras'
    own convention, over the number of samples."""
    if o.weights is not None or o.parameters.get("ignore_index") is not None or o.reduction != "mean":
        raise UsageError(
            "weights of samples together with class_weights, ignore_index or a reduction: Keras multiplies the two "
            "otherwise than lossrun; take --as pytorch"
        )
    lines = [*_prepared(o), *_written(o)]
    lines.append("return losses" if o.per_sample else "return ops.mean(losses, axis=-1)")
    by_samples = o.parameters.get("weight_convention") == "keras"
    text = WEIGHTED.replace("DIVISOR", "the number of samples" if by_samples else "the sum of the weights")
    text = text.replace("BODY", "\n".join(f"        {line}" for line in lines))
    reduction = "sum_over_batch_size" if by_samples else "mean_with_sample_weight"
    needed = ["from keras import ops"] if "ops." in text else []
    return Section(imports=needed, functions=[text, f'loss_fn = Loss(reduction="{reduction}")'])


def _class(o: Options) -> str | None:
    """Keras' own class, where it is the very loss with these options."""
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
    """From `losses`, (N,) or (N, K), to what is minimised: one number, or one for each sample, which Keras averages."""
    factor = o.factor("ops.shape(outputs)[0]")
    times = f"{factor} * " if factor else ""
    about = comment(f"reduction {o.reduction}: the mean times this.") if factor else []
    ignored = o.parameters.get("ignore_index")
    losses = "losses" if o.weights is None or weighted_within(o) else "weights * losses"
    if ignored is not None and not o.is_sum:
        kept = f'ops.cast(targets != {ignored}, "float32")'
        counted = f"counted = weights * {kept}" if o.divides_by_weights else f"counted = {kept}"
        return [counted, *about, f"return {times}ops.sum({losses}) / ops.sum(counted)"]
    if o.divides_by_weights:
        by = "ops.sum" if o.of_classes or o.columns == 1 else "ops.mean"
        return [
            *comment("PyTorch's convention: divided by the weights, where Keras divides by the samples."),
            *about,
            f"return {times}{by}({losses}) / {by}(weights)",
        ]
    if not factor:
        return [f"return {losses}" if o.per_sample else f"return ops.mean({losses}, axis=-1)"]
    return [*about, f"return {times}ops.mean({losses})"]
