"""Check that the loss fits the model's last layer."""

from collections.abc import Iterator
from typing import Final

from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.config.resolve import output_size
from lossrun.digits import apart
from lossrun.lint.rule import Case, Example, Rule, Violation
from lossrun.shell import command

_SQUASHED: Final = ("sigmoid", "softmax", "log_softmax")
_LOGITS: Final = ("model.output=logits",)
_NONE: Final = ("model.output=none",)
_OUTPUTS: Final = {
    "none": "logits",
    "sigmoid": "probabilities",
    "softmax": "probabilities",
    "log_softmax": "log-probabilities",
}


def loss_task(case: Case) -> Iterator[Violation]:
    """Find a loss for another kind of targets."""
    facts, declared = case.facts, case.loss
    if declared is None or facts.task in declared.tasks:
        return
    plain = USUAL_LOSSES[facts.task]
    others = command("list", "losses", options={"--task": facts.task})
    yield Violation(
        ("loss",),
        f"{declared.name} is for {' and '.join(declared.tasks)} targets, but {case.config.dataset.name} has "
        f"{facts.task} targets",
        f"use {plain}{_other_task(case, declared)}; `{others}` lists the others",
        (f"loss={plain}",),
    )


def _other_task(case: Case, declared: Loss) -> str:
    """Suggest another task for the same data, if the config can set it and the loss would fit."""
    if "task" not in case.config.dataset.parameters:
        return ""
    facts = case.facts
    readings = {"binary": "multiclass", "multiclass": "binary" if facts.target_size == 2 else ""}
    counts, counted = facts.class_counts, facts.counted.get("train", facts.train)
    one_hot = facts.task == "multilabel" and counts is not None and sum(counts) == counted
    other = "multiclass" if one_hot else readings.get(facts.task, "")
    return f", or set dataset.task: {other}" if other in declared.tasks else ""


def double_activation(case: Case) -> Iterator[Violation]:
    """Find a sigmoid or softmax that is applied twice."""
    loss, output = case.config.loss, case.output
    form = loss.parameters.get("inputs")
    # A loss that only accepts logits and turns them into probabilities.
    always = case.loss is not None and case.loss.accepts == ("logits",) and case.loss.prediction == "probabilities"
    if output not in _SQUASHED or not (form == "logits" or always) or _is_harmless(case):
        return
    option = "" if always else " with inputs: logits (from_logits: true)"
    fix = "set model.output: logits" + ("" if always else " (better), or loss.from_logits: false")
    yield Violation(
        ("loss",), f"the model already ends in {output}, and {loss.name}{option} applies it again", fix, _LOGITS
    )


def needless_log_softmax(case: Case) -> Iterator[Violation]:
    """Find a log_softmax that the loss applies again without effect."""
    if case.config.loss.parameters.get("inputs") == "logits" and _is_harmless(case):
        yield Violation(
            ("loss",),
            f"the model already ends in log_softmax, and {case.config.loss.name} with inputs: logits applies it again, "
            "which has no effect",
            "set model.output: logits, or loss.inputs: log_probabilities (NLLLoss)",
            _LOGITS,
        )


def _is_harmless(case: Case) -> bool:
    """Return whether a second activation has no effect: the softmax of log-probabilities is the softmax."""
    return case.output == "log_softmax" and case.loss is not None and _has_softmax(case.loss)


def _has_softmax(declared: Loss) -> bool:
    return declared.prediction == "probabilities" and not declared.sigmoid


def missing_activation(case: Case) -> Iterator[Violation]:
    """Find a loss for probabilities on a model that outputs something else."""
    loss, output, declared = case.config.loss, case.output, case.loss
    form = loss.parameters.get("inputs")
    softmax = case.facts.task == "multiclass" if declared is None else _has_softmax(declared)
    if form == "probabilities" and output in ("none", "log_softmax"):
        yield Violation(
            ("loss",),
            f"{loss.name} is configured for probabilities, but the model outputs {_OUTPUTS[output]}",
            f"set loss.from_logits: true (better), or model.output: {'softmax' if softmax else 'sigmoid'}",
            # The spelling of the loss may say that it takes probabilities, which from_logits would contradict.
            (f"model.output={'softmax' if softmax else 'sigmoid'}",),
        )
    if form == "log_probabilities" and output != "log_softmax":
        yield Violation(
            ("loss",),
            f"{loss.name} is configured for log-probabilities, but the model outputs {_OUTPUTS[output]}",
            "set model.output: log_softmax, or remove loss.inputs" if softmax else "remove loss.inputs",
            ("model.output=log_softmax",) if softmax else ("loss.inputs=null",),
        )
    # mse and mae on classes compare outputs with 0 and 1.
    if declared and declared.prediction == "mean" and output == "log_softmax":
        right = "none" if case.facts.task == "regression" else "softmax"
        yield Violation(
            ("model", "output"),
            f"{loss.name} compares the targets with log-probabilities, which are never above 0",
            f"set model.output: {right}",
            (f"model.output={right}",),
        )


