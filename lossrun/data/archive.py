"""The dataset `npz`: arrays in a numpy archive. Nothing in it is ever unpickled."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile

from lossrun.data.csv_file import as_names, check_names
from lossrun.data.dataset import Part, Scaling, Source
from lossrun.data.inputs import as_inputs, indexed
from lossrun.data.targets import encode
from lossrun.errors import DataError

# What numpy and zipfile raise for objects, damage, encryption and unknown compression.
UNREADABLE: Final = (OSError, ValueError, EOFError, RuntimeError, BadZipFile, zlib.error)


def read_npz(parameters: Mapping[str, Any], config_dir: Path) -> Source:
    """The arrays `inputs` (left out: all others; several are joined as columns) and `target` of the file at `path`.

    Only these are read. Inputs (N,), (N, D), (N, H, W), (N, C, H, W) or (N, H, W, C); uint8 ones are pixels. Raises
    DataError for whatever does not fit.
    """
    path = config_dir / parameters["path"]
    with _opened(path) as archive:
        targets, inputs = _chosen(path, archive.files, parameters)
        arrays = {name: _read_array(path, archive, name) for name in (*targets, *inputs)}
    lengths = {name: len(arrays[name]) if arrays[name].ndim else 0 for name in (*inputs, *targets)}
    if len(set(lengths.values())) > 1 or not min(lengths.values()):
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in lengths)
        raise DataError(
            f"{path}: arrays of different lengths or none: {shapes}; expected one row of each for every sample (name "
            "the right ones with target and inputs)"
        )

    def cell(index: tuple[int, ...]) -> str:
        if len(targets) == 1:
            return indexed(f"{path}: {targets[0]}")(index)
        names = [targets[index[1]]] if len(index) > 1 else targets
        return indexed(f"{path}: {', '.join(names)}")(index[:1])

    where = f"dataset.target: {', '.join(targets)} of {path}"
    encoded = encode(_columns(path, arrays, targets), parameters["task"], where, cell=cell)
    x = _joined(path, arrays, inputs)
    return Source(
        task=encoded.task,
        train=Part(x, encoded.targets, np.arange(len(x))),
        target_size=encoded.size,
        classes=encoded.classes,
        input_scaling=Scaling.divide_by(255.0) if x.dtype == np.uint8 else None,
        notes=encoded.notes,
    )


@contextmanager
def _opened(path: Path) -> Iterator[NpzFile]:
    try:
        # Opened here: given a path, np.load leaves the file open where it finds a damaged archive.
        stream = path.open("rb")
    except OSError as error:
        raise DataError(
            f"dataset.path: {path} cannot be read: {error.strerror}; the path is relative to the config"
        ) from error
    with stream:
        try:
            archive = np.load(stream, allow_pickle=False)
        except UNREADABLE as error:
            raise DataError(f"{path}: not a numpy archive, or damaged; expected what numpy.savez writes") from error
        if not isinstance(archive, NpzFile):
            raise DataError(f"{path}: a single array (.npy); expected an archive, as numpy.savez writes it")
        with archive:
            yield archive


def _chosen(path: Path, known: list[str], parameters: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the target and of the input arrays."""
    targets, inputs = as_names(parameters["target"]), as_names(parameters["inputs"])
    for key, names in (("target", targets), ("inputs", inputs)):
        check_names(names, known, key, str(path))
    inputs = inputs or [name for name in known if name not in targets]
    if not targets:
        raise DataError(f"dataset.target: names no array of {path}; there are: {', '.join(known)}")
    if not inputs:
        raise DataError(f"dataset.inputs: target takes every array of {path}; leave at least one")
    overlap = [name for name in inputs if name in targets]
    if overlap:
        raise DataError(f"dataset.inputs: {overlap[0]} is the target; take it out of one of the two")
    return targets, inputs


def _read_array(path: Path, archive: NpzFile, name: str) -> np.ndarray:
    try:
        array = archive[name]
    except UNREADABLE as error:
        raise DataError(_unreadable(path, name)) from error
    # A member of the zip file that is not in numpy's format comes as its bytes.
    if not isinstance(array, np.ndarray):
        raise DataError(_unreadable(path, name))
    return array


def _unreadable(path: Path, name: str) -> str:
    return (
        f"{path}: {name} is no array, holds Python objects or is damaged; expected numbers or words. "
        "Save it as such, or leave it alone by naming the arrays to read: inputs: [...]"
    )


def _joined(path: Path, arrays: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray:
    blocks = [as_inputs(arrays[name], f"{path}: {name}") for name in names]
    if len(blocks) == 1:
        return blocks[0]
    images = [name for name, block in zip(names, blocks, strict=True) if block.ndim == 4]
    if images:
        raise DataError(
            f"dataset.inputs: {images[0]} of {path} holds images and cannot be joined with others; name one array"
        )
    return np.concatenate(blocks, axis=1)


def _columns(path: Path, arrays: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray:
    if len(names) == 1:
        return arrays[names[0]]
    deep = [name for name in names if arrays[name].ndim != 1]
    if deep:
        raise DataError(
            f"dataset.target: {deep[0]} of {path} has the shape {arrays[deep[0]].shape}; several must be (N,) each"
        )
    return np.stack([arrays[name] for name in names], axis=1)
