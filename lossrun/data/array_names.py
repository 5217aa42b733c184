"""Which arrays of an archive are inputs and targets, and of which part."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lossrun.data.columns import as_names, check_names, check_weights, split_by, weight_column
from lossrun.data.given_split import SPELLINGS
from lossrun.errors import DataError

# What Keras and others call them: x_train, y_test, train_images, val_labels.
_INPUT_WORDS: Final = ("x", "inputs", "input", "images", "image", "data", "features")
_TARGET_WORDS: Final = ("y", "targets", "target", "labels", "label")
_OF_PARTS: Final = tuple(
    re.compile(
        order.format(
            what=f"(?P<what>{'|'.join((*_INPUT_WORDS, *_TARGET_WORDS))})",
            part=f"(?P<part>{'|'.join(map(re.escape, SPELLINGS))})",
        ),
        re.IGNORECASE,
    )
    for order in ("{what}_{part}", "{part}_{what}")
)


@dataclass(frozen=True, slots=True)
class ArrayNames:
    """What the arrays of one part are called."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    splits: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.inputs, *self.targets, *self.splits, *self.weights)


def chosen_arrays(known: Sequence[str], parameters: Mapping[str, Any], where: str) -> dict[str, ArrayNames]:
    """The names of each part's arrays: of the training part alone, or of all parts, where they are called as Keras
    calls them. Raises DataError for names that do not fit."""
    targets, inputs = as_names(parameters["target"]), as_names(parameters["inputs"])
    for key, names in (("target", targets), ("inputs", inputs)):
        check_names(names, known, key, where)
    parts = _parts_by_name(known)
    if parts and targets in ([], [parts["train"].targets[0]]) and inputs in ([], [parts["train"].inputs[0]]):
        if split_by(parameters, known, where):
            raise DataError(
                f"dataset.split: {where} holds x and y of each part, a split of its own; keep one of the two"
            )
        if parameters.get("weight") is not None:
            raise DataError(
                f"dataset.weight: {where} holds x and y of each part, and one array cannot weigh them all; put all "
                "samples into one x, y and weight"
            )
        return parts
    if not targets:
        raise DataError(
            f"dataset.target: names no array of {where}; name one of {', '.join(known)} (it may be left out beside "
            "x_train and y_train)"
        )
    splits = split_by(parameters, known, where)
    weights = weight_column(parameters, known, where)
    inputs = inputs or [name for name in known if name not in (*targets, *splits, *weights)]
    if not inputs:
        raise DataError(f"dataset.inputs: target takes every array of {where}; leave at least one")
    overlap = [name for name in inputs if name in targets]
    if overlap:
        raise DataError(f"dataset.inputs: {overlap[0]} is the target; take it out of one of the two")
    check_weights(weights, inputs, targets)
    return {"train": ArrayNames(tuple(inputs), tuple(targets), tuple(splits), tuple(weights))}


def _parts_by_name(known: Sequence[str]) -> dict[str, ArrayNames]:
    """x_train, y_train, x_test, y_test, x_val ..., or train_images, train_labels ...; none without a training part."""
    found: dict[tuple[str, str], str] = {}
    for name in known:
        for pattern in _OF_PARTS:
            if match := pattern.fullmatch(name):
                part = SPELLINGS[match["part"].lower()]
                found.setdefault((part, "x" if match["what"].lower() in _INPUT_WORDS else "y"), name)
    parts = {
        part: ArrayNames((found[part, "x"],), (found[part, "y"],))
        for part in ("train", "validation", "test")
        if (part, "x") in found and (part, "y") in found
    }
    return parts if "train" in parts else {}
