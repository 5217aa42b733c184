"""Rules on the loss and the targets: values it has a meaning for, classes that its weights are for."""

from collections.abc import Iterator
from typing import Final

from lossrun.lint.rule import Case, Example, Found, Rule

# Of |target|: from here on a net that begins near 0 is too far off for a likelihood, and for the others.
FAR_FOR_A_LIKELIHOOD: Final = 100.0
FAR: Final = 1e4


def target_range(case: Case) -> Iterator[Found]:
    declared, facts = case.loss, case.facts
    if declared is None or facts.task != "regression":
        return
    least, most = declared.targets_at_least, declared.targets_at_most
    if least is None and most is None:
        return
    wanted = (
        f"targets in [{least:g}, {most:g}]"
        if least is not None and most is not None
        else (f"targets of at least {least:g}" if least is not None else f"targets of at most {most:g}")
    )
    other = "use mse, mae or huber"
    if case.targets_are_standardized:
        yield Found(
            ("dataset", "standardize"),
            f"{declared.name} wants {wanted}, and standardized ones lie on both sides of 0",
            f"set dataset.standardize: {{targets: false}}, or {other}",
        )
    elif facts.target_range:
        low, high = facts.target_range
        if (least is not None and low < least) or (most is not None and high > most):
            yield Found(("loss",), f"{declared.name} wants {wanted}, but these reach from {low:g} to {high:g}", other)


def zero_target(case: Case) -> Iterator[Found]:
    declared, facts = case.loss, case.facts
    if declared is None or not declared.divides_by_target or facts.task != "regression":
        return
    if case.targets_are_standardized:
        yield Found(
            ("dataset", "standardize"),
            f"{declared.name} is in proportion to the targets, and standardized ones lie around 0",
            "set dataset.standardize: {targets: false}, or use mse, mae or huber",
        )
    elif facts.least_magnitude is not None and facts.least_magnitude <= float(case.config.loss["eps"]):
        yield Found(
            ("loss",),
            f"{declared.name} divides by the target, and one is {facts.least_magnitude:g}: it outweighs all others",
            "use mae, or msle where none is negative",
        )


def targets_across_zero(case: Case) -> Iterator[Found]:
    declared, reach = case.loss, case.facts.target_range
    if case.facts.task != "regression" or not reach:
        return
    if declared and declared.divides_by_target and reach[0] < 0 < reach[1]:
        yield Found(
            ("loss",),
            f"{declared.name} is in proportion to the targets, which reach from {reach[0]:g} to {reach[1]:g}: those "
            "nearest to 0 decide",
            "use mae or huber",
        )


def few_targets(case: Case) -> Iterator[Found]:
    declared, facts = case.loss, case.facts
    if declared and facts.task == "regression" and facts.target_size < declared.least_targets:
        yield Found(
            ("loss",),
            f"{declared.name} compares directions, and {facts.target_size} number has only a sign",
            "use mse, mae or huber",
        )


def unscaled_targets(case: Case) -> Iterator[Found]:
    declared, reach = case.loss, case.facts.target_range
    if declared is None or case.facts.task != "regression" or reach is None or case.targets_are_standardized:
        return
    likelihood = declared.prediction == "mean_and_log_variance"
    # What goes by the logarithm, by the proportion or by the direction does not mind.
    minds = declared.prediction == "mean" and declared.targets_at_least is None and not declared.divides_by_target
    largest = max(abs(end) for end in reach)
    if (likelihood and largest > FAR_FOR_A_LIKELIHOOD) or (minds and declared.averages_outputs and largest > FAR):
        yield Found(
            ("dataset", "standardize"),
            f"targets reach from {reach[0]:g} to {reach[1]:g}, and a net begins near 0",
            "set dataset.standardize: {inputs: true, targets: true}; metrics stay in original units",
        )


