"""Check that the loss fits the values of the targets."""

from collections.abc import Iterator
from typing import Final

from lossrun.config.resolve import ignored_class
from lossrun.digits import apart
from lossrun.digits import reach as written
from lossrun.lint.rule import Case, Example, Rule, Violation

# |target| above which a network with outputs near 0 is too far off, for a likelihood and for other losses.
FAR_FOR_A_LIKELIHOOD: Final = 100.0
FAR: Final = 1e4
# Targets below this are smaller than the outputs of a network that has learned nothing.
TINY: Final = 0.01
# The most whole numbers that are considered classes, if the loss is for probabilities.
MOST_CLASSES: Final = 20
SHOWN: Final = 5  # names of classes in a message


def target_range(case: Case) -> Iterator[Violation]:
    """Find targets for which the loss is not defined."""
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
    other, cure = _instead(case)
    if case.targets_are_standardized:
        yield Violation(
            ("dataset", "standardize"),
            f"{declared.name} needs {wanted}, but standardized targets are on both sides of 0",
            f"set dataset.standardize: {{targets: false}}, or {other}",
            ("dataset.standardize.targets=false",),
        )
        return
    # The loss is computed on held-out data too, where it may choose the best epoch.
    for part, reach in (("", facts.target_range), ("held-out ", facts.held_out_range)):
        if reach and ((least is not None and reach[0] < least) or (most is not None and reach[1] > most)):
            ends = " to ".join(apart(*reach, *(bound for bound in (least, most) if bound is not None))[:2])
            yield Violation(
                ("loss",),
                f"{declared.name} needs {wanted}, but the {part}targets range from {ends}",
                other,
                cure,
            )
            return


def _instead(case: Case) -> tuple[str, tuple[str, ...]]:
    """Return what to do about targets that the loss does not allow: in words, and as settings."""
    scale, loss = case.facts.target_scale, case.loss
    if scale and scale.whole and case.facts.target_size == 1 and "task" in case.config.dataset.parameters:
        classes = " and ".join(apart(scale.low, scale.high)) + " are two classes"
        if sum(count > 0 for count in scale.counts) == 2 and loss and "binary" in loss.tasks:
            return f"set dataset.task: binary: {classes}", ("dataset.task=binary",)
        # A loss of probabilities was meant for classes.
        if loss and "binary" in loss.tasks and 0 <= scale.low <= 1 and scale.high - scale.low < MOST_CLASSES:
            fix = "if the targets are classes, set dataset.task: multiclass, loss: cross_entropy, model.output: logits"
            return fix, ("dataset.task=multiclass", "loss=cross_entropy", "model.output=logits")
    return "use mse, mae, or huber", ("loss=mse",)


def zero_target(case: Case) -> Iterator[Violation]:
    """Find a relative loss with a target of 0."""
    declared, facts = case.loss, case.facts
    if declared is None or not declared.divides_by_target or facts.task != "regression":
        return
    if case.targets_are_standardized:
        yield Violation(
            ("dataset", "standardize"),
            f"{declared.name} divides by the targets, but standardized targets are close to 0",
            "set dataset.standardize: {targets: false}, or use mse, mae, or huber",
            ("dataset.standardize.targets=false",),
        )
        return
    for part, least in (("targets", facts.least_magnitude), ("held-out targets", facts.held_out_magnitude)):
        if least is not None and least <= float(case.config.loss["eps"]):
            yield Violation(
                ("loss",),
                f"{declared.name} divides by the {part}, and one is {least:g}: it outweighs all others",
                "use mae, or msle if no target is negative",
                ("loss=mae",),
            )
            return


def targets_across_zero(case: Case) -> Iterator[Violation]:
    """Find a relative loss with targets on both sides of 0."""
    declared, reach = case.loss, case.facts.target_range
    if case.facts.task != "regression" or not reach:
        return
    if declared and declared.divides_by_target and reach[0] < 0 < reach[1]:
        yield Violation(
            ("loss",),
            f"{declared.name} divides by the targets, which range from {written(*reach)}: the targets "
            "nearest to 0 outweigh the others",
            "use mae or huber",
            ("loss=mae",),
        )


