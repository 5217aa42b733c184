"""List the state that a run has saved: its checkpoints, and the weights of a small model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lossrun.errors import CheckpointError
from lossrun.records import checkpoint_headers as headers
from lossrun.records.files.contents import length_of
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import RunDirectory

if TYPE_CHECKING:
    import numpy as np

    from lossrun.records.checkpoints import Checkpoint

MOST_PARAMETERS: Final = 16  # a larger model's weights are not shown
_LARGEST_FILE: Final = 16_384  # bytes; 16 numbers and a header are far below
_LARGEST_CHECKPOINT: Final = 2**20  # bytes; with the losses of the epoch in progress

# The prefix of every weight of our own models.
_BODY: Final = "body."


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file in checkpoints/.

    Attributes:
        size: The size in bytes.
        epochs: How many epochs were finished when it was written; None if the file does not say, or differs by seed.
        step: The step at which it was written.
        seed: The seed whose best weights it holds; None for the weights of several seeds and for the state of the whole
            run.
        problem: Why its header cannot be read, or "".
    """

    name: str
    size: int
    epochs: int | None
    step: int | None
    seed: int | None
    problem: str = ""


def saved_files(run: Path, seeds: tuple[int, ...]) -> tuple[SavedFile, ...]:
    """Return the run's checkpoints, oldest first, then its files of best weights.

    Older versions wrote the best weights of each seed to a separate file. Only the headers of the files are read.
    """
    directory = RunDirectory(run)
    full = [_described(path, None) for path in reversed(headers.candidates(directory.checkpoints))]
    old = [directory.best_weights_path(seed) for seed in seeds]
    together = [_described(path, None) for path in headers.best_files(directory.checkpoints) if path not in old]
    best = [_described(path, seed) for path, seed in zip(old, seeds, strict=True)]
    return tuple(file for file in (*full, *together, *best) if file)


def best_weights(run: RecordedRun) -> dict[int, dict[str, float]]:
    """Return each seed's weights at its best epoch, one entry for each number (`output.weight[0,1]`).

    Empty for a model of more than MOST_PARAMETERS parameters.

    Returns:
        {seed: {name of the weight: its value}}.
    """
    files = RunDirectory(run.path)
    finished = bool(run.ledger) and run.ledger[-1]["event"] == "finished"
    every = headers.best_files(files.checkpoints) if finished else headers.candidates(files.checkpoints)[:1]
    try:
        if any(path.stat().st_size > (_LARGEST_FILE if finished else _LARGEST_CHECKPOINT) for path in every):
            return {}
        if not every or any(_parameters(path) > MOST_PARAMETERS for path in every):
            return {}
        # Importing numpy takes a while, so it waits until there are numbers to show.
        from lossrun.records import best_weights as stored

        found = stored.of_run(files, run.ledger, None if finished else _newest(files, run))
    except (OSError, CheckpointError):
        return {}  # `saved_files` reports the problem
    return {seed: values for seed in run.seeds if seed in found and (values := _weights(found[seed].tensors))}


def _parameters(path: Path) -> int:
    """Count the parameters of one seed's model, in a checkpoint or a file of best weights."""
    facts = headers.metadata(path)
    whole = facts.get("seeds")  # of the whole state; a file of best weights has no other tensors
    seeds = whole or facts.get("best")
    return headers.numbers(path, "model." if whole else "") // (len(seeds) if isinstance(seeds, list) and seeds else 1)


def _newest(files: RunDirectory, run: RecordedRun) -> "Checkpoint":
    from lossrun.records import checkpoints
    from lossrun.records.provenance.belonging import Belonging

    length = length_of(files.history_path)
    problem = Belonging.to(run).problem
    return checkpoints.load_newest(files.checkpoints, history_length=length, on_skip=lambda *_: None, problem=problem)[
        1
    ]


def _described(path: Path, seed: int | None) -> SavedFile | None:
    try:
        size = path.lstat().st_size
    except FileNotFoundError:  # it does not exist yet, or its writer has just removed it
        return None
    except OSError:
        size = 0  # reading the header says why
    try:
        header = headers.metadata(path)
    except CheckpointError as error:
        return SavedFile(path.name, size, None, None, seed, str(error))
    if isinstance(each := header.get("best"), list) and each:
        epochs, steps = ({one["epoch"] for one in each}, {one["step"] for one in each})
        same, only = len(epochs) == 1, each[0]["seed"] if len(each) == 1 else None
        return SavedFile(path.name, size, epochs.pop() if same else None, steps.pop() if same else None, only)
    # A checkpoint names the epoch in progress; a file of best weights names the epoch of the weights.
    return SavedFile(path.name, size, header["epoch"] - (seed is None), header["step"], seed)


def _weights(arrays: Mapping[str, "np.ndarray"]) -> dict[str, float]:
    if sum(array.size for array in arrays.values()) > MOST_PARAMETERS:
        return {}
    return {name: value for key in sorted(arrays, key=_weight_first) for name, value in _numbers(key, arrays[key])}


def _weight_first(name: str) -> tuple[str, bool, str]:
    layer, _, kind = name.rpartition(".")
    return layer, kind != "weight", kind


def _numbers(name: str, array: "np.ndarray") -> Iterator[tuple[str, float]]:
    for index in product(*map(range, array.shape)):
        place = f"[{','.join(map(str, index))}]" if array.size > 1 else ""
        yield name.removeprefix(_BODY) + place, float(array[index])
