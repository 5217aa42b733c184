"""Rules on the model: its shapes, its batches, its first weights."""

from collections.abc import Iterator
from math import prod
from typing import Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Layer, Model
from lossrun.config.resolve import output_size
from lossrun.lint.rule import Case, Example, Rule, Violation


def _layers(case: Case) -> list[Layer]:
    """The rows of the model's summary; none for the user's own. Raises ValueError for shapes that do not fit."""
    model = case.config.model
    if model.is_plugin:
        return []
    declared = get("model", model.name)
    assert isinstance(declared, Model)
    return declared.layers(dict(model.parameters), case.facts.input_shape, output_size(case.config, case.facts))


def _fitting_layers(case: Case) -> list[Layer]:
    """The same; none where they do not fit, which is model_shape's to tell."""
    try:
        return _layers(case)
    except ValueError:
        return []


def model_shape(case: Case) -> Iterator[Violation]:
    try:
        _layers(case)
    except ValueError as error:
        yield Violation(
            ("model",), str(error), "use mlp or linear for tables; for images, fewer pools or smaller kernels"
        )


def lone_last_batch(case: Case) -> Iterator[Violation]:
    samples, size = case.facts.train, case.batch_size
    if case.config.drop_last and size > 1:
        return
    # Over an image's own places the mean can be taken, over a single number not.
    single = [row for row in _fitting_layers(case) if row.type == "batch_norm" and prod(row.output_shape[1:]) == 1]
    if single and (samples % size or size) == 1:
        yield Violation(
            ("batch_size",),
            f"the last batch of {samples} samples in batches of {size} has one sample, which batch norm cannot "
            "normalise",
            "set model.batch_norm: false, or another batch_size"
            if size == 1
            else "set drop_last: true, or another batch_size",
        )


def no_batch(case: Case) -> Iterator[Violation]:
    if case.config.drop_last and case.batch_size > case.facts.train:
        yield Violation(
            ("drop_last",),
            f"{case.facts.train} samples do not fill one batch of {case.batch_size}, and drop_last leaves it out",
            "set drop_last: false, or a smaller batch_size",
        )


def never_seen(case: Case) -> Iterator[Violation]:
    left_out = case.facts.train % case.batch_size
    if case.config.drop_last and not case.config.shuffle and 0 < left_out < case.facts.train:
        yield Violation(
            ("drop_last",),
            f"without shuffling, the last {left_out} of {case.facts.train} samples are left out of every epoch",
            "set shuffle: true, or drop_last: false",
        )


def same_weights(case: Case) -> Iterator[Violation]:
    init = case.config.model.parameters.get("init")
    hidden = [row for row in _fitting_layers(case)[:-1] if row.parameters and row.type != "batch_norm"]
    if init and init["name"] == "constant" and hidden and not case.config.model.parameters.get("dropout"):
        yield Violation(
            ("model", "init"),
            "units that begin with the same weights get the same gradient and stay the same: each hidden layer is "
            "worth one unit",
            "set model.init: torch, or glorot_uniform or another that draws its weights",
        )


MODEL_RULES: Final[dict[str, Rule]] = {
    "lone_last_batch": Rule(
        check=lone_last_batch,
        runnable=False,
        meaning="With batch norm, the last batch of an epoch holds more than one sample.",
        why="Batch norm subtracts the mean of the batch: of one sample nothing is left, and torch refuses it.",
        example=Example(
            "dataset: {name: synthetic_regression, samples: 129, validation: 0, test: 0}\nloss: mse\n"
            "model: {name: mlp, batch_norm: true}\nbatch_size: 64",
            "dataset: {name: synthetic_regression, samples: 129, validation: 0, test: 0}\nloss: mse\n"
            "model: {name: mlp, batch_norm: true}\nbatch_size: 64\ndrop_last: true",
        ),
    ),
    "no_batch": Rule(
        check=no_batch,
        runnable=False,
        meaning="An epoch has at least one batch.",
        why="drop_last leaves out a batch that is not full. Where the first one is not, nothing is left to train on.",
        example=Example(
            "dataset: {name: synthetic_regression, samples: 100}\nloss: mse\nbatch_size: 128\ndrop_last: true",
            "dataset: {name: synthetic_regression, samples: 100}\nloss: mse\nbatch_size: 128",
        ),
    ),
    "never_seen": Rule(
        check=never_seen,
        severity="warn",
        meaning="Every training sample is used.",
        why="drop_last leaves out other samples in each epoch if they are shuffled, and always the same if not.",
        example=Example(
            "dataset: {name: synthetic_regression, samples: 100}\nloss: mse\nbatch_size: 32\ndrop_last: true\n"
            "shuffle: false",
            "dataset: {name: synthetic_regression, samples: 100}\nloss: mse\nbatch_size: 32\ndrop_last: true",
        ),
    ),
    "same_weights": Rule(
        check=same_weights,
        severity="warn",
        meaning="The units of a hidden layer begin with different weights.",
        why="From equal weights, zeros included, all units of a layer compute the same and are moved alike for ever. "
        "A model without hidden layers may well begin at 0.",
        example=Example(
            "dataset: synthetic_regression\nloss: mse\nmodel: {name: mlp, init: {name: constant, value: 0}}",
            "dataset: synthetic_regression\nloss: mse\nmodel: {name: linear, init: {name: constant, value: 0}}",
        ),
    ),
    "model_shape": Rule(
        check=model_shape,
        runnable=False,
        meaning="The model's layers fit the inputs and each other.",
        why="Convolutions want images, and every pool and kernel takes some of the image away until nothing is left.",
        example=Example(
            "dataset: synthetic_classification\nloss: cross_entropy\nmodel: cnn",
            "dataset: synthetic_classification\nloss: cross_entropy\nmodel: mlp",
        ),
    ),
}
