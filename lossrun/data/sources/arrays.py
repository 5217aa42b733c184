"""Read datasets that are arrays: written in the config, or returned by a user's own function."""

from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.catalog.dataset_parameters import COMMON_KEYS
from lossrun.catalog.declaration import TASKS, Task
from lossrun.data.samples.dataset import Dataset, Part, Scaling, UnsplitData
from lossrun.data.samples.sample_weights import as_weights
from lossrun.data.samples.scaling import lost_notes
from lossrun.data.samples.targets import encode
from lossrun.data.samples.task import ANY_LOSS, LossTasks
from lossrun.data.tables.inputs import Cell, as_array, as_inputs, indexed, significant_bits
from lossrun.errors import DataError
from lossrun.plugins.calling import users_code
from lossrun.plugins.loading import check_arguments, load_plugin

WHAT: Final = ("inputs", "targets")


def read_inline(
    parameters: Mapping[str, Any], ignored: str | float | None = None, loss: LossTasks = ANY_LOSS
) -> UnsplitData:
    """Return the points written in the config.

    Args:
        ignored, loss: See `targets.encode`.

    Raises:
        DataError: For anything but a table of finite numbers with a target for each row, or for targets that do not fit
            the task. The message begins with the place in the config.
    """
    at_inputs, at_targets = (f"dataset.{what}" for what in WHAT)
    points, values = (
        as_array(parameters[what], where, _config_place(where))
        for what, where in zip(WHAT, (at_inputs, at_targets), strict=True)
    )
    _check_rows(points, values, at_targets if len(points) else at_inputs)
    inputs = as_inputs(points, at_inputs, _config_place(at_inputs))
    encoded = encode(values, parameters["task"], at_targets, cell=_config_place(at_targets), ignored=ignored, loss=loss)
    weights, at_weights = parameters.get("weights"), "dataset.weights"
    if weights is not None:
        weights = as_weights(weights, at_weights, len(inputs), lambda row: f"{at_weights}[{row}]")
    return encoded.samples(
        {"train": Part(inputs, encoded.targets, np.arange(len(inputs)), weights)},
        weighted_by="" if weights is None else at_weights,
    )


def read_user_dataset(
    name: str,
    parameters: Mapping[str, Any],
    config_dir: Path,
    ignored: str | float | None = None,
    loss: LossTasks = ANY_LOSS,
) -> UnsplitData:
    """Call the function `module:attribute` with the parameters that lossrun does not use itself.

    Raises:
        UsageError: If there is no such function, or it takes other parameters.
        DataError: If it fails, or does not return a Dataset.
    """
    function, arguments = load_plugin(name, config_dir), own_arguments(parameters)
    check_arguments(function, arguments, leading=0, what=f"dataset {name}")
    with users_code(f"dataset {name}", kind=DataError, smaller="use fewer samples or fewer columns"):
        dataset = function(**arguments)
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"dataset {name} returned a {type(dataset).__name__}; expected lossrun.Dataset(train=(inputs, targets))"
        )
    return from_dataset(dataset, name, ignored, loss)


