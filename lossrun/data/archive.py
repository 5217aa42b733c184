"""The dataset `npz`: arrays in a numpy archive. Nothing in it is ever unpickled."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from lossrun.data.csv_file import as_names, check_names
from lossrun.data.dataset import Part, Scaling, Source
from lossrun.data.inputs import as_inputs
from lossrun.data.targets import encode
from lossrun.errors import DataError


def read_npz(parameters: Mapping[str, Any], config_dir: Path) -> Source:
    """The arrays `inputs` (left out: all others; several are joined as columns) and `target` of the file at `path`.

    Inputs (N,), (N, D), (N, H, W), (N, C, H, W) or (N, H, W, C); uint8 ones are pixels. Raises DataError for whatever
    does not fit.
    """
    path = config_dir / parameters["path"]
    arrays = _read_archive(path)
    targets, inputs = as_names(parameters["target"]), as_names(parameters["inputs"])
    for key, names in (("target", targets), ("inputs", inputs)):
        check_names(names, list(arrays), key, str(path))
    inputs = inputs or [name for name in arrays if name not in targets]
    if not inputs or not targets:
        raise DataError(f"{path}: no {'input' if targets else 'target'} arrays left among {', '.join(arrays)}")
    overlap = [name for name in inputs if name in targets]
    if overlap:
        raise DataError(f"dataset.inputs: {overlap[0]} is the target; take it out of one of the two")
    lengths = {name: len(arrays[name]) if arrays[name].ndim else 0 for name in (*inputs, *targets)}
    if len(set(lengths.values())) > 1 or not min(lengths.values()):
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in lengths)
        raise DataError(f"{path}: arrays of different lengths or none: {shapes}; name the right ones with inputs")
    encoded = encode(_columns(path, arrays, targets), parameters["task"], f"{path}, target {', '.join(targets)}")
    x = _joined(path, arrays, inputs)
    return Source(
        task=encoded.task,
        train=Part(x, encoded.targets, np.arange(len(x))),
        target_size=encoded.size,
        classes=encoded.classes,
        input_scaling=Scaling.divide_by(255.0) if x.dtype == np.uint8 else None,
        notes=encoded.notes,
    )


def _read_archive(path: Path) -> dict[str, np.ndarray]:
    try:
        # Opened here: given a path, np.load leaves the file open where it finds a damaged archive.
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path}: a single array (.npy); expected an archive, as numpy.savez writes it")
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(
            f"{path}: cannot be read as a numpy archive: {error}; expected what numpy.savez writes, without objects"
        ) from error


def _joined(path: Path, arrays: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray:
    blocks = [as_inputs(arrays[name], f"{path}, {name}") for name in names]
    if len(blocks) == 1:
        return blocks[0]
    images = [name for name, block in zip(names, blocks, strict=True) if block.ndim == 4]
    if images:
        raise DataError(f"{path}: {images[0]} holds images and cannot be joined with others; name one array in inputs")
    return np.concatenate(blocks, axis=1)


def _columns(path: Path, arrays: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray:
    if len(names) == 1:
        return arrays[names[0]]
    deep = [name for name in names if arrays[name].ndim != 1]
    if deep:
        raise DataError(f"{path}: {deep[0]} has the shape {arrays[deep[0]].shape}; several targets must be (N,) each")
    return np.stack([arrays[name] for name in names], axis=1)
