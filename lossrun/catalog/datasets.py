"""The datasets that a config may name. `data/` reads or computes their arrays."""

from typing import Any, Final, Literal

from lossrun.catalog.alias import also
from lossrun.catalog.dataset_parameters import (
    CORRUPT,
    SAMPLES,
    SEED,
    SPLIT_SEED,
    SPLITS,
    STANDARDIZE,
    TASK,
    TEST,
    VALIDATION,
    split,
)
from lossrun.catalog.declaration import Component, DatasetDeclaration
from lossrun.catalog.image_datasets import IMAGE_DATASETS
from lossrun.catalog.parameter import REQUIRED, Nested, Parameter

NOISES: Final[tuple[Component, ...]] = (
    Component(
        kind="noise",
        name="gaussian",
        meaning="normal",
        parameters=(Parameter("std", float, 0.1, "standard deviation", unit="target units", at_least=0),),
        aliases=also("normal"),
    ),
    Component(
        kind="noise",
        name="laplace",
        meaning="double exponential: mae is its maximum likelihood",
        parameters=(Parameter("scale", float, 0.1, "mean absolute deviation", unit="target units", at_least=0),),
    ),
    Component(
        kind="noise",
        name="student_t",
        meaning="heavy tails",
        parameters=(
            Parameter("df", float, 2.0, "degrees of freedom: smaller values give more outliers", above=0),
            Parameter("scale", float, 0.1, "factor", unit="target units", at_least=0),
        ),
    ),
    Component(kind="noise", name="none", meaning="no noise"),
)


def _scikit_learn(
    name: str,
    meaning: str,
    task: Any,
    inputs: int,
    count: int,
    classes: tuple[str, ...] = (),
    *,
    largest_input: float = 0.0,
) -> DatasetDeclaration:
    return DatasetDeclaration(
        name=name,
        meaning=meaning,
        parameters=SPLITS,
        tasks=(task,),
        task=task,
        input_shape=(inputs,),
        target_size=len(classes) if task == "multiclass" else 1,
        count=count,
        classes=classes,
        largest_input=largest_input,
        package="scikit-learn",
        reader="scikit_learn",
    )


def _points(name: str, example: Any) -> Parameter:
    return Parameter(
        name,
        list[float] | list[list[float]],
        REQUIRED,
        "one row (or number) per sample",
        form="a list of numbers, or of lists of numbers",
        example=example,
    )


def _path(example: str) -> Parameter:
    return Parameter("path", str, REQUIRED, "the file, relative to the config", example=example)


# A column of a table: its name, or its place counted from 1; -1 is the last column.
_COLUMN: Final = str | int
_COLUMNS: Final = str | int | list[str | int]


