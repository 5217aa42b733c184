"""Write and read checkpoints: the full state of a run in one safetensors file, with a digest in its name.

    checkpoints/step-00000469-<first 16 hex digits of the file's SHA-256>.safetensors

Tensors are numpy arrays by name (`model.`, `optimizer.`, `rng.` ...); everything else is one JSON string under
`lossrun` in the file's metadata. numpy has no bfloat16, so such tensors are saved as uint16 bits, and their names are
listed under `bfloat16` in the metadata.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from lossrun.errors import CheckpointError
from lossrun.files import LARGE, read_regular
from lossrun.records.checkpoint_headers import (
    BEST_NAME,
    METADATA_KEY,
    NAME,
    header_in,
    newest_first,
    read_header,
)
from lossrun.records.checkpoint_headers import best_files as best_files
from lossrun.records.checkpoint_headers import candidates as candidates
from lossrun.records.checkpoint_headers import metadata as metadata
from lossrun.records.checkpoint_headers import step_of as step_of
from lossrun.records.files import durable, strict_json

# Version 1 had the best weights in separate files without a digest; version 2 did not list its tensors.
FORMAT_VERSION: Final = 3
FEWEST_KEPT: Final = 2  # if the newest is damaged, there must be another one


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run.

    Attributes:
        metadata: Epoch, step, seeds, best so far, elapsed seconds, hashes, `history_length` in bytes with its `history`
            mark, and the id of the `run`; `format_version` is added when it is written.
    """

    tensors: dict[str, np.ndarray]
    metadata: dict[str, Any]


def save(directory: Path, step: int, checkpoint: Checkpoint, keep: int, *, also_keep: int | None = None) -> Path:
    """Write the checkpoint of `step`, read it back, and then remove those that are no longer needed.

    The newest `keep` stay (at least two), and the newest one up to the step `also_keep`. Removed are older ones, an
    earlier checkpoint of the same step, those of later steps (given up when the run was resumed from an older
    checkpoint), and leftover temporary files.

    Raises:
        RunError: If writing fails; all older checkpoints are still there.
        CheckpointError: If other bytes are read back; all older checkpoints are still there.
    """
    path, data = file_of(directory, step, checkpoint)
    durable.replace(path, data)
    with durable.refusals_of_the_disk(path):
        written = read_regular(path, LARGE)
    if written != data:  # as safe as comparing digests, and ten times as fast
        raise CheckpointError(f"{path.name}: damaged: the bytes read back are not the bytes written")
    present = list(directory.iterdir())
    found = newest_first(present)
    earlier = [old for old in found if step_of(old) < step]
    kept = {path, *earlier[: max(keep, FEWEST_KEPT) - 1]}
    if also_keep is not None:
        kept |= set([old for old in earlier if step_of(old) <= also_keep][:1])
    temporary = [file for file in present if file.name.startswith(".") and file.suffix == durable.TEMPORARY_SUFFIX]
    for old in (*found, *temporary):
        if old not in kept:
            durable.check_fences(old)
            with suppress(OSError):
                old.unlink()
    return path


def file_of(directory: Path, step: int, checkpoint: Checkpoint) -> tuple[Path, bytes]:
    """Return the path and the content of the checkpoint of `step`."""
    data = to_bytes(checkpoint)
    return directory / f"step-{step:08d}-{_digest(data)}.safetensors", data


def remove(paths: Iterable[Path], but: Collection[str]) -> None:
    """Remove these files, except those whose name is in `but`. Skip files that cannot be removed."""
    for path in paths:
        if path.name not in but:
            durable.check_fences(path)
            with suppress(OSError):
                path.unlink()


def remove_after(directory: Path, step: int) -> None:
    """Remove the checkpoints of later steps, if there is a checkpoint of this step or an earlier one.

    A folder with the name of a checkpoint stays: lossrun did not write it, and no reader takes it for a checkpoint.

    Raises:
        RunError: If a file cannot be removed, because a checkpoint of discarded steps must not stay.
    """
    found = candidates(directory)
    if any(step_of(path) <= step for path in found):
        for path in found:
            if step_of(path) > step and (path.is_symlink() or not path.is_dir()):
                durable.check_fences(path)
                with durable.refusals_of_the_disk(path):
                    path.unlink(missing_ok=True)