def margin_on_probabilities(case: Case) -> Iterator[Violation]:
    """Find a hinge or margin loss on a model that outputs probabilities."""
    margin = case.loss is not None and case.loss.accepts == ("logits",) and case.loss.prediction is None
    if margin and case.output in _SQUASHED:
        yield Violation(
            ("model", "output"),
            f"{case.config.loss.name} needs outputs with a margin of at least 1, but the model ends in {case.output}",
            "set model.output: logits",
            _LOGITS,
        )


def output_shape(case: Case) -> Iterator[Violation]:
    """Find a last layer that cannot output the targets."""
    config, facts, output, declared = case.config, case.facts, case.output, case.loss
    size = output_size(config, facts)
    if output in ("softmax", "log_softmax") and size == 1:
        constant = "1" if output == "softmax" else "0"
        fix = "none" if facts.task == "regression" else "sigmoid, or logits"
        yield Violation(
            ("model", "output"),
            f"a {output} over one output is always {constant}",
            f"set model.output: {fix}",
            (f"model.output={fix.partition(',')[0]}",),
        )
    elif facts.task == "multiclass" and size == 1 and declared and _has_softmax(declared):
        yield Violation(("dataset",), f"with a single class, {declared.name} is always 0", "check the targets")
    if facts.task == "multilabel" and output in ("softmax", "log_softmax"):
        yield Violation(
            ("model", "output"),
            f"a softmax lets only one of {size} labels be true, but here several can be true at once",
            *_for_labels(case),
        )
    if facts.task == "multiclass" and output == "sigmoid" and declared and _has_softmax(declared):
        yield Violation(
            ("model", "output"),
            f"{size} exclusive classes need one softmax; {size} sigmoids do not add up to 1",
            "set model.output: logits (better) or softmax",
            _activated(case, "softmax"),
        )
    if facts.task == "regression" and output in _SQUASHED:
        yield from _squashed_numbers(case)


def _activated(case: Case, activation: str) -> tuple[str, ...]:
    """Return the settings of a last layer whose outputs the loss takes."""
    # The spelling of the loss may say that it takes probabilities.
    return (f"model.output={activation}",) if case.config.loss.parameters.get("inputs") == "probabilities" else _LOGITS


def _for_labels(case: Case) -> tuple[str, tuple[str, ...]]:
    """Return how to fix a softmax over labels: in words, and as settings."""
    declared = case.loss
    # A loss of numbers compares logits with 0 and 1, so its own output would be a sigmoid.
    if declared and declared.prediction == "mean":
        fix = "set model.output: logits with loss: binary_cross_entropy (better), or model.output: sigmoid"
        return fix, (*_LOGITS, "loss=binary_cross_entropy")
    return "set model.output: logits (better) or sigmoid", _activated(case, "sigmoid")


def _squashed_numbers(case: Case) -> Iterator[Violation]:
    """Find outputs of a regression that the last layer limits to the wrong range."""
    output, declared = case.output, case.loss
    if declared and (
        declared.prediction == "mean_and_log_variance"
        or (declared.prediction == "log_mean" and case.config.loss.parameters.get("log_input"))
    ):
        what = "logarithms of the mean" if declared.prediction == "log_mean" else "means and logarithms of variances"
        yield Violation(
            ("model", "output"),
            f"{declared.name} reads the outputs as {what}, but {output} limits their range",
            "set model.output: none",
            _NONE,
        )
        return
    limited = f"{output} outputs values {'of at most 0' if output == 'log_softmax' else 'in [0, 1]'}"
    if case.targets_are_standardized:
        yield Violation(
            ("model", "output"),
            f"{limited}, but standardized targets are on both sides of 0",
            "set model.output: none, or dataset.standardize: {targets: false}",
            _NONE,
        )
    elif case.facts.target_range:
        low, high = case.facts.target_range
        shown = apart(low, high, 0.0, 1.0)
        if high > 0 if output == "log_softmax" else low < 0 or high > 1:
            yield Violation(
                ("model", "output"),
                f"{limited}, but the targets range from {shown[0]} to {shown[1]}",
                "set model.output: none",
                _NONE,
            )


