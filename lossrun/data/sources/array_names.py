"""Find which arrays of an archive are inputs and targets, and of which part."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lossrun.data.samples.given_split import SPELLINGS
from lossrun.data.tables.columns import (
    as_names,
    check_names,
    check_no_target_among,
    check_weights,
    split_by,
    weight_column,
)
from lossrun.errors import DataError

# Names in a note.
SHOWN: Final = 5
# Names that Keras and others use: x_train, y_test, train_images, val_labels.
_INPUT_WORDS: Final = ("x", "inputs", "input", "images", "image", "data", "features")
_TARGET_WORDS: Final = ("y", "targets", "target", "labels", "label")
_WEIGHT_WORDS: Final = ("w", "weights", "weight", "sample_weights", "sample_weight")


def _of_parts(what: str) -> tuple[re.Pattern[str], ...]:
    """Return patterns for the names of a part's arrays: `what`_train, train_`what`."""
    part = f"(?P<part>{'|'.join(map(re.escape, SPELLINGS))})"
    orders = (f"(?P<what>{what})_{part}", f"{part}_(?P<what>{what})")
    return tuple(re.compile(order, re.IGNORECASE) for order in orders)


_XY_OF_PARTS: Final = _of_parts("|".join((*_INPUT_WORDS, *_TARGET_WORDS)))
_ANY_OF_PARTS: Final = _of_parts(".+")


@dataclass(frozen=True, slots=True)
class ArrayNames:
    """The names of the arrays of one part."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    splits: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.inputs, *self.targets, *self.splits, *self.weights)


def chosen_arrays(known: Sequence[str], parameters: Mapping[str, Any], where: str) -> dict[str, ArrayNames]:
    """Return the names of each part's arrays: of the training part only, or of all parts if they have Keras' names.

    Raises:
        DataError: For names that do not fit.
    """
    targets, inputs = as_names(parameters["target"]), as_names(parameters["inputs"])
    for key, names in (("target", targets), ("inputs", inputs)):
        check_names(names, known, key, where)
    parts = _parts_by_name(known)
    if parts and targets in ([], [parts["train"].targets[0]]) and inputs in ([], [parts["train"].inputs[0]]):
        if split_by(parameters, known, where):
            raise DataError(
                f"dataset.split: {where} already holds x and y of each part; remove dataset.split, or "
                "choose other arrays"
            )
        return _weighted(parts, parameters, known, where)
    if not targets:
        targets, inputs = _named_x_and_y(known, inputs)
    if not targets:
        raise DataError(
            f"dataset.target: names no array of {where}; name one of {', '.join(known)} (not needed for an archive of "
            "x and y, or of x_train and y_train)"
        )
    splits = split_by(parameters, known, where)
    weights = weight_column(parameters, known, where)
    inputs = inputs or [name for name in known if name not in (*targets, *splits, *weights)]
    if not inputs:
        raise DataError(f"dataset.inputs: target uses every array of {where}; leave at least one for the inputs")
    check_no_target_among(inputs, targets)
    check_weights(weights, inputs, targets)
    return {"train": ArrayNames(tuple(inputs), tuple(targets), tuple(splits), tuple(weights))}


def _named_x_and_y(known: Sequence[str], inputs: list[str]) -> tuple[list[str], list[str]]:
    """Return the target and the inputs of an archive of x and y; ([], `inputs`) unless one array alone may be each."""
    x = inputs or [name for name in known if name.lower() in _INPUT_WORDS]
    y = [name for name in known if name.lower() in _TARGET_WORDS]
    return (y, x) if len(y) == 1 and (inputs or len(x) == 1) else ([], inputs)


def _parts_by_name(known: Sequence[str]) -> dict[str, ArrayNames]:
    """Find x_train, y_train, x_test, x_val ..., or train_images, train_labels ...; {} without a training part."""
    found: dict[tuple[str, str], str] = {}
    for name in known:
        for pattern in _XY_OF_PARTS:
            if match := pattern.fullmatch(name):
                part = SPELLINGS[match["part"].lower()]
                found.setdefault((part, "x" if match["what"].lower() in _INPUT_WORDS else "y"), name)
    parts = {
        part: ArrayNames((found[part, "x"],), (found[part, "y"],))
        for part in ("train", "validation", "test")
        if (part, "x") in found and (part, "y") in found
    }
    return parts if "train" in parts else {}


def _weighted(
    parts: dict[str, ArrayNames], parameters: Mapping[str, Any], known: Sequence[str], where: str
) -> dict[str, ArrayNames]:
    """Return the parts with their weights: `weight` names those of the training part, the others have similar names.

    Raises:
        DataError: If `weight` names another array, or a part that is used has no such array.
    """
    weights = weight_column(parameters, known, where)
    if not weights:
        return parts
    train = parts["train"]
    check_weights(weights, train.inputs, train.targets)
    of_parts = _named_alike(weights[0], known)
    if of_parts.get("train") != weights[0]:
        raise DataError(
            f"dataset.weight: {weights[0]} does not name the weights of one part, but {where} holds "
            f"{train.inputs[0]} and arrays of other parts; name the weights of each part like its inputs, such as "
            "w_train and w_test, and write weight: w_train"
        )
    for part, names in parts.items():
        if part not in of_parts and parameters[part]:
            raise DataError(
                f"dataset.weight: {weights[0]} holds the weights of the training part, but {where} has no such array "
                f"for {names.inputs[0]}; add one (ones if all samples count the same), or leave the part out: "
                f"{part}: 0"
            )
    return {
        part: replace(names, weights=(of_parts[part],)) if part in of_parts else names for part, names in parts.items()
    }


def _named_alike(name: str, known: Sequence[str]) -> dict[str, str]:
    """Return, for a name such as `w_train`, the arrays of all parts: `w_train`, `w_val`, `w_test`."""
    stems = {stem for _, stem in _part_and_stem(name)}
    found: dict[str, str] = {}
    for other in (name, *known):
        for part, stem in _part_and_stem(other):
            if stem in stems:
                found.setdefault(part, other)
    return found


def unread_note(known: Sequence[str], read: Collection[str], where: str) -> str:
    """Return a note about unused arrays, and how to use weights among them; "" if all arrays are used."""
    unread = [name for name in known if name not in read]
    if not unread:
        return ""
    listed = ", ".join(unread[:SHOWN]) + (f" and {len(unread) - SHOWN} more" if len(unread) > SHOWN else "")
    told = f"{listed} of {where} {'is' if len(unread) == 1 else 'are'} not used"
    weights = next((name for name in unread if _is_called_weights(name)), "")
    return told + (f"; if {weights} holds a weight for each sample, add weight: {weights}" if weights else "")


def weights_as_inputs_note(inputs: Sequence[str], where: str) -> str:
    """Return a note if an array with a name like weights is an input because the config does not name the inputs."""
    weights = next((name for name in inputs if _is_called_weights(name)), "")
    return (
        f"{weights} of {where} is one of the inputs; if it holds a weight for each sample, add weight: {weights}"
        if weights
        else ""
    )


def _is_called_weights(name: str) -> bool:
    """Return whether `weight` may mean this array; held-out weights are found by the training part's name."""
    return name.lower() in _WEIGHT_WORDS or any(
        part == "train" and stem in _WEIGHT_WORDS for part, stem in _part_and_stem(name)
    )


def _part_and_stem(name: str) -> list[tuple[str, str]]:
    """Return the ways to read a name such as `w_train` or `train_w`."""
    matches = [pattern.fullmatch(name) for pattern in _ANY_OF_PARTS]
    return [(SPELLINGS[match["part"].lower()], match["what"].lower()) for match in matches if match]
