"""Write a loss in PyTorch: its own class if there is an identical one, else a few lines or lossrun's own function."""

from collections.abc import Mapping
from typing import Final

from lossrun.by_name import function_in
from lossrun.catalog.homes import home
from lossrun.catalog.losses.reductions import adds_up_samples
from lossrun.script.lines.embedded import embedded
from lossrun.script.lines.own import own_import
from lossrun.script.lines.script_input import ScriptInput
from lossrun.script.lines.text import Section, call, comment, function, keywords, literal, number
from lossrun.script.lines.weights import Options, has_sample_weights, options
from lossrun.script.pytorch import loss_lines

FUNCTIONAL: Final = "import torch.nn.functional as F"
ABOUT: Final = "The loss that training minimises, a mean over the samples."


def loss_section(experiment: ScriptInput) -> Section:
    """Return `loss_fn(outputs, targets)`, a scalar."""
    if experiment.config.loss.is_plugin:
        return _own(experiment)
    chosen = options(experiment)
    if _has_class(chosen) and (own := _class(chosen)) is not None:
        notes = [line for text in _NOTES.get(chosen.name, ()) for line in comment(text)]
        return Section(imports=["from torch import nn"], functions=["\n".join([*notes, own])])
    own_source, lines = _lines(chosen)
    constants = []
    if chosen.weights is not None:
        constants.append(call("CLASS_WEIGHTS = torch.tensor", [literal(chosen.weights)], ".to(DEVICE)"))
        if experiment.config.loss["class_weights"] == "balanced":
            constants[:0] = comment("balanced: samples / (classes * samples of the class)")
    body = [*lines, *(_weighted_mean(chosen) if chosen.of_samples else _mean(chosen))]
    text = function(f"def loss_fn(outputs, targets{', sample_weights' * chosen.of_samples})", ABOUT, body)
    needed = [FUNCTIONAL] if "F." in text else []
    needed += ["import math"] if "math." in text else []
    return own_source + Section(imports=needed, constants=constants, functions=[text])


def _has_class(o: Options) -> bool:
    return not (o.of_samples or _is_embedded(o))


def _is_embedded(o: Options) -> bool:
    """Return whether the loss has no lines of its own, so that the script gets lossrun's function."""
    return function_in(loss_lines, o.name) is None


def _lines(o: Options) -> tuple[Section, list[str]]:
    """Return what is outside `loss_fn`, and the lines in it that end in `losses`."""
    if (write := function_in(loss_lines, o.name)) is not None:
        return Section(), [*_prepared(o), *write(o)]
    values = {
        key: value
        for key, value in o.parameters.items()
        if key not in ("reduction", "weight_convention", "class_weights") and value is not None
    }
    weights = ["class_weights=CLASS_WEIGHTS"] if o.weights is not None else []
    called = call(f"losses = {o.name}", ["outputs", "targets", *keywords(values), *weights], level=1)
    return embedded((home("loss", o.name), o.name)), [*_prepared(o), called]


def _weighted_within(o: Options) -> bool:
    """Return whether the lines of the loss already multiply by the weights of the classes."""
    return (o.weights is not None and _is_embedded(o)) or loss_lines.weighted_within(o)


_NOTES: Final[Mapping[str, tuple[str, ...]]] = {
    "cross_entropy": ("Takes logits: the softmax is part of the loss.",),
    "binary_cross_entropy": ("Takes logits: the sigmoid is part of the loss.",),
}