DATASETS: Final[tuple[DatasetDeclaration, ...]] = (
    *IMAGE_DATASETS,
    DatasetDeclaration(
        name="synthetic_regression",
        meaning="a known function plus noise",
        parameters=(
            Parameter(
                "kind",
                Literal["linear", "polynomial", "sinusoid", "friedman1"],
                "linear",
                "the function; friedman1 needs at least 5 features",
            ),
            SAMPLES,
            Parameter("features", int, 10, "inputs per sample", at_least=1),
            Nested("noise", "noise", {"name": "gaussian", "std": 0.1}, "added to every target"),
            SEED,
            *SPLITS,
        ),
        tasks=("regression",),
        task="regression",
        target_size=1,
    ),
    DatasetDeclaration(
        name="synthetic_classification",
        meaning="classes of a known shape",
        parameters=(
            Parameter(
                "kind",
                Literal["blobs", "moons", "circles", "spirals", "xor", "multilabel"],
                "blobs",
                "the shape; two classes give a binary task unless `task` says multiclass",
            ),
            SAMPLES,
            Parameter(
                "classes",
                int | None,
                None,
                "number of classes (multilabel: of labels); left out: 3 for blobs, spirals and multilabel, otherwise 2",
                at_least=2,
            ),
            Parameter("features", int | None, None, "inputs per sample, for blobs (2) and multilabel (10)", at_least=1),
            Parameter("noise", float, 0.1, "standard deviation around the shape", at_least=0),
            Parameter(
                "task",
                Literal["binary", "multiclass"] | None,
                None,
                "for two classes; binary: one output, multiclass: two",
            ),
            SEED,
            *SPLITS,
        ),
        tasks=("binary", "multiclass", "multilabel"),
    ),
    DatasetDeclaration(
        name="csv",
        meaning="a table in a text file",
        parameters=(
            _path("houses.csv"),
            Parameter("target", _COLUMNS, REQUIRED, "what to predict: a column, or several", example="price"),
            Parameter("inputs", _COLUMNS | None, None, "what to predict from; left out: everything else"),
            Parameter("drop", list[str | int], [], "columns to leave out"),
            Parameter("weight", _COLUMN | None, None, "a column with the weight of each row; left out: equal weights"),
            TASK,
            Parameter("delimiter", str, ",", "the character between cells; '\\t' for a tab"),
            Parameter("header", bool, True, "whether the first line names the columns; otherwise they are x1, x2, ..."),
            Parameter("decimal", Literal[".", ","], ".", "the decimal sign; with ',' 1.234,5 is a number too"),
            Parameter(
                "thousands",
                Literal[",", ".", " ", "'", "_"] | None,
                None,
                "the character between thousands, such as the comma in 1,234.5; left out: none, or with decimal ',' "
                "a point, a space or an apostrophe",
                spellings={"space": " ", "\u00a0": " ", "\u202f": " ", "’": "'"},
            ),
            Parameter(
                "encode",
                Literal["refuse", "one_hot"],
                "refuse",
                "what to do with columns of words",
                refused=dict.fromkeys(
                    ("label", "ordinal", "integer", "codes"),
                    "numbers give words an order that they do not have; use one_hot",
                ),
            ),
            Parameter(
                "missing",
                Literal["refuse", "drop", "mean"],
                "refuse",
                "empty cells: refuse, drop the row, or fill a number with its mean and make an empty word a category",
            ),
            Parameter(
                "missing_values",
                list[str | int | float],
                [],
                "cells that mean a missing value, in addition to NA, NaN and null",
            ),
            split("column", _COLUMN),
            *SPLITS,
        ),
    ),
    DatasetDeclaration(
        name="npz",
        meaning="arrays in a numpy archive",
        parameters=(
            _path("houses.npz"),
            Parameter(
                "target",
                str | list[str] | None,
                None,
                "what to predict: an array, or several; left out: y next to x, or y_train next to x_train, as in Keras",
                example="prices",
            ),
            Parameter("inputs", str | list[str] | None, None, "what to predict from; left out: everything else"),
            Parameter(
                "weight",
                str | None,
                None,
                "an array with the weight of each sample (next to w_train, w_test weights the test part); left out: "
                "equal weights",
            ),
            TASK,
            split("array", str),
            *SPLITS,
        ),
        may_be_bytes=True,
    ),
    DatasetDeclaration(
        name="inline",
        meaning="points written in the config",
        parameters=(
            _points("inputs", [[1], [2], [3], [4]]),
            _points("targets", [3, 5, 7, 9]),
            Parameter(
                "weights", list[float] | None, None, "the weight of each sample; left out: equal weights", at_least=0
            ),
            TASK,
            Parameter("validation", int | float, 0, VALIDATION.meaning, at_least=0),
            Parameter("test", int | float, 0, TEST.meaning, at_least=0),
            SPLIT_SEED,
            STANDARDIZE,
            CORRUPT,
        ),
    ),
    _scikit_learn(
        "digits",
        "handwritten digits, 8 x 8 grey (scikit-learn)",
        "multiclass",
        64,
        1797,
        tuple("0123456789"),
        largest_input=16.0,
    ),
    _scikit_learn(
        "breast_cancer",
        "benign or malignant from 30 measures (scikit-learn)",
        "binary",
        30,
        569,
        ("malignant", "benign"),
    ),
    _scikit_learn("diabetes", "progression of the disease from 10 measures (scikit-learn)", "regression", 10, 442),
    _scikit_learn(
        "wine",
        "three growers from 13 chemical measures (scikit-learn)",
        "multiclass",
        13,
        178,
        ("class_0", "class_1", "class_2"),
    ),
)
