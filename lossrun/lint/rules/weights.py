"""Check which samples count in a loss: weights of classes and samples, and ignored classes."""

from collections.abc import Iterator, Mapping
from typing import Final

from lossrun.catalog.losses.reductions import adds_up_samples
from lossrun.config.resolve import class_weights as weights_in_order
from lossrun.config.resolve import ignored_class as class_that_is_ignored
from lossrun.config.resolve import ignored_label
from lossrun.lint.rule import Case, Example, Rule, Violation
from lossrun.nearby import nearest

# The most names of classes in a message.
_SHOWN: Final = 10
# torch.nn.CrossEntropyLoss' own ignore_index.
_NO_LABEL: Final = -100


def class_weights(case: Case) -> Iterator[Violation]:
    """Find weights that do not fit the classes."""
    parameters, facts = case.config.loss.parameters, case.facts
    if case.loss is None:
        return  # the parameters of the user's own loss are unknown
    weights, positive = parameters.get("class_weights"), parameters.get("pos_weight")
    path = ("loss", "class_weights")
    if isinstance(positive, list) and len(positive) != facts.target_size:
        yield Violation(
            ("loss", "pos_weight"),
            f"{_many(len(positive), 'weight')} for {_many(facts.target_size, 'output')}",
            f"give one number for all outputs, or {facts.target_size} numbers",
        )
    if weights is None:
        return
    if facts.task == "regression":
        yield Violation(path, "regression targets have no classes", "remove class_weights")
        return
    if isinstance(weights, Mapping):
        yield from _labels_without_a_class(weights, case)
    listed = weights_in_order(case.config.loss, facts) or []
    if listed == "balanced":
        ignored = class_that_is_ignored(case.config.loss, facts)
        empty = [number for number, count in enumerate(facts.class_counts or ()) if not count and number != ignored]
        if empty:
            yield Violation(
                path,
                f"balanced divides by the samples of each class, but {_class(case, empty[0])} has no training samples",
                "list the weights, or keep samples of every class in the training data",
            )
    elif len(listed) != (wanted := 2 if facts.task == "binary" else facts.target_size):
        what = "labels" if facts.task == "multilabel" else "classes"
        names = f" ({', '.join(facts.classes)})" if 0 < len(facts.classes) <= _SHOWN else ""
        yield Violation(
            path,
            f"{_many(len(listed), 'weight')} for {wanted} {what}",
            f"give {wanted} weights, in the order of the {what}{names}, or a mapping {{label: weight}}",
        )
    elif not any(listed):
        yield Violation(path, "all weights are 0", "give at least one class a weight above 0")


def _labels_without_a_class(weights: Mapping[str, float], case: Case) -> Iterator[Violation]:
    facts = case.facts
    seen: dict[int, str] = {}
    for label in weights:
        place = facts.class_of(label)
        if place is None:
            yield Violation(
                ("loss", "class_weights", label), f"no class has the label {label}", f"expected {_labels(case, label)}"
            )
        elif place in seen:
            yield Violation(
                ("loss", "class_weights", label), f"{seen[place]} and {label} are the same class", "keep one of the two"
            )
        else:
            seen[place] = label


def _labels(case: Case, label: str) -> str:
    """Say which labels are valid, the nearest first."""
    names = list(case.facts.classes)
    if case.facts.numbered or not names:
        last = (2 if case.facts.task == "binary" else case.facts.target_size) - 1
        return f"0 to {last}" + (f", or one of {', '.join(names[:_SHOWN])}" if names else "")
    near = nearest(label, names)
    others = [name for name in names if name != near][: _SHOWN - 1]
    return f"one of {', '.join([near, *others] if near else others)}" + (", ..." if len(names) > _SHOWN else "")


def nothing_counts(case: Case) -> Iterator[Violation]:
    """Find a loss in which no training sample counts."""
    counts = case.facts.class_counts
    weights = weights_in_order(case.config.loss, case.facts)
    ignored = class_that_is_ignored(case.config.loss, case.facts)
    if case.loss is None or not counts or case.facts.task not in ("binary", "multiclass"):
        return
    if weights is None or weights == "balanced":
        weights = [1] * len(counts)
    # class_weights reports lists of the wrong length and lists of zeros.
    if len(weights) == len(counts) and any(weights):
        counting = (n for n, count in enumerate(counts) if count and weights[n] and n != ignored)
        if next(counting, None) is None:
            yield Violation(
                ("loss",),
                "every class with training samples is ignored or has weight 0",
                "give a class a weight above 0, or remove ignore_index",
            )


def ignored_class(case: Case) -> Iterator[Violation]:
    """Find an ignored label that the data do not have."""
    ignored, facts = ignored_label(case.config.loss), case.facts
    # PyTorch's default, which is not a label in most data.
    if ignored is None or ignored == _NO_LABEL or facts.task != "multiclass" or facts.void:
        return
    if facts.class_of(ignored) is None:
        yield Violation(
            ("loss", "ignore_index"),
            f"no sample has the label {ignored}, so nothing is ignored",
            f"remove ignore_index, or use a label of the data: {_labels(case, str(ignored))}",
            ("loss.ignore_index=null",),
        )