def _class(o: Options) -> str | None:
    """Return `loss_fn = nn...` if PyTorch has exactly this loss with these options."""
    if o.may_count_nothing:
        return None  # torch's mean over a batch in which no sample counts is NaN
    if o.name == "cross_entropy" and o.form != "probabilities":
        return _cross_entropy_class(o)
    if o.weights is not None or o.one_hot:
        return None
    match o.name:
        case "mse":
            return "loss_fn = nn.MSELoss()"
        case "mae":
            return "loss_fn = nn.L1Loss()"
        case "huber":
            return f"loss_fn = nn.HuberLoss(delta={number(o['delta'])})"
        case "smooth_l1":
            return f"loss_fn = nn.SmoothL1Loss(beta={number(o['beta'])})"
        case "poisson_nll":
            values = (f"log_input={o['log_input']}", f"full={o['full']}", f"eps={number(o['eps'])}")
            return call("loss_fn = nn.PoissonNLLLoss", values)
        case "binary_cross_entropy" if o.form == "logits" and not o.smoothing:
            if o["pos_weight"] is None:
                return "loss_fn = nn.BCEWithLogitsLoss()"
            weight = f"pos_weight=torch.tensor({literal(o['pos_weight'])})"
            return call("loss_fn = nn.BCEWithLogitsLoss", [weight], ".to(DEVICE)")
        case "multi_margin":
            return f"loss_fn = nn.MultiMarginLoss(p={o['p']}, margin={number(o['margin'])})"
        case "multilabel_soft_margin":
            return "loss_fn = nn.MultiLabelSoftMarginLoss()"
    return None


def _cross_entropy_class(o: Options) -> str | None:
    logits = o.form == "logits"
    # torch divides by the weights of the samples that count, as lossrun does in this convention.
    same_mean = o.reduction == "mean" and (o.weights is None or o.divides_by_weights)
    if not same_mean or (o.smoothing and not logits):
        return None
    arguments, to_device = [], ""
    if o.weights is not None:
        arguments.append(f"weight=torch.tensor({literal(o.weights)})")
        to_device = ".to(DEVICE)"
    if o.smoothing:
        arguments.append(f"label_smoothing={number(o.smoothing)}")
    return call(f"loss_fn = nn.{'CrossEntropyLoss' if logits else 'NLLLoss'}", arguments, to_device)


def _prepared(o: Options) -> list[str]:
    lines = []
    if o.one_hot and not _is_embedded(o):
        lines.append(f"targets = F.one_hot(targets, {o.columns}).to(outputs.dtype)")
    divides = o.divides_by_weights and not (o.of_samples and o.of_classes)
    if o.weights is not None and (divides or not _weighted_within(o)):
        # Weights belong to the targets before any smoothing.
        if o.of_classes:
            lines.append("weights = CLASS_WEIGHTS[targets]")
        elif o.columns == 1:
            lines.append("weights = torch.lerp(CLASS_WEIGHTS[0], CLASS_WEIGHTS[1], targets)")
        else:
            lines.append("weights = CLASS_WEIGHTS  # of each output")
    return lines


def _mean(o: Options) -> list[str]:
    """Return the lines from `losses`, (N,) or (N, K), to one number."""
    ignored = o.parameters.get("ignore_index")
    if o.weights is None:
        if ignored is not None and not o.is_sum:
            return _divided(o, "losses.sum()", f"(targets != {ignored}).sum()")
        return ["return losses.mean()"]
    # The lines of cross_entropy and of the smoothed binary_cross_entropy contain the weights.
    weighted = "losses" if _weighted_within(o) else "(weights * losses)"
    if not o.divides_by_weights and ignored is None:
        about = "  # Keras' convention: over the samples" if not o.is_sum else ""
        return [f"return {weighted}.mean(){about}"]
    if ignored is not None:
        kept = f"(targets != {ignored})"
        total = f"(weights * {kept}).sum()" if o.divides_by_weights else f"{kept}.sum()"
        return ["return losses.mean()"] if o.is_sum else _divided(o, f"{weighted}.sum()", total)
    if o.of_classes or o.columns == 1:
        return _divided(o, f"{weighted}.sum()", "weights.sum()", "  # PyTorch's convention")
    return [f"return {weighted}.mean() / weights.mean()  # PyTorch's convention"]


