"""The state that a run has saved: its checkpoints by their headers, and the weights of a model small enough to read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lossrun.errors import CheckpointError
from lossrun.records import checkpoints
from lossrun.records.run_directory import RunDirectory

MOST_PARAMETERS: Final = 16  # of a model whose weights are shown
_LARGEST_FILE: Final = 16_384  # bytes; 16 numbers and a header are far below

# What our own models call themselves: it stands before every name and says nothing.
_BODY: Final = "body."


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file in checkpoints/. `epochs`: how many are finished in it; `size` in bytes; `seed`: whose best weights, None
    for the state of the whole run. `problem`: why its header cannot be read, empty where it can."""

    name: str
    size: int
    epochs: int | None
    step: int | None
    seed: int | None
    problem: str = ""


def saved_files(run: Path, seeds: tuple[int, ...]) -> tuple[SavedFile, ...]:
    """The run's checkpoints, oldest first, then each seed's best weights. Only headers are read."""
    directory = RunDirectory(run)
    full = [_described(path, None) for path in reversed(checkpoints.candidates(directory.checkpoints))]
    best = [_described(directory.best_weights_path(seed), seed) for seed in seeds]
    return tuple(file for file in (*full, *best) if file)


def best_weights(run: Path, seeds: tuple[int, ...]) -> dict[int, dict[str, float]]:
    """Each seed's weights at its best epoch, a name for each number (`output.weight[0,1]`). Empty for a model of more
    than MOST_PARAMETERS."""
    return {seed: values for seed in seeds if (values := _weights(RunDirectory(run).best_weights_path(seed)))}


def _described(path: Path, seed: int | None) -> SavedFile | None:
    try:
        size = path.stat().st_size
    except OSError:  # there is none yet, or its writer has just removed it
        return None
    try:
        header = checkpoints.metadata(path)
    except CheckpointError as error:
        return SavedFile(path.name, size, None, None, seed, str(error))
    # A checkpoint names the epoch in progress, a file of best weights the one that gave them.
    return SavedFile(path.name, size, header["epoch"] - (seed is None), header["step"], seed)


def _weights(path: Path) -> dict[str, float]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return {}
        arrays = checkpoints.read(path).tensors
    except (OSError, CheckpointError):
        return {}  # `saved_files` says what is wrong with it
    if sum(array.size for array in arrays.values()) > MOST_PARAMETERS:
        return {}
    return {name: value for key in sorted(arrays, key=_weight_first) for name, value in _numbers(key, arrays[key])}


def _weight_first(name: str) -> tuple[str, bool, str]:
    layer, _, kind = name.rpartition(".")
    return layer, kind != "weight", kind


def _numbers(name: str, array: np.ndarray) -> Iterator[tuple[str, float]]:
    for index in np.ndindex(array.shape):
        place = f"[{','.join(map(str, index))}]" if array.size > 1 else ""
        yield name.removeprefix(_BODY) + place, float(array[index])