def void_label(case: Case) -> Iterator[Violation]:
    """Find PyTorch's mark for samples without a label, trained as a class."""
    parameters, facts = case.config.loss.parameters, case.facts
    takes_it = case.loss is not None and "ignore_index" in parameters
    is_class = not facts.numbered and facts.class_of(_NO_LABEL) is not None
    if takes_it and is_class and parameters["ignore_index"] is None:
        yield Violation(
            ("loss",),
            f"the label {_NO_LABEL} is trained as a class; PyTorch marks samples without a label like this and leaves "
            "them out",
            f"set loss.ignore_index: {_NO_LABEL}",
            (f"loss.ignore_index={_NO_LABEL}",),
        )


def weights_cancel(case: Case) -> Iterator[Violation]:
    """Find weights that have no effect because each batch has one sample."""
    parameters, facts = case.config.loss.parameters, case.facts
    if case.batch_size != 1 or adds_up_samples(parameters["reduction"]):
        return
    by_samples = "use a larger batch, such as batch_size: 32"
    if parameters.get("weight_convention"):
        by_samples += ", or weight_convention: keras, which divides by the number of samples"
    if parameters.get("weight_convention", "pytorch") != "pytorch":
        return
    # With label smoothing, cross_entropy weights each class's share, so the weights do not cancel.
    smoothed = case.loss and case.loss.smooths_weighted and parameters["label_smoothing"]
    if case.loss and parameters.get("class_weights") and facts.task in ("binary", "multiclass") and not smoothed:
        yield Violation(
            ("batch_size",),
            "in a batch of one sample, the loss is divided by the sample's weight, so class_weights have no effect",
            by_samples,
            ("batch_size=32",),
        )
    elif facts.weights and facts.weights[0] < facts.weights[1]:
        yield Violation(
            ("batch_size",),
            "in a batch of one sample, the loss is divided by the sample's weight, so weights above 0 have no effect",
            by_samples,
            ("batch_size=32",),
        )


def _class(case: Case, place: int) -> str:
    what = "label" if case.facts.task == "multilabel" else "class"
    is_index = not case.facts.classes and case.facts.task != "binary"
    return f"{what} {case.facts.label_of(place)}" + " (counted from 0)" * is_index


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


_VOID: Final = (
    "dataset:\n  name: inline\n  inputs: [1, 2, 3, 4, 5, 6, 7, 8]\n  targets: [0, 1, 2, -100, 0, 1, 2, 0]\n"
    "  task: multiclass\n  validation: 0\n  test: 0"
)
_FEW: Final = "dataset: {name: inline, inputs: [1, 2, 3], targets: [0, 0, 1], task: multiclass}"

WEIGHT_RULES: Final[dict[str, Rule]] = {
    "class_weights": Rule(
        check=class_weights,
        runnable=False,
        meaning="There must be one weight for each class.",
        why="A weight without a class, or a class without a weight, is a mistake. The balanced weight of a class "
        "without samples would be infinite.",
        example=Example(
            "dataset: {name: synthetic_classification, classes: 3}\nloss: {name: cross_entropy, class_weights: [1, 5]}",
            "dataset: {name: synthetic_classification, classes: 3}\n"
            "loss: {name: cross_entropy, class_weights: [1, 5, 1]}",
        ),
    ),
    "nothing_counts": Rule(
        check=nothing_counts,
        explains=True,
        meaning="At least one training sample must count in the loss.",
        why="If every sample is ignored or has weight 0, the loss and its gradient are 0 and nothing is learned.",
        example=Example(
            f"{_FEW}\nloss: {{name: cross_entropy, class_weights: [0, 1], ignore_index: 1}}",
            f"{_FEW}\nloss: {{name: cross_entropy, class_weights: [1, 2]}}",
        ),
    ),
    "ignored_class": Rule(
        check=ignored_class,
        severity="warn",
        meaning="The label to ignore must be a label of the data.",
        why="ignore_index is a label, written as in the data. If no sample has this label, nothing is ignored.",
        example=Example(
            "dataset: {name: synthetic_classification, classes: 3}\nloss: {name: cross_entropy, ignore_index: 255}",
            "dataset: {name: synthetic_classification, classes: 3}\nloss: {name: cross_entropy, ignore_index: 2}",
        ),
    ),
    "void_label": Rule(
        check=void_label,
        severity="warn",
        meaning="Samples marked as having no label must not be a class.",
        why="PyTorch's cross-entropy leaves out targets of -100 unless told otherwise, and many datasets are written "
        "for it. Here each label of the data is a class until ignore_index names it.",
        example=Example(f"{_VOID}\nloss: cross_entropy", f"{_VOID}\nloss: {{name: cross_entropy, ignore_index: -100}}"),
    ),
    "weights_cancel": Rule(
        check=weights_cancel,
        severity="warn",
        meaning="A weighted loss must be averaged over more than one sample.",
        why="PyTorch's weighted mean divides by the sum of the weights in the batch. In a batch of one sample the "
        "weight cancels, so every step is the same as with an unweighted loss.",
        example=Example(
            f"{_FEW}\nbatch_size: 1\nloss: {{name: cross_entropy, class_weights: [1, 50]}}",
            f"{_FEW}\nbatch_size: 3\nloss: {{name: cross_entropy, class_weights: [1, 50]}}",
        ),
    ),
}
