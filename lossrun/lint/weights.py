"""Rules on what counts in a loss: weights of classes and samples, classes that are ignored."""

from collections.abc import Iterator
from typing import Final

from lossrun.catalog.reductions import adds_up_samples
from lossrun.lint.rule import Case, Example, Found, Rule


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


def weights_cancel(case: Case) -> Iterator[Found]:
    parameters, facts = case.config.loss.parameters, case.facts
    if case.batch_size != 1 or adds_up_samples(parameters["reduction"]):
        return
    if parameters.get("weight_convention", "pytorch") != "pytorch":
        return
    # The smoothed shares of cross_entropy have the weights of their own classes: something is left of them.
    smoothed = case.config.loss.name == "cross_entropy" and parameters["label_smoothing"]
    if case.loss and parameters.get("class_weights") and facts.task in ("binary", "multiclass") and not smoothed:
        yield Found(
            ("batch_size",),
            "a batch of one sample divides the weighted loss by that sample's weight, so class_weights change nothing",
            "use a larger batch, or weight_convention: keras, which divides by the number of samples",
        )


def _class(case: Case, number: int) -> str:
    if case.facts.task == "binary":
        return "class 1 (yes)" if number else "class 0 (no)"
    return f"{'label' if case.facts.task == 'multilabel' else 'class'} {number} (counted from 0)"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


_FEW: Final = "dataset: {name: inline, inputs: [1, 2, 3], targets: [0, 0, 1], task: multiclass}"

WEIGHT_RULES: Final[dict[str, Rule]] = {
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
    "weights_cancel": Rule(
        check=weights_cancel,
        severity="warn",
        meaning="Weights are divided by more than themselves.",
        why="PyTorch's weighted mean divides by the weights of the batch. In a batch of one sample its weight cancels: "
        "every step is the step of an unweighted loss.",
        example=Example(
            f"{_FEW}\nbatch_size: 1\nloss: {{name: cross_entropy, class_weights: [1, 50]}}",
            f"{_FEW}\nbatch_size: 3\nloss: {{name: cross_entropy, class_weights: [1, 50]}}",
        ),
    ),
}