def few_targets(case: Case) -> Iterator[Violation]:
    """Find a loss for vectors with targets of a single number."""
    declared, facts = case.loss, case.facts
    if declared and facts.task == "regression" and facts.target_size < declared.least_targets:
        yield Violation(
            ("loss",),
            f"{declared.name} compares directions of vectors, but the targets are single numbers",
            "use mse, mae, or huber",
            ("loss=mse",),
        )


def unscaled_targets(case: Case) -> Iterator[Violation]:
    """Find large or tiny targets that are not standardized."""
    declared, reach = case.loss, case.facts.target_range
    if declared is None or case.facts.task != "regression" or reach is None or case.targets_are_standardized:
        return
    likelihood = declared.prediction == "mean_and_log_variance"
    # Losses of logarithms, ratios, or directions work with large targets.
    sensitive = declared.prediction == "mean" and declared.targets_at_least is None and not declared.divides_by_target
    sensitive = sensitive and declared.averages_outputs
    largest = max(abs(end) for end in reach)
    tiny = 0 < largest < TINY and reach[0] < reach[1] and case.output == "none" and case.takes_standardize
    if (likelihood and largest > FAR_FOR_A_LIKELIHOOD) or (sensitive and (largest > FAR or tiny)):
        first = "of about 0.1, whose errors are far larger" if tiny else "near 0"
        yield Violation(
            ("dataset", "standardize"),
            f"targets range from {written(*reach)}, but a network starts with outputs {first}",
            "set dataset.standardize: {inputs: true, targets: true}; metrics stay in original units",
            ("dataset.standardize.inputs=true", "dataset.standardize.targets=true"),
        )


def missing_class(case: Case) -> Iterator[Violation]:
    """Find classes that a part of the data lacks."""
    facts = case.facts
    held_out, trained_on = facts.held_out_counts, facts.class_counts or ()
    names = facts.classes if len(facts.classes) == len(trained_on) else tuple(map(str, range(len(trained_on))))
    ignored = ignored_class(case.config.loss, facts)
    places = [place for place in range(len(trained_on)) if place != ignored]
    one, several, of = ("has", "have", "the label") if facts.task == "multilabel" else ("is", "are", "of class")

    def shown(places: list[int]) -> str:
        return " or ".join(names[place] for place in places[:SHOWN]) + ", ..." * (len(places) > SHOWN)

    unseen = [n for n in places if not trained_on[n] and any(counts[n] for counts in held_out.values())]
    if unseen:
        amounts = {part: sum(counts[place] for place in unseen) for part, counts in held_out.items()}
        missed = " and ".join(f"{n} {part} sample{'s' * (n > 1)}" for part, n in amounts.items() if n)
        verb = several if sum(amounts.values()) > 1 else one
        yield Violation(
            ("dataset",),
            f"{missed} {verb} {of} {shown(unseen)}, but no training sample {one}: no model can learn this",
            "hold out fewer samples, or remove the class",
        )
    for part, counts in held_out.items():
        missing = [place for place in places if trained_on[place] > counts[place] == 0]
        if missing:
            effect = {
                "binary": "accuracy only measures the other class, and auc is NaN",
                "multiclass": "no metric measures it; auc and macro_f1 are means over the other classes",
                "multilabel": "no metric measures it; f1 counts as 0, and auc leaves it out",
            }[facts.task]
            yield Violation(
                ("dataset",),
                f"no {part} sample {one} {of} {shown(missing)}: {effect}",
                f"hold out more samples for {part}, or merge rare classes",
            )


def zero_loss(case: Case) -> Iterator[Violation]:
    """Find a loss whose parts all have weight 0."""
    parameters = case.config.loss.parameters
    if case.loss and parameters.get("alpha") == 0 and parameters.get("beta") == 0:
        yield Violation(
            ("loss",),
            f"{case.loss.name} with alpha: 0 and beta: 0 is always 0",
            "set one of them above 0, such as loss.beta: 1",
            ("loss.beta=1",),
        )


_GROWING: Final = "dataset: {name: inline, inputs: [1, 2, 3, 4], targets: "