def own_arguments(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that a user's function gets: those that lossrun does not use itself."""
    return {key: value for key, value in parameters.items() if key not in COMMON_KEYS}


def from_dataset(
    dataset: Dataset, name: str, ignored: str | float | None = None, loss: LossTasks = ANY_LOSS
) -> UnsplitData:
    """Check and encode a user's arrays; all parts together decide on the classes.

    Args:
        ignored, loss: See `targets.encode`.

    Raises:
        DataError: For what cannot be trained on, with part and place.
    """
    task, classes = _task(dataset, name), _class_names(dataset, name)
    given = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    pairs = {part: _pair(pair, f"{name}, {part}") for part, pair in given.items() if pair is not None}
    weights = {part: _weights(given[part], f"{name}, {part} weights", len(pairs[part][0])) for part in pairs}
    if len({each is None for each in weights.values()}) > 1:
        lacking = next(part for part, each in weights.items() if each is None)
        raise DataError(
            f"{name}, {lacking}: no weights, although other parts have some; give all parts weights, or no part"
        )
    for part, arrays in pairs.items():
        for what, array, first in zip(WHAT, arrays, pairs["train"], strict=True):
            _check_alike(array, first, f"{name}, {part} {what}", what)
    ends = np.cumsum([len(inputs) for inputs, _ in pairs.values()])
    starts = dict(zip(pairs, [0, *ends[:-1].tolist()], strict=True))

    def cell(index: tuple[int, ...]) -> str:
        part = next(part for part in reversed(starts) if starts[part] <= index[0])
        return indexed(f"{name}, {part} targets")((index[0] - starts[part], *index[1:]))

    targets = np.concatenate([targets for _, targets in pairs.values()])
    encoded = encode(targets, task, f"{name}, targets", classes, cell, ignored=ignored, loss=loss)
    parts = {
        part: Part(inputs, block, np.arange(len(inputs)), weights[part])
        for (part, (inputs, _)), block in zip(pairs.items(), np.split(encoded.targets, ends[:-1]), strict=True)
    }
    return encoded.samples(
        parts,
        weighted_by="" if weights["train"] is None else f"of {name}",
        input_scaling=Scaling.divide_by(255.0) if parts["train"].inputs.dtype == np.uint8 else None,
        notes=_lost(dataset, pairs["train"], encoded.task),
    )


def _lost(dataset: Dataset, arrays: tuple[np.ndarray, np.ndarray], task: Task) -> Iterator[str]:
    """Yield notes about numbers that came with too little precision."""
    for what, given, array in zip(WHAT, dataset.train, arrays, strict=False):
        if what == "inputs" or task == "regression":
            yield from lost_notes(array, significant_bits(given), what=what)


def _task(dataset: Dataset, name: str) -> Task | None:
    if dataset.task not in (None, *TASKS):
        raise DataError(f"{name}: task {dataset.task!r}; expected one of {', '.join(TASKS)}")
    return dataset.task


def _class_names(dataset: Dataset, name: str) -> tuple[str, ...]:
    """Return the given names of the classes; () for None."""
    given: Any = () if dataset.classes is None else dataset.classes
    # A word is a sequence, too, of letters. A set has no order, so it cannot say which label a name belongs to.
    is_sequence = isinstance(given, Iterable) and not isinstance(given, str | Set | Mapping)
    names = list(given) if is_sequence else []
    if not is_sequence or not all(isinstance(one, str) for one in names):
        raise DataError(
            f"{name}: classes {given!r}; expected a sequence of names in the labels' order, such as ('cat', 'dog')"
        )
    return tuple(str(one) for one in names)


def _pair(pair: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(pair, (tuple, list)) or len(pair) not in (2, 3):
        raise DataError(
            f"{where}: expected a pair (inputs, targets), or (inputs, targets, weights), not {type(pair).__name__}"
        )
    raw, targets = (as_array(values, f"{where} {what}") for values, what in zip(pair[:2], WHAT, strict=True))
    _check_rows(raw, targets, where)
    return as_inputs(raw, f"{where} inputs"), targets


def _weights(given: Any, where: str, samples: int) -> np.ndarray | None:
    """Return the third of (inputs, targets, weights), if there is one and it is not None, as in Keras."""
    if len(given) < 3 or given[2] is None:
        return None
    return as_weights(given[2], where, samples, lambda row: indexed(where)((row,)))


def _check_rows(inputs: np.ndarray, targets: np.ndarray, where: str) -> None:
    """Raise DataError unless there is at least one input, and one target for each."""
    counts = [len(array) if array.ndim else 0 for array in (inputs, targets)]
    if counts[0] != counts[1] or not counts[0]:
        transposed = targets.ndim == 2 and targets.shape[1] == counts[0] > 0
        raise DataError(
            f"{where}: {counts[0] or 'no'} inputs and {counts[1] or 'no'} targets; expected at least one input, and "
            "one target for each"
            + ("; the targets seem to be transposed: expected one row for each input" if transposed else "")
        )


def _check_alike(array: np.ndarray, first: np.ndarray, where: str, what: str) -> None:
    """Raise DataError if the samples of a part have another type or shape than those of the training part."""
    # Pixels are scaled and other numbers are not; words and numbers are different targets.
    kinds = [one.dtype == np.uint8 if what == "inputs" else one.dtype.kind == "U" for one in (array, first)]
    if array.shape[1:] != first.shape[1:] or kinds[0] != kinds[1]:
        raise DataError(
            f"{where}: {array.dtype} samples of shape {array.shape[1:]}, but those of the training part are "
            f"{first.dtype} of shape {first.shape[1:]}; expected the parts to be alike"
        )


def _config_place(where: str) -> Cell:
    """Return `where[2][0]`, as messages about a config write it."""
    return lambda index: where + "".join(f"[{i}]" for i in index)
