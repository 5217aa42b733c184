"""Check the model: its shapes, its batches, its initial weights."""

from collections.abc import Iterator
from math import prod
from typing import Final

from lossrun.catalog import get
from lossrun.catalog.declaration import Initializer
from lossrun.catalog.models import ACTIVATION
from lossrun.lint.rule import Case, Example, Rule, Violation
from lossrun.lint.size import declared_layers, layers

# A learning rate of plain descent above which units without bounds run away.
HIGH: Final = 0.5
# Batch norm's mean over this many samples is mostly chance.
FEW_NORMALIZED: Final = 4
# How often dropout may switch off all units of a layer, and how many it should leave on average.
ALL_DROPPED: Final = 0.01
FEW_LEFT: Final = 2.0


def has_hidden_layers(case: Case) -> bool:
    """Return whether several layers have weights; this is assumed of the user's own model."""
    weighing = [row for row in layers(case.config, case.facts) if row.parameters and row.type != "batch_norm"]
    return case.config.model.is_plugin or len(weighing) > 1


def model_shape(case: Case) -> Iterator[Violation]:
    """Find layers that do not fit the inputs or each other."""
    try:
        declared_layers(case.config, case.facts)
    except ValueError as error:
        yield Violation(
            ("model",),
            str(error),
            "use mlp or linear for tables; for images, use fewer pools or smaller kernels",
            ("model=mlp",),
        )


def _normalizes_over_samples(case: Case) -> bool:
    """Return whether batch norm averages over nothing but samples; it can also average over the pixels of an image."""
    return any(row.type == "batch_norm" and prod(row.output_shape[1:]) == 1 for row in layers(case.config, case.facts))


def few_normalized(case: Case) -> Iterator[Violation]:
    """Find batches so small that batch norm mixes up their samples."""
    if 1 < case.batch_size <= FEW_NORMALIZED and _normalizes_over_samples(case):
        yield Violation(
            ("batch_size",),
            f"batch norm normalizes each sample by a batch of {case.batch_size}, so its outputs depend mostly on which "
            "other samples are in the batch",
            "set batch_size: 32, or model.batch_norm: false",
            ("batch_size=32",),
        )


def lone_last_batch(case: Case) -> Iterator[Violation]:
    """Find a last batch of one sample, which batch norm cannot normalize."""
    samples, size = case.facts.train, case.batch_size
    if case.config.drop_last and size > 1:
        return
    if _normalizes_over_samples(case) and (samples % size or size) == 1:
        yield Violation(
            ("batch_size",),
            f"the last batch of {samples} samples in batches of {size} has one sample, which batch norm cannot "
            "normalize",
            "set model.batch_norm: false, or another batch_size"
            if size == 1
            else "set drop_last: true, or another batch_size",
            ("model.batch_norm=false",) if size == 1 else ("drop_last=true",),
        )


def no_batch(case: Case) -> Iterator[Violation]:
    """Find an epoch without any batch."""
    if case.config.drop_last and case.batch_size > case.facts.train:
        yield Violation(
            ("drop_last",),
            f"{case.facts.train} samples do not fill a batch of {case.batch_size}, and drop_last drops it",
            "set drop_last: false, or a smaller batch_size",
            ("drop_last=false",),
        )


def never_seen(case: Case) -> Iterator[Violation]:
    """Find samples that no epoch uses."""
    left_out = case.facts.train % case.batch_size
    if case.config.drop_last and not case.config.shuffle and 0 < left_out < case.facts.train:
        yield Violation(
            ("drop_last",),
            f"without shuffling, the last {left_out} of {case.facts.train} samples are left out of every epoch",
            "set shuffle: true, or drop_last: false",
            ("shuffle=true",),
        )


def same_weights(case: Case) -> Iterator[Violation]:
    """Find hidden layers in which all units stay the same."""
    init = case.config.model.parameters.get("init")
    hidden = [row for row in layers(case.config, case.facts)[:-1] if row.parameters and row.type != "batch_norm"]
    declared = get("initializer", init["name"]) if init else None
    alike = isinstance(declared, Initializer) and not declared.varies
    if alike and hidden and not case.config.model.parameters.get("dropout"):
        yield Violation(
            ("model", "init"),
            "units with the same initial weights get the same gradient and stay the same, so each hidden layer acts "
            "like one unit",
            "set model.init: torch, glorot_uniform, or another random initialization",
            ("model.init=torch",),
        )


def linear_hidden(case: Case) -> Iterator[Violation]:
    """Find hidden layers without an activation between them."""
    parameters = case.config.model.parameters
    layers = parameters.get("hidden") or parameters.get("layers")
    if parameters.get("activation") != "none" or not layers:
        return
    # Such large steps are for units that saturate.
    high = case.optimizer is not None and case.optimizer.scales_with_gradient and case.config.learning_rate > HIGH
    activation = "sigmoid" if high else ACTIVATION.default
    yield Violation(
        ("model", "activation"),
        "without an activation between them, hidden layers and the last layer are together one linear layer",
        f"set model.activation: {activation}, or model: linear",
        (f"model.activation={activation}",),
    )


