"""Datasets given as arrays: written in the config, or returned by a user's own function."""

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lossrun.catalog.datasets import COMMON_KEYS
from lossrun.catalog.declaration import TASKS
from lossrun.config.plugins import check_arguments, load_plugin
from lossrun.data.dataset import Dataset, Part, Scaling, Source
from lossrun.data.inputs import as_array, as_inputs
from lossrun.data.targets import encode
from lossrun.errors import DataError


def read_inline(parameters: Mapping[str, Any]) -> Source:
    """The points written in the config. Raises DataError for rows of different lengths."""
    dataset = Dataset(train=(parameters["inputs"], parameters["targets"]), task=parameters["task"])
    return from_dataset(dataset, "inline")


def read_user_dataset(name: str, parameters: Mapping[str, Any], config_dir: Path) -> Source:
    """What the function `module:attribute` returns, given the parameters that lossrun does not use itself.

    Raises UsageError where there is no such function or it takes other parameters; DataError where it fails, or
    returns something other than a Dataset.
    """
    function = load_plugin(name, config_dir)
    arguments = {key: value for key, value in parameters.items() if key not in COMMON_KEYS}
    check_arguments(function, arguments, leading=0, what=f"dataset {name}")
    try:
        dataset = function(**arguments)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise DataError(
            f"dataset {name} raised {type(error).__name__}: {error} ({place.filename}:{place.lineno})"
        ) from error
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"dataset {name} returned a {type(dataset).__name__}; expected lossrun.Dataset(train=(inputs, targets))"
        )
    return from_dataset(dataset, name)


def from_dataset(dataset: Dataset, name: str) -> Source:
    """Arrays of one's own, checked and encoded; the parts together decide on the classes."""
    if dataset.task not in (None, *TASKS):
        raise DataError(f"{name}: task {dataset.task!r}; expected one of {', '.join(TASKS)}")
    given = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    pairs = {part: _pair(pair, f"{name}, {part}") for part, pair in given.items() if pair is not None}
    _check_alike([inputs for inputs, _ in pairs.values()], f"{name}, inputs")
    _check_alike([targets for _, targets in pairs.values()], f"{name}, targets")
    targets = np.concatenate([targets for _, targets in pairs.values()])
    encoded = encode(targets, dataset.task, f"{name}, targets", tuple(dataset.classes))
    ends = np.cumsum([len(inputs) for inputs, _ in pairs.values()])
    parts = {
        part: Part(inputs, block, np.arange(len(inputs)))
        for (part, (inputs, _)), block in zip(pairs.items(), np.split(encoded.targets, ends[:-1]), strict=True)
    }
    return Source(
        task=encoded.task,
        train=parts["train"],
        validation=parts.get("validation"),
        test=parts.get("test"),
        target_size=encoded.size,
        classes=encoded.classes,
        input_scaling=Scaling.divide_by(255.0) if parts["train"].inputs.dtype == np.uint8 else None,
        notes=encoded.notes,
    )


def _pair(pair: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise DataError(f"{where}: expected a pair (inputs, targets), not {type(pair).__name__}")
    inputs = as_inputs(as_array(pair[0], f"{where} inputs"), f"{where} inputs")
    targets = as_array(pair[1], f"{where} targets")
    if not targets.ndim or len(inputs) != len(targets) or not len(inputs):
        lengths = f"{len(inputs)} inputs and {len(targets) if targets.ndim else 'no'} targets"
        raise DataError(f"{where}: {lengths}; expected one target for each of at least one input")
    return inputs, targets


def _check_alike(arrays: list[np.ndarray], where: str) -> None:
    if len({array.shape[1:] for array in arrays}) > 1 or len({array.dtype.kind for array in arrays}) > 1:
        found = ", ".join(f"{array.dtype} {array.shape}" for array in arrays)
        raise DataError(f"{where}: the parts differ: {found}; expected one type and shape per sample")