def negative_mean(case: Case) -> Iterator[Violation]:
    """Find a loss that takes the logarithm of outputs that can be negative."""
    # The last layer of the user's own model is unknown.
    reads_means = case.config.loss.parameters.get("log_input") is False
    if reads_means and case.output == "none" and not case.config.model.is_plugin:
        yield Violation(
            ("loss",),
            f"{case.config.loss.name} with log_input: false reads the outputs as means, but they can be negative",
            "set loss.log_input: true, which reads them as logarithms of means",
            ("loss.log_input=true",),
        )


OUTPUT_RULES: Final[dict[str, Rule]] = {
    "loss_task": Rule(
        check=loss_task,
        runnable=False,
        meaning="The loss must be made for the dataset's kind of targets.",
        why="Each loss compares outputs with one kind of target: a number, one of two classes, one of several classes, "
        "or several labels. It has no meaning for another kind.",
        example=Example(
            "dataset: synthetic_regression\nloss: cross_entropy",
            "dataset: synthetic_regression\nloss: mse",
        ),
    ),
    "double_activation": Rule(
        check=double_activation,
        explains=True,
        meaning="A sigmoid or softmax must be applied only once, by the model or by the loss.",
        why="from_logits: true means that the model has no activation. If it is applied twice, probabilities stay "
        "between 0.5 and 0.73 (sigmoid) or nearly equal (softmax): training seems to work, but the loss stays high.",
        example=Example(
            "dataset: {name: synthetic_classification, kind: moons}\nmodel: {name: mlp, output: sigmoid}\n"
            "loss: {name: binary_cross_entropy, from_logits: true}",
            "dataset: {name: synthetic_classification, kind: moons}\nmodel: {name: mlp, output: logits}\n"
            "loss: {name: binary_cross_entropy, from_logits: true}",
        ),
    ),
    "needless_log_softmax": Rule(
        check=needless_log_softmax,
        severity="warn",
        meaning="The loss must not apply log_softmax again.",
        why="The second log_softmax has no effect. With softmax instead of log_softmax, the same config would train "
        "badly.",
        example=Example(
            "dataset: synthetic_classification\nmodel: {name: mlp, output: log_softmax}\nloss: CrossEntropyLoss",
            "dataset: synthetic_classification\nmodel: {name: mlp, output: log_softmax}\nloss: NLLLoss",
        ),
    ),
    "missing_activation": Rule(
        check=missing_activation,
        explains=True,
        meaning="A loss for probabilities or log-probabilities must get them from the model.",
        why="Logits that are read as probabilities are clipped to [0, 1]: most outputs then have no gradient.",
        example=Example(
            "dataset: synthetic_classification\nmodel: {name: mlp, output: logits}\n"
            "loss: {name: cross_entropy, from_logits: false}",
            "dataset: synthetic_classification\nmodel: {name: mlp, output: softmax}\n"
            "loss: {name: cross_entropy, from_logits: false}",
        ),
    ),
    "margin_on_probabilities": Rule(
        check=margin_on_probabilities,
        explains=True,
        meaning="Hinge and margin losses must get logits, not probabilities.",
        why="Between 0 and 1, no output can exceed another by more than the margin, so the loss never becomes 0, "
        "even for samples that are clearly right.",
        example=Example(
            "dataset: {name: synthetic_classification, kind: moons}\nmodel: {name: mlp, output: sigmoid}\nloss: hinge",
            "dataset: {name: synthetic_classification, kind: moons}\nmodel: mlp\nloss: hinge",
        ),
    ),
    "output_shape": Rule(
        check=output_shape,
        explains=True,
        meaning="The last layer must fit the targets: their number, their range, and whether they exclude each other.",
        why="A softmax over one output is always 1, and a sigmoid never outputs 9. Classes that exclude each other "
        "need a softmax: sigmoids do not add up to 1. Labels that can be true together need sigmoids: a softmax "
        "allows only one.",
        example=Example(
            "dataset: {name: synthetic_classification, kind: moons}\nmodel: {name: mlp, output: softmax}\n"
            "loss: binary_cross_entropy",
            "dataset: {name: synthetic_classification, kind: moons}\nmodel: {name: mlp, output: sigmoid}\n"
            "loss: binary_cross_entropy",
        ),
    ),
    "negative_mean": Rule(
        check=negative_mean,
        meaning="A loss that takes the logarithm of outputs must get outputs above 0.",
        why="The logarithm of a negative number is NaN, so the run diverges in its first step. Keras' Poisson works "
        "like this and needs a last layer that is never negative.",
        example=Example(
            "dataset: {name: inline, inputs: [1, 2, 3], targets: [0.0, 2.5, 7.5]}\nloss: keras.Poisson",
            "dataset: {name: inline, inputs: [1, 2, 3], targets: [0.0, 2.5, 7.5]}\nloss: PoissonNLLLoss",
        ),
    ),
}