def _weighted_mean(o: Options) -> list[str]:
    """Return the lines from `losses` to one number, each sample by its weight."""
    lines = []
    if o.weights is not None and not _weighted_within(o):
        lines.append("losses = weights * losses")
    if not (o.per_sample or _is_embedded(o)):
        lines.append("losses = losses.mean(dim=1)")
    if o.is_sum:
        return [*lines, "return (sample_weights * losses).mean()"]
    counted = _counting(o, "sample_weights", "CLASS_WEIGHTS")
    if o.columns == 1 and o.weights is not None:
        counted = counted.replace("torch.lerp(CLASS_WEIGHTS[0], CLASS_WEIGHTS[1], targets[:, 0])", "weights[:, 0]")
    if not counted:
        return [*lines, "return (sample_weights * losses).mean()"]
    return [*lines, f"counts = {counted}", *_divided(o, "(sample_weights * losses).sum()", "counts.sum()")]


def _divided(o: Options, losses: str, total: str, about: str = "") -> list[str]:
    """Return the lines that divide summed losses by what counts."""
    if not o.may_count_nothing:
        return [f"return {losses} / {total}{about}"]
    return [
        f"total = {total}{about}",
        *comment("A batch may have no sample that counts.", 0),
        f"return {losses} / total.where(total > 0, 1)",
    ]


def _counting(o: Options, sample_weights: str, class_weights: str) -> str:
    """Return the weight of each sample in the divisor of a mean, (N,); "" if all count the same."""
    factors = []
    if not o.is_sum and o.parameters.get("weight_convention", "pytorch") == "pytorch":
        factors += [sample_weights] if o.of_samples else []
        if o.weights is not None and o.of_classes:
            factors.append(f"{class_weights}[targets]")
        elif o.weights is not None and o.columns == 1:
            factors.append(f"torch.lerp({class_weights}[0], {class_weights}[1], targets[:, 0])")
        elif o.weights is not None and o.of_samples:
            factors.append(f"{class_weights}.mean()")
    if not o.is_sum and o.parameters.get("ignore_index") is not None:
        factors.append(f"(targets != {o['ignore_index']})")
    return product(factors)


def product(factors: list[str]) -> str:
    """Return the product of the factors; a single factor loses its outer brackets."""
    if len(factors) == 1 and factors[0].startswith("("):
        return factors[0][1:-1]
    return " * ".join(factors)


def batch_count(experiment: ScriptInput) -> str:
    """Return the function `counted`, the divisor of a batch's mean loss; "" if it is the number of samples."""
    weighted = has_sample_weights(experiment)
    if experiment.config.loss.is_plugin:
        summed = adds_up_samples(experiment.config.loss["reduction"])
        counted = "weights" if weighted and not summed else ""
    else:
        o = options(experiment)
        is_class = _has_class(o) and _class(o) is not None
        counted = _counting(o, "weights", "loss_fn.weight" if is_class else "CLASS_WEIGHTS")
    if not counted:
        return ""
    lines = [f"counts = {counted}", "return counts.sum().item()"]
    head = f"def counted(targets{', weights' * weighted})"
    return function(head, "The divisor of the mean loss of a batch.", lines)


def _own(experiment: ScriptInput) -> Section:
    """Return the lines of a user's loss, a function or module that returns one value per sample."""
    from lossrun.plugins.loading import load_plugin

    loss = experiment.config.loss
    module, _, attribute = loss.name.partition(":")
    parameters = {key: value for key, value in loss.parameters.items() if key not in ("inputs", "reduction")}
    written = [f"{key}={literal(value)}" for key, value in parameters.items()]
    section = own_import(module, attribute, experiment.directory)
    if isinstance(load_plugin(loss.name, experiment.directory), type):
        section.constants.append(call(f"own_loss = {attribute}", written, ".to(DEVICE)"))
        losses = "own_loss(outputs, targets)"
    else:
        losses = call(attribute, ["outputs", "targets", *written], level=1)
    if has_sample_weights(experiment):
        lines = [f"losses = {losses}", "return (sample_weights * losses).sum() / sample_weights.sum()"]
        if adds_up_samples(loss["reduction"]):
            lines[-1] = "return (sample_weights * losses).mean()"
        section.functions.append(function("def loss_fn(outputs, targets, sample_weights)", ABOUT, lines))
        return section
    section.functions.append(function("def loss_fn(outputs, targets)", ABOUT, [f"return {losses}.mean()"]))
    return section