def strong_dropout(case: Case) -> Iterator[Violation]:
    """Find dropout that often leaves a layer no unit, or hardly any."""
    dropout = case.config.model.parameters.get("dropout", 0.0)
    units = [row.output_shape[0] for row in layers(case.config, case.facts)[:-1] if row.type == "dense"]
    if not dropout or not units:
        return
    least = min(units)
    if dropout**least > ALL_DROPPED or least * (1 - dropout) < FEW_LEFT:
        yield Violation(
            ("model", "dropout"),
            f"dropout {dropout:g} leaves {least * (1 - dropout):.2g} of {least} units on average, and none at all in "
            f"{100 * dropout**least:.2g} % of the steps",
            "set model.dropout: 0, or use more units",
            ("model.dropout=0",),
        )


MODEL_RULES: Final[dict[str, Rule]] = {
    "lone_last_batch": Rule(
        check=lone_last_batch,
        runnable=False,
        meaning="With batch norm, the last batch of an epoch must have more than one sample.",
        why="Batch norm subtracts the mean of the batch. For one sample the result is always 0, and torch raises an "
        "error.",
        example=Example(
            "dataset: {name: synthetic_regression, samples: 129, validation: 0, test: 0}\nloss: mse\n"
            "model: {name: mlp, batch_norm: true}\nbatch_size: 64",
            "dataset: {name: synthetic_regression, samples: 129, validation: 0, test: 0}\nloss: mse\n"
            "model: {name: mlp, batch_norm: true}\nbatch_size: 64\ndrop_last: true",
        ),
    ),
    "few_normalized": Rule(
        check=few_normalized,
        severity="warn",
        meaning="With batch norm, a batch must have more than a few samples.",
        why="Training uses the mean of the batch, which is mostly chance for a few samples; evaluation uses the mean "
        "over many batches. So the model is trained with different numbers from those it is used with.",
        example=Example(
            "dataset: {name: synthetic_regression, samples: 200}\nloss: mse\n"
            "model: {name: mlp, batch_norm: true}\nbatch_size: 2",
            "dataset: {name: synthetic_regression, samples: 200}\nloss: mse\n"
            "model: {name: mlp, batch_norm: true}\nbatch_size: 32",
        ),
    ),
    "no_batch": Rule(
        check=no_batch,
        runnable=False,
        meaning="An epoch must have at least one batch.",
        why="drop_last drops a batch that is not full. If even the first batch is not full, no sample is left.",
        example=Example(
            "dataset: {name: synthetic_regression, samples: 100}\nloss: mse\nbatch_size: 128\ndrop_last: true",
            "dataset: {name: synthetic_regression, samples: 100}\nloss: mse\nbatch_size: 128",
        ),
    ),
    "never_seen": Rule(
        check=never_seen,
        severity="warn",
        meaning="Every training sample must be used.",
        why="With shuffling, drop_last drops different samples in each epoch. Without shuffling, it always drops the "
        "same ones.",
        example=Example(
            "dataset: {name: synthetic_regression, samples: 100}\nloss: mse\nbatch_size: 32\ndrop_last: true\n"
            "shuffle: false",
            "dataset: {name: synthetic_regression, samples: 100}\nloss: mse\nbatch_size: 32\ndrop_last: true",
        ),
    ),
    "same_weights": Rule(
        check=same_weights,
        explains=True,
        severity="warn",
        meaning="The units of a hidden layer must have different initial weights.",
        why="With equal weights, zeros included, all units of a layer compute the same value and get the same updates. "
        "A model without hidden layers may start at 0.",
        example=Example(
            "dataset: synthetic_regression\nloss: mse\nmodel: {name: mlp, init: {name: constant, value: 0}}",
            "dataset: synthetic_regression\nloss: mse\nmodel: {name: linear, init: {name: constant, value: 0}}",
        ),
    ),
    "model_shape": Rule(
        check=model_shape,
        runnable=False,
        meaning="The model's layers must fit the inputs and each other.",
        why="Convolutions need images. Every pool and kernel makes the image smaller, until nothing is left.",
        example=Example(
            "dataset: synthetic_classification\nloss: cross_entropy\nmodel: cnn",
            "dataset: synthetic_classification\nloss: cross_entropy\nmodel: mlp",
        ),
    ),
    "linear_hidden": Rule(
        check=linear_hidden,
        explains=True,
        severity="warn",
        meaning="Hidden layers must have an activation.",
        why="Without an activation, a deep network is a linear model with more weights: it cannot learn a curve, and "
        "its outputs grow faster.",
        example=Example(
            "dataset: synthetic_regression\nloss: mse\nmodel: {name: mlp, hidden: [30], activation: none}",
            "dataset: synthetic_regression\nloss: mse\nmodel: {name: mlp, hidden: [30], activation: relu}",
        ),
    ),
    "strong_dropout": Rule(
        check=strong_dropout,
        explains=True,
        severity="warn",
        meaning="Dropout must leave enough units in every layer.",
        why="With dropout 0.5, a layer of 2 units keeps no unit in a quarter of the steps, and then nothing about "
        "the inputs reaches the output. Dropout is made for layers with dozens of units.",
        example=Example(
            "dataset: synthetic_regression\nloss: mse\nmodel: {name: mlp, hidden: [3, 2], dropout: 0.5}",
            "dataset: synthetic_regression\nloss: mse\nmodel: {name: mlp, hidden: [30, 20], dropout: 0.5}",
        ),
    ),
}
