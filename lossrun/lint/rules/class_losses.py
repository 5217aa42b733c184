"""Check losses for classes that train, but badly, because they do not suit the outputs or labels."""

from collections.abc import Iterator
from statistics import correlation
from typing import Final

from lossrun.catalog.data_facts import as_number
from lossrun.catalog.losses import USUAL_LOSSES
from lossrun.digits import apart
from lossrun.lint.rule import Case, Example, Rule, Violation
from lossrun.lint.rules.budget import FEW_SAMPLES
from lossrun.lint.rules.models import HIGH

# Whole numbers are considered amounts if there are at least this many, if there are fewer samples than this of each,
# and if the counts of neighbours are correlated.
MANY_CLASSES: Final = 25
ENOUGH: Final = 20
ALIKE: Final = 0.5


def unbounded_outputs(case: Case) -> Iterator[Violation]:
    """Find a loss that compares raw outputs with the 0 and 1 of classes."""
    declared, facts = case.loss, case.facts
    if declared is None or facts.task == "regression" or declared.prediction != "mean":
        return
    # With small steps, least squares on classes works; a linear model with it is the classifier of the textbooks.
    optimizer, parameters = case.optimizer, case.config.model.parameters
    large_steps = optimizer is not None and optimizer.scales_with_gradient and case.config.learning_rate > HIGH
    grows = bool(parameters.get("hidden") or parameters.get("layers")) and parameters.get("activation") == "none"
    if not (large_steps or grows):
        return
    if case.output == "none":
        usual, probabilities = USUAL_LOSSES[facts.task], "softmax" if facts.task == "multiclass" else "sigmoid"
        yield Violation(
            ("model", "output"),
            f"{declared.name} compares unbounded outputs with classes, which are 0 or 1: an output of 2 for class "
            "1 has the same loss as an output of 0",
            f"set loss: {usual} with model.output: logits, or model.output: {probabilities}",
            (f"loss={usual}", "model.output=logits"),
        )


def exclusive_labels(case: Case) -> Iterator[Violation]:
    """Find one-hot classes that are trained as separate labels."""
    facts = case.facts
    if facts.task == "multilabel" and facts.exclusive and facts.target_size > 2:
        share = 1 - 1 / facts.target_size
        yield Violation(
            ("dataset",),
            f"each sample has exactly one of {facts.target_size} labels, so the labels are classes; as separate "
            f"labels, a model that always answers no has an accuracy of {share:.4g}",
            "set dataset.task: multiclass with loss: cross_entropy and model.output: logits",
            ("dataset.task=multiclass", "loss=cross_entropy", "model.output=logits"),
        )


def softmax_of_questions(case: Case) -> Iterator[Violation]:
    """Find a loss that judges each class separately, on outputs of a softmax."""
    declared, facts = case.loss, case.facts
    # Where the loss takes logits, the softmax is one activation too many, which double_activation reports.
    takes_them = case.config.loss.parameters.get("inputs") == "probabilities"
    # For two classes both questions are the same, and the loss is the cross-entropy.
    several = facts.task == "multiclass" and facts.target_size > 2
    if declared and several and declared.sigmoid and takes_them and case.output == "softmax":
        yield Violation(
            ("loss",),
            f"{declared.name} judges each of the {facts.target_size} outputs separately, but a softmax makes them add "
            "up to 1",
            "set loss: cross_entropy with model.output: logits",
            ("loss=cross_entropy", "model.output=logits"),
        )


def classes_as_numbers(case: Case) -> Iterator[Violation]:
    """Find labels of classes that are trained as numbers: two of them, or several in an order that means nothing."""
    scale, facts = case.facts.target_scale, case.facts
    if facts.task != "regression" or scale is None or case.output != "none" or case.loss is None:
        return
    if facts.train < FEW_SAMPLES:
        return
    values = [scale.low + place for place, count in enumerate(scale.counts) if count]
    settable = "task" in case.config.dataset.parameters
    shown = apart(*values)
    if len(values) == 2:
        task, cured = "binary", ("dataset.task=binary", "loss=binary_cross_entropy", "model.output=logits")
        what = f"all targets are {shown[0]} or {shown[1]}, so they are two classes"
        effect = f"as numbers, an output above {shown[1]} has as high a loss as a wrong one"
    elif scale.labels:
        task, cured = "multiclass", ("dataset.task=multiclass", "loss=cross_entropy", "model.output=logits")
        what = f"the targets are {len(values)} whole numbers, about equally frequent, and their order means nothing"
        effect = f"as numbers, {shown[0]} is closer to {shown[1]} than to {shown[-1]}"
    else:
        return
    # Standardized targets are not of classes.
    unscaled = ("dataset.standardize.targets=false",) if case.targets_are_standardized else ()
    fix = f"set dataset.task: {task} with loss: {USUAL_LOSSES[task]} and model.output: logits"
    yield Violation(
        ("dataset",),
        f"{what}; {effect}",
        f"{'if they are classes, ' * (task == 'multiclass')}{fix}" if settable else f"return them as a {task} task",
        (*unscaled, *cured) if settable else (),
    )


