"""Check the inputs: how large they are for the model, and whether held-out samples are training samples too."""

from collections.abc import Iterator
from typing import Final

from lossrun.catalog.data_facts import FAR, InputScale
from lossrun.digits import reach
from lossrun.lint.rule import Case, Example, Rule, Violation

# Beyond these the usual initial weights and learning rates no longer suit all columns of a table.
LARGE: Final = 100.0
FAR_APART: Final = 100.0
# The pixels of an image come in large numbers, all of one sign.
LARGE_PIXEL: Final = 20.0
# In a table of columns no larger than this, a small one is only a weak input.
ORDINARY: Final = 10.0
# The most powers of ten that a column may span before standardizing leaves most of its values equal.
SPAN: Final = 1e4
# To the initial weights, inputs below this are all the same.
TINY: Final = 0.02


def unscaled_inputs(case: Case) -> Iterator[Violation]:
    """Find large or tiny inputs, columns of very different sizes, and columns far from 0 compared with their spread."""
    scale, standardize = case.facts.inputs, case.config.dataset.parameters.get("standardize")
    if scale is None or (standardize and standardize["inputs"]):
        return
    found = list(_reasons(scale, images=len(case.facts.input_shape) > 1))
    if not found:
        return
    fix, cure = _how_to_scale(case)
    if scale.low > 0 and scale.high > SPAN * scale.low and len(case.facts.input_shape) == 1:
        fix += "; better still, take the logarithm of columns that span several powers of ten"
    yield Violation(("dataset", "standardize"), f"inputs {' and '.join(found)}", fix, cure)


def _reasons(scale: InputScale, *, images: bool) -> Iterator[str]:
    if 0 < scale.largest < TINY:
        yield f"range from {reach(scale.low, scale.high, 4)}, so small that all samples look the same to the model"
    said = scale.offset > FAR and scale.reach == (scale.low, scale.high)  # below, with more to say
    if scale.largest > (LARGE_PIXEL if images else LARGE) and not said:
        yield f"range from {reach(scale.low, scale.high, 4)}"
    if scale.largest > ORDINARY and scale.widest > FAR_APART * scale.narrowest:
        yield f"have columns whose ranges differ from {reach(scale.narrowest, scale.widest, 4)}"
    if scale.offset > FAR:
        column = f"in column {scale.column} " if scale.column else ""
        yield (
            f"{column}range from {reach(*scale.reach, 4)}, far from 0 compared with their spread (mean "
            f"{scale.offset:.3g} standard deviations from 0)"
        )


def _how_to_scale(case: Case) -> tuple[str, tuple[str, ...]]:
    if not case.takes_standardize:
        return "scale them to about [-1, 1] where the dataset is made", ()
    declared = case.loss
    # The targets of such a regression usually need it, and its loss allows it.
    plain = declared is not None and declared.targets_at_least is None and declared.targets_at_most is None
    plain = plain and declared is not None and not declared.divides_by_target and case.output == "none"
    if case.facts.task == "regression" and plain:
        both = ("dataset.standardize.inputs=true", "dataset.standardize.targets=true")
        return "set dataset.standardize: {inputs: true, targets: true}; metrics stay in original units", both
    if case.facts.task == "regression":
        return "set dataset.standardize: {inputs: true}", ("dataset.standardize.inputs=true",)
    return "set dataset.standardize: true", ("dataset.standardize=true",)


def nothing_varies(case: Case) -> Iterator[Violation]:
    """Find data in which all training samples have the same inputs, or the same target."""
    facts, scale = case.facts, case.facts.inputs
    if facts.train == 1:
        return
    if scale is not None and scale.widest == 0:
        yield Violation(
            ("dataset",),
            f"all {facts.train} training samples have the same inputs, so their targets cannot be predicted",
            "check the columns of the inputs",
        )
    low, high = facts.target_range if facts.target_range and facts.task == "regression" else (0.0, 1.0)
    classes = facts.class_counts if facts.task in ("binary", "multiclass") else None
    if low == high or (classes is not None and sum(count > 0 for count in classes) == 1):
        what = f"target, {low:g}" if low == high else "class"
        yield Violation(
            ("dataset",),
            f"all {facts.train} training samples have the same {what}, so there is nothing to learn",
            "check the column of the targets",
        )


def sorted_classes(case: Case) -> Iterator[Violation]:
    """Find samples sorted by class that are not shuffled."""
    facts = case.facts
    if facts.sorted_classes and not case.config.shuffle and case.batch_size < facts.train:
        yield Violation(
            ("shuffle",),
            "the training samples are sorted by class: without shuffling, each batch holds one class and the model "
            "forgets the others",
            "set shuffle: true",
            ("shuffle=true",),
        )


def repeated_samples(case: Case) -> Iterator[Violation]:
    """Find held-out samples that are training samples too."""
    sizes = {"validation": case.facts.validation, "test": case.facts.test}
    for part, count in case.facts.repeated.items():
        yield Violation(
            ("dataset",),
            f"{count} of {sizes[part]} {part} samples are training samples too, so {part} scores say little about new "
            "samples",
            "remove repeated samples before the data are split",
        )