TARGET_RULES: Final[dict[str, Rule]] = {
    "target_range": Rule(
        check=target_range,
        explains=True,
        meaning="The loss must be defined for the values of the targets.",
        why="A negative number has no logarithm. For a target above 1, a cross-entropy falls without limit, below 0, "
        "as the output gets worse, and training follows it.",
        example=Example(
            f"{_GROWING}[-1.5, 0.5, 2.0, 9.0]}}\nloss: msle",
            f"{_GROWING}[-1.5, 0.5, 2.0, 9.0]}}\nloss: huber",
        ),
    ),
    "zero_target": Rule(
        check=zero_target,
        explains=True,
        meaning="A loss relative to the target must have no target of 0.",
        why="The error is divided by the target, so a sample with a target of about 0 counts more than all others "
        "together.",
        example=Example(
            f"{_GROWING}[0.0, 4.5, 20.5, 91.0]}}\nloss: mape", f"{_GROWING}[0.0, 4.5, 20.5, 91.0]}}\nloss: mae"
        ),
    ),
    "targets_across_zero": Rule(
        check=targets_across_zero,
        explains=True,
        severity="warn",
        meaning="A loss relative to the target must have targets on one side of 0.",
        why="Targets on both sides of 0 are often close to 0. The same error is 1000 % of such a target, and 1 % of "
        "another.",
        example=Example(
            f"{_GROWING}[-3.5, 0.1, 2.5, 7.0]}}\nloss: mape", f"{_GROWING}[-3.5, 0.1, 2.5, 7.0]}}\nloss: mae"
        ),
    ),
    "few_targets": Rule(
        check=few_targets,
        meaning="A loss that compares directions must have vectors as targets.",
        why="A single number has only two directions, its signs, so every output with the right sign is perfect, "
        "however far off.",
        example=Example(
            f"{_GROWING}[1.5, 2.5, 3.0, 4.0]}}\nloss: cosine_similarity", f"{_GROWING}[1.5, 2.5, 3.0, 4.0]}}\nloss: mse"
        ),
    ),
    "unscaled_targets": Rule(
        check=unscaled_targets,
        explains=True,
        severity="warn",
        meaning="Large and tiny targets must be standardized.",
        why="A network starts with outputs of about 0.1. With targets of tens of thousands, squared errors are "
        "hundreds of millions: sgd diverges, and Adam needs thousands of steps. Targets of thousandths are smaller "
        "than the first errors.",
        example=Example(
            f"{_GROWING}[90500.0, 130250.0, 210000.0, 450900.0]}}\nloss: mse",
            "dataset:\n  name: inline\n  inputs: [1, 2, 3, 4]\n  targets: [90500.0, 130250.0, 210000.0, 450900.0]\n"
            "  standardize: {inputs: true, targets: true}\nloss: mse",
        ),
    ),
    "missing_class": Rule(
        check=missing_class,
        severity="warn",
        meaning="Every class must occur in the training, validation, and test data.",
        why="A class without a training sample cannot be learned. A class without a held-out sample is not scored: "
        "accuracy and losses only measure the other classes, and precision, recall, macro_f1, auc, and "
        "average_precision are means over the classes that occur, or NaN if there is only one. A model that never "
        "recognizes the missing class scores as well.",
        example=Example(
            "dataset:\n  name: inline\n  inputs: [1, 2, 3, 4, 5, 6, 7, 8]\n  targets: [0, 0, 0, 1, 1, 1, 1, 2]\n"
            "  task: multiclass\n  validation: 2\n  test: 0\nloss: cross_entropy",
            "dataset:\n  name: inline\n  inputs: [1, 2, 3, 4, 5, 6, 7, 8]\n  targets: [0, 0, 0, 1, 1, 1, 2, 2]\n"
            "  task: multiclass\n  validation: 3\n  test: 0\nloss: cross_entropy",
        ),
    ),
    "zero_loss": Rule(
        check=zero_loss,
        explains=True,
        meaning="A loss with two parts must have at least one with a weight above 0.",
        why="With both weights 0, the loss is the same for all outputs and has no gradient.",
        example=Example(
            "dataset: synthetic_classification\nloss: {name: symmetric_cross_entropy, alpha: 0, beta: 0}",
            "dataset: synthetic_classification\nloss: {name: symmetric_cross_entropy, alpha: 0.1, beta: 1}",
        ),
    ),
}