def best_file(directory: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> tuple[Path, bytes]:
    """Return the path and the content of a file with only weights, `best-<first 16 hex digits>.safetensors`."""
    data = to_bytes(Checkpoint(dict(tensors), dict(metadata)))
    return directory / f"best-{_digest(data)}.safetensors", data


def load_newest(
    directory: Path,
    *,
    history_length: int,
    on_skip: Callable[[Path, str], None],
    problem: Callable[[Mapping[str, Any]], str] = lambda metadata: "",
) -> tuple[Path, Checkpoint]:
    """Return the newest checkpoint that can be trusted.

    Args:
        history_length: The length of the history in bytes; a checkpoint with a longer history belongs to lost rows.
        on_skip: Called with the path and the reason for every newer checkpoint that cannot be trusted.
        problem: Returns why a checkpoint with this metadata cannot be used, or "".

    Raises:
        CheckpointError: If no checkpoint can be trusted, with the reason for each.
    """
    skipped: list[str] = []
    for path in candidates(directory):
        try:
            found = read(path)
            if found.metadata["history_length"] > history_length:
                raise CheckpointError(f"{path.name}: history.jsonl is shorter than when this checkpoint was saved")
            if (step := found.metadata["step"]) != step_of(path):
                raise CheckpointError(f"{path.name}: it was renamed: it holds the state of step {step}")
            if why := problem(found.metadata):
                raise CheckpointError(f"{path.name}: {why}")
            return path, found
        except CheckpointError as error:
            on_skip(path, str(error))
            skipped.append(f"\n    {error}")
    if not skipped:
        raise CheckpointError(f"{directory} has no checkpoint, so there is no state to resume from; train again")
    raise CheckpointError(
        f"no readable checkpoint in {directory}; restore one from a copy, or train again:{''.join(skipped)}"
    )


def read(path: Path) -> Checkpoint:
    """Return the checkpoint or weights in `path`, with writable arrays.

    Raises:
        CheckpointError: If it cannot be trusted.
    """
    read_header(path)  # so that nothing larger than it says is read
    return from_bytes(_verified_bytes(path), path)


def from_bytes(data: bytes, path: Path) -> Checkpoint:
    """Return the checkpoint in bytes that `to_bytes` made, with writable arrays. `path`: the file of the bytes.

    Raises:
        CheckpointError: If the bytes are not a checkpoint.
    """
    header = header_in(path, data, len(data))
    try:
        with _memory_for(2 * len(data)):
            arrays = safetensors.numpy.load(data)
    except (SafetensorError, KeyError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path.name}: not a safetensors file ({error})") from error
    if problem := _difference(header.metadata, arrays):
        raise CheckpointError(f"{path.name}: damaged: {problem}")
    return Checkpoint(
        {name: array if array.flags.writeable else array.copy() for name, array in arrays.items()}, header.metadata
    )


def to_bytes(checkpoint: Checkpoint) -> bytes:
    """Return the content of a checkpoint's file."""
    # safetensors copies the memory as it is, so a transposed array would be scrambled without an error.
    # `asarray`, because `ascontiguousarray` turns a 0-d array into a 1-d one.
    contiguous = {name: np.asarray(array, order="C") for name, array in checkpoint.tensors.items()}
    metadata = {"format_version": FORMAT_VERSION, **checkpoint.metadata}
    if metadata["format_version"] == FORMAT_VERSION:
        metadata.setdefault("tensors", _listed(contiguous))
    text = strict_json.dumps(metadata)
    with _memory_for(2 * sum(array.nbytes for array in contiguous.values())):
        return bytes(safetensors.numpy.save(contiguous, metadata={METADATA_KEY: text}))


def _listed(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: f"{_name_of(array.dtype)} {list(array.shape)}" for name, array in sorted(arrays.items())}


_name_of: Final = cache(str)  # of a type: numpy puts it together again each time, which takes longer than all the rest


def _difference(metadata: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Name a tensor that differs from what was saved; "" if none does, or if an older version listed no tensors."""
    recorded, found = metadata.get("tensors"), _listed(arrays)
    if recorded is None or recorded == found:
        return ""
    name = next(name for name in (*recorded, *found) if recorded.get(name) != found.get(name))
    return f"tensor {name} is {found.get(name, 'missing')}, but {recorded.get(name, 'none')} was saved"


@contextmanager
def _memory_for(count: int) -> Iterator[None]:
    """Raise MemoryError if that many bytes cannot be allocated; safetensors would end the process or panic."""
    np.empty(count, np.uint8)
    try:
        yield
    except BaseException as error:
        # A panic is neither a Python Exception nor an error of safetensors.
        if type(error).__name__ == "PanicException":
            raise MemoryError(str(error)) from error
        raise


def _bytes(path: Path) -> bytes:
    try:
        return read_regular(path, LARGE)
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read ({error.strerror or error})") from error


def _verified_bytes(path: Path) -> bytes:
    data = _bytes(path)
    check_digest(path.name, data)
    return data


def check_digest(name: str, data: bytes) -> None:
    """Raise CheckpointError where a file of this name must have another content: its name says the digest."""
    match = NAME.fullmatch(name) or BEST_NAME.fullmatch(name)
    if match and match["digest"] != (found := _digest(data)):
        raise CheckpointError(f"{name}: damaged: its content has the digest {found}")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