def numbers_as_classes(case: Case) -> Iterator[Violation]:
    """Find amounts that are trained as classes: many whole numbers with few samples each."""
    facts = case.facts
    counts = facts.class_counts or ()
    if facts.task != "multiclass" or len(counts) < MANY_CLASSES or facts.train >= ENOUGH * len(counts):
        return
    # Of amounts, neighbours are about equally frequent. Names in any order have no neighbours.
    if len(set(counts[1:])) == 1 or len(set(counts[:-1])) == 1 or correlation(counts[1:], counts[:-1]) < ALIKE:
        return
    if any(as_number(name) is None for name in facts.classes):
        return
    settable = "task" in case.config.dataset.parameters and case.takes_standardize
    standardize = ("dataset.standardize.inputs=true", "dataset.standardize.targets=true")
    yield Violation(
        ("dataset",),
        f"{facts.target_size} numbers are trained as classes, with {facts.train / facts.target_size:.2g} samples each "
        "on average: to a classifier, 41 is as far from 42 as from 7",
        "if they are amounts, set dataset.task: regression, dataset.standardize: {inputs: true, targets: true}, "
        "loss: mse and model.output: none",
        ("dataset.task=regression", *standardize, "loss=mse", "model.output=none") if settable else (),
    )


_BLOBS: Final = "dataset: synthetic_classification\n"
_TENS: Final = [", ".join(str(start + number) for number in range(12)) for start in (0, 12, 24)]
_COUNTED: Final = f"[{(',' + chr(10) + '    ').join(_TENS)}]"
_BITS: Final = f"[{(',' + chr(10) + '    ').join(['0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 0, 1'] * 3)}]"
_AMOUNTS: Final = (
    "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,\n    8, 9, 10, 11, 12, 12, 13, 13, 14, 14, 15, 15,\n"
    "    16, 16, 17, 17, 18, 19, 20, 21, 22, 23, 24, 25]"
)
_MANY: Final = f"dataset:\n  name: inline\n  inputs: {_COUNTED}\n"
_ROWS: Final = (
    "dataset:\n  name: inline\n  inputs: [1, 2, 3, 4, 5, 6]\n"
    "  targets: [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]\n"
)

CLASS_LOSS_RULES: Final[dict[str, Rule]] = {
    "unbounded_outputs": Rule(
        check=unbounded_outputs,
        explains=True,
        severity="warn",
        meaning="A regression loss on classes needs probabilities from the model if the steps are large.",
        why="Squared errors of raw outputs grow without bound, and so do their gradients. A learning rate that suits "
        "probabilities makes such a network diverge within a few steps.",
        example=Example(
            f"{_BLOBS}model: {{name: mlp, output: none}}\nloss: mse\noptimizer: sgd\nlearning_rate: 3.0",
            f"{_BLOBS}model: {{name: mlp, output: softmax}}\nloss: mse\noptimizer: sgd\nlearning_rate: 3.0",
        ),
    ),
    "exclusive_labels": Rule(
        check=exclusive_labels,
        explains=True,
        severity="warn",
        meaning="Labels that exclude each other must be trained as classes.",
        why="With a separate loss for each label, always answering no is right for nearly all of them: the accuracy "
        "is high and nothing is learned. A softmax over the classes makes them compete.",
        example=Example(
            f"{_ROWS}  task: multilabel\nloss: binary_cross_entropy",
            f"{_ROWS}  task: multiclass\nloss: cross_entropy",
        ),
    ),
    "softmax_of_questions": Rule(
        check=softmax_of_questions,
        severity="warn",
        meaning="A loss that judges each class separately must not follow a softmax.",
        why="Binary cross-entropy judges each class by itself. A softmax ties the classes together: to raise one "
        "probability it lowers the others. Cross-entropy is the loss made for a softmax, and it converges faster.",
        example=Example(
            f"{_BLOBS}model: {{name: mlp, output: softmax}}\nloss: binary_cross_entropy",
            f"{_BLOBS}model: {{name: mlp, output: softmax}}\nloss: cross_entropy",
        ),
    ),
    "classes_as_numbers": Rule(
        check=classes_as_numbers,
        severity="warn",
        meaning="Labels of classes must not be trained as numbers.",
        why="Squared errors punish an output of 2 for class 1 as much as an output of 0, so right answers change the "
        "weights as much as wrong ones. With several classes, a model that cannot decide between 3 and 9 predicts "
        "6. There is no accuracy either.",
        example=Example(
            f"{_MANY}  targets: {_BITS}\n  task: regression\nloss: mse",
            f"{_MANY}  targets: {_BITS}\n  task: binary\nloss: binary_cross_entropy",
        ),
    ),
    "numbers_as_classes": Rule(
        check=numbers_as_classes,
        severity="warn",
        meaning="Amounts must be trained as numbers, not as classes.",
        why="Each class is learned from its own few samples, and a prediction that is off by one has the "
        "same loss as any other wrong one.",
        example=Example(
            f"{_MANY}  targets: {_AMOUNTS}\n  task: multiclass\nloss: cross_entropy",
            f"{_MANY}  targets: {_AMOUNTS}\n  task: regression\nloss: mse",
        ),
    ),
}