def class_weights(case: Case) -> Iterator[Found]:
    parameters, facts = case.config.loss.parameters, case.facts
    if case.loss is None:
        return  # A user's own parameters are the user's affair.
    weights, positive = parameters.get("class_weights"), parameters.get("pos_weight")
    path = ("loss", "class_weights")
    if isinstance(positive, list) and len(positive) != facts.target_size:
        yield Found(
            ("loss", "pos_weight"),
            f"{_many(len(positive), 'weight')} for {_many(facts.target_size, 'output')}",
            f"give one number for all, or {facts.target_size}",
        )
    if not weights:
        return
    if facts.task == "regression":
        yield Found(path, "regression targets have no classes", "remove class_weights")
    elif weights == "balanced":
        ignored = parameters.get("ignore_index")
        empty = [number for number, count in enumerate(facts.class_counts or ()) if not count and number != ignored]
        if empty:
            yield Found(
                path,
                f"balanced divides by the samples of each class, and {_class(case, empty[0])} has none for training",
                "list the weights, or keep samples of every class in the training part",
            )
    elif len(weights) != (wanted := 2 if facts.task == "binary" else facts.target_size):
        what = "labels" if facts.task == "multilabel" else "classes"
        yield Found(
            path, f"{_many(len(weights), 'weight')} for {wanted} {what}", f"give {wanted} weights, in their order"
        )
    elif not any(weights):
        yield Found(path, "every weight is 0", "give at least one class a weight above 0")


def nothing_counts(case: Case) -> Iterator[Found]:
    parameters, counts = case.config.loss.parameters, case.facts.class_counts
    weights, ignored = parameters.get("class_weights"), parameters.get("ignore_index")
    if case.loss is None or not counts or case.facts.task not in ("binary", "multiclass"):
        return
    if weights is None or weights == "balanced":
        weights = [1] * len(counts)
    # A list of another length, or of zeros alone, is class_weights' to tell.
    if len(weights) == len(counts) and any(weights):
        counting = (n for n, count in enumerate(counts) if count and weights[n] and n != ignored)
        if next(counting, None) is None:
            yield Found(
                ("loss",),
                "every class that has training samples is ignored or weighs 0",
                "give one of them a weight above 0, or remove ignore_index",
            )


def ignored_class(case: Case) -> Iterator[Found]:
    ignored = case.config.loss.parameters.get("ignore_index")
    if case.loss and isinstance(ignored, int) and case.facts.task == "multiclass" and ignored >= case.facts.target_size:
        yield Found(
            ("loss", "ignore_index"),
            f"there is no class {ignored}: the {case.facts.target_size} count from 0, and so nothing is ignored",
            "remove ignore_index, or name a class",
        )


def zero_loss(case: Case) -> Iterator[Found]:
    parameters = case.config.loss.parameters
    if case.loss and parameters.get("alpha") == 0 and parameters.get("beta") == 0:
        yield Found(
            ("loss",),
            f"{case.loss.name} with alpha and beta both 0 leaves nothing to minimise",
            "give one of them a value above 0",
        )


def _class(case: Case, number: int) -> str:
    if case.facts.task == "binary":
        return "class 1 (yes)" if number else "class 0 (no)"
    return f"{'label' if case.facts.task == 'multilabel' else 'class'} {number} (counted from 0)"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


_GROWING: Final = "dataset: {name: inline, inputs: [1, 2, 3, 4], targets: "
_FEW: Final = "dataset: {name: inline, inputs: [1, 2, 3], targets: [0, 0, 1], task: multiclass}"