def leaked_target(case: Case) -> Iterator[Violation]:
    """Find input columns that give the target away."""
    columns = case.facts.leaks
    if not columns:
        return
    does = "has a different value for each class" if case.facts.task in ("binary", "multiclass") else "is the target"
    more = f", and so do {len(columns) - 1} more" * (len(columns) > 1)
    yield Violation(
        ("dataset",),
        f"the input column {columns[0]} {does} in all {case.facts.train} training samples{more}: the model only has to "
        "copy it",
        "leave it out (in a csv file with drop), unless new samples will have it too",
    )


_TABLE: Final = (
    "dataset:\n  name: inline\n  inputs: [[0, 2010], [1, 2012], [0, 2015], [1, 2019]]\n  targets: [0, 1, 0, 1]\n"
)
_ROWS: Final = (
    "[[.1, .5, .9, .3], [.5, .7, .2, .4], [.9, .1, .6, .8], [.2, .3, .4, .6],\n"
    "    [.6, .9, .1, .7], [.3, .2, .8, .5], [.7, .4, .3, .9], [.4, .6, .5, .2]"
)
_TARGETS: Final = "1.5, 2.5, 1.0, 0.5, 2.0, 3.0, 3.5, 0.1"
_WITH_TARGET: Final = "[.1, 1.5], [.5, 2.5], [.9, 1.0], [.2, 0.5], [.6, 2.0], [.3, 3.0], [.7, 3.5], [.4, 0.1]"

INPUT_RULES: Final[dict[str, Rule]] = {
    "unscaled_inputs": Rule(
        check=unscaled_inputs,
        explains=True,
        severity="warn",
        meaning="Inputs must be small numbers around 0, in columns of similar size.",
        why="Initial weights and usual learning rates assume inputs of about 1. With inputs in the hundreds, the "
        "first step overshoots, outputs saturate and relu units die. Inputs from 70 to 75 look constant to the "
        "model, and so do inputs of a few thousandths. A narrow column next to a wide one has no influence.",
        example=Example(
            f"{_TABLE}  task: binary\nloss: binary_cross_entropy",
            f"{_TABLE}  task: binary\n  standardize: true\nloss: binary_cross_entropy",
        ),
    ),
    "nothing_varies": Rule(
        check=nothing_varies,
        severity="warn",
        meaning="Inputs and targets must differ from sample to sample.",
        why="If all samples have the same inputs or the same target, a model can only learn a constant. Often a "
        "column was read wrongly.",
        example=Example(
            "dataset: {name: inline, inputs: [3, 3, 3, 3], targets: [1.5, 2.5, 0.5, 1.0]}\nloss: mse",
            "dataset: {name: inline, inputs: [1, 2, 3, 4], targets: [1.5, 2.5, 0.5, 1.0]}\nloss: mse",
        ),
    ),
    "sorted_classes": Rule(
        check=sorted_classes,
        explains=True,
        severity="warn",
        meaning="Samples that are sorted by class must be shuffled.",
        why="Otherwise each step follows the gradient of one class and undoes what the model has learned about the "
        "others.",
        example=Example(
            f"dataset:\n  name: inline\n  inputs: {_ROWS}]\n  targets: [0, 0, 0, 0, 1, 1, 1, 1]\n  task: binary\n"
            "loss: binary_cross_entropy\nbatch_size: 2\nshuffle: false",
            f"dataset:\n  name: inline\n  inputs: {_ROWS}]\n  targets: [0, 0, 0, 0, 1, 1, 1, 1]\n  task: binary\n"
            "loss: binary_cross_entropy\nbatch_size: 2\nshuffle: true",
        ),
    ),
    "repeated_samples": Rule(
        check=repeated_samples,
        severity="warn",
        meaning="Held-out samples must not be training samples too.",
        why="A model recognizes samples that it was trained on, so its scores on them say nothing about new samples. "
        "This happens if rare samples are copied before the data are split.",
        example=Example(
            f"dataset:\n  name: inline\n  inputs: {_ROWS},\n    {_ROWS[1:]}]\n"
            f"  targets: [{_TARGETS}, {_TARGETS}]\n  validation: 0\n  test: 5\nloss: mse",
            f"dataset:\n  name: inline\n  inputs: {_ROWS}]\n  targets: [{_TARGETS}]\n"
            "  validation: 0\n  test: 3\nloss: mse",
        ),
    ),
    "leaked_target": Rule(
        check=leaked_target,
        severity="warn",
        meaning="No input may be the target itself.",
        why="A column that was computed from the target, or is the target under another name, makes every score look "
        "perfect. New samples do not have it, so the model is useless for them.",
        example=Example(
            f"dataset:\n  name: inline\n  inputs: [{_WITH_TARGET}]\n  targets: [{_TARGETS}]\nloss: mse",
            f"dataset:\n  name: inline\n  inputs: {_ROWS}]\n  targets: [{_TARGETS}]\nloss: mse",
        ),
    ),
}