TARGET_RULES: Final[dict[str, Rule]] = {
    "target_range": Rule(
        check=target_range,
        meaning="The targets are values for which the loss has a meaning.",
        why="The logarithm of a negative number does not exist, and a probability above 1 costs less the worse it is "
        "met: the loss falls below 0 and training follows it.",
        example=Example(
            f"{_GROWING}[-1.5, 0.5, 2.0, 9.0]}}\nloss: msle",
            f"{_GROWING}[-1.5, 0.5, 2.0, 9.0]}}\nloss: huber",
        ),
    ),
    "zero_target": Rule(
        check=zero_target,
        meaning="A loss in per cent of the target has no target of 0.",
        why="The error is divided by the target: a target of 0, or one standardized to about 0, counts for more than "
        "all other samples together.",
        example=Example(
            f"{_GROWING}[0.0, 4.5, 20.5, 91.0]}}\nloss: mape", f"{_GROWING}[0.0, 4.5, 20.5, 91.0]}}\nloss: mae"
        ),
    ),
    "targets_across_zero": Rule(
        check=targets_across_zero,
        severity="warn",
        meaning="A loss in per cent of the target has targets on one side of 0.",
        why="Targets that pass through 0 come near it: the same error is a thousand per cent there and one elsewhere.",
        example=Example(
            f"{_GROWING}[-3.5, 0.1, 2.5, 7.0]}}\nloss: mape", f"{_GROWING}[-3.5, 0.1, 2.5, 7.0]}}\nloss: mae"
        ),
    ),
    "few_targets": Rule(
        check=few_targets,
        meaning="A loss that compares directions has targets of several numbers.",
        why="One number has no direction but its sign: every output of the right sign is perfect, however far off.",
        example=Example(
            f"{_GROWING}[1.5, 2.5, 3.0, 4.0]}}\nloss: cosine_similarity", f"{_GROWING}[1.5, 2.5, 3.0, 4.0]}}\nloss: mse"
        ),
    ),
    "unscaled_targets": Rule(
        check=unscaled_targets,
        severity="warn",
        meaning="Targets that are large numbers are standardized.",
        why="Outputs begin near 0. Of targets in the ten thousands the squares are in the hundred millions: plain "
        "descent explodes, and Adam takes thousands of steps to get there.",
        example=Example(
            f"{_GROWING}[90500.0, 130250.0, 210000.0, 450900.0]}}\nloss: mse",
            "dataset:\n  name: inline\n  inputs: [1, 2, 3, 4]\n  targets: [90500.0, 130250.0, 210000.0, 450900.0]\n"
            "  standardize: {inputs: true, targets: true}\nloss: mse",
        ),
    ),
    "class_weights": Rule(
        check=class_weights,
        runnable=False,
        meaning="There is a weight for each class, and a class for each weight.",
        why="A weight without a class, or a class without a weight, is a mistake in counting; a balanced weight of a "
        "class without a sample would be infinite.",
        example=Example(
            "dataset: {name: synthetic_classification, classes: 3}\nloss: {name: cross_entropy, class_weights: [1, 5]}",
            "dataset: {name: synthetic_classification, classes: 3}\n"
            "loss: {name: cross_entropy, class_weights: [1, 5, 1]}",
        ),
    ),
    "nothing_counts": Rule(
        check=nothing_counts,
        meaning="Some training sample counts in the loss.",
        why="Where every sample is ignored, or weighs 0, the loss and its gradient are 0 and nothing is learned.",
        example=Example(
            f"{_FEW}\nloss: {{name: cross_entropy, class_weights: [0, 1], ignore_index: 1}}",
            f"{_FEW}\nloss: {{name: cross_entropy, class_weights: [1, 2]}}",
        ),
    ),
    "ignored_class": Rule(
        check=ignored_class,
        severity="warn",
        meaning="The class to ignore is one of the classes.",
        why="A number beyond the last class, such as the 255 of segmentation masks, ignores nothing.",
        example=Example(
            "dataset: {name: synthetic_classification, classes: 3}\nloss: {name: cross_entropy, ignore_index: 255}",
            "dataset: {name: synthetic_classification, classes: 3}\nloss: {name: cross_entropy, ignore_index: 2}",
        ),
    ),
    "zero_loss": Rule(
        check=zero_loss,
        meaning="A loss of two parts has at least one.",
        why="With both weights 0 the loss is the same for all outputs, and has no gradient.",
        example=Example(
            "dataset: synthetic_classification\nloss: {name: symmetric_cross_entropy, alpha: 0, beta: 0}",
            "dataset: synthetic_classification\nloss: {name: symmetric_cross_entropy, alpha: 0.1, beta: 1}",
        ),
    ),
}
