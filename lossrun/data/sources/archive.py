"""Read the dataset `npz`: arrays in a numpy archive. Nothing is ever unpickled."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.samples.dataset import Part, Scaling, SplitColumn, UnsplitData
from lossrun.data.samples.sample_weights import as_weights
from lossrun.data.samples.scaling import lost_notes
from lossrun.data.samples.targets import encode
from lossrun.data.samples.task import ANY_LOSS, LossTasks
from lossrun.data.sources.array_names import ArrayNames, chosen_arrays, unread_note, weights_as_inputs_note
from lossrun.data.sources.npz_file import opened, read_arrays
from lossrun.data.sources.separate_parts import part_files
from lossrun.data.tables.columns import check_names
from lossrun.data.tables.inputs import as_inputs, indexed, significant_bits
from lossrun.data.tables.table_inputs import Layout
from lossrun.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The arrays of one part, and where they come from; `known` are the names of all arrays of the archive."""

    path: Path
    names: ArrayNames
    arrays: Mapping[str, np.ndarray]
    known: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.arrays[self.names.inputs[0]])

    def target_cell(self, index: tuple[int, ...]) -> str:
        targets = self.names.targets
        if len(targets) == 1:
            return indexed(f"{self.path}: {targets[0]}")(index)
        names = [targets[index[1]]] if len(index) > 1 else targets
        return indexed(f"{self.path}: {', '.join(names)}")(index[:1])


def read_npz(
    parameters: Mapping[str, Any],
    config_dir: Path,
    ignored: str | float | None = None,
    loss: LossTasks = ANY_LOSS,
) -> UnsplitData:
    """Read arrays of the file at `path`, or of a split that names files.

    These are `inputs` (by default all others; several are joined as columns), `target` and `weight`, or x_train,
    y_train, x_test and so on, as Keras names them. Other arrays are not read, and a note names them. Inputs have shape
    (N,), (N, D), (N, H, W), (N, C, H, W) or (N, H, W, C); uint8 means pixels.

    Args:
        ignored, loss: See `targets.encode`.

    Raises:
        DataError: For anything that does not fit.
    """
    blocks = _blocks(parameters, config_dir)
    for block in blocks.values():
        _check_lengths(block)
    train = blocks["train"]
    inputs = {part: _joined(block.path, block.arrays, list(block.names.inputs)) for part, block in blocks.items()}
    raw = {part: _columns(block.path, block.arrays, list(block.names.targets)) for part, block in blocks.items()}
    for part in blocks:
        _check_alike(blocks[part], "inputs", inputs[part], inputs["train"])
        _check_alike(blocks[part], "targets", raw[part], raw["train"])
    ends = np.cumsum([len(array) for array in raw.values()])

    def cell(index: tuple[int, ...]) -> str:
        place = int(np.searchsorted(ends, index[0], side="right"))
        block = list(blocks.values())[place]
        return block.target_cell((index[0] - (int(ends[place - 1]) if place else 0), *index[1:]))

    where = f"dataset.target: {', '.join(train.names.targets)} of {train.path}"
    encoded = encode(
        np.concatenate(list(raw.values())), parameters["task"], where, cell=cell, ignored=ignored, loss=loss
    )
    parts = {
        part: Part(inputs[part], targets, np.arange(len(targets)), _weights(blocks[part]))
        for part, targets in zip(blocks, np.split(encoded.targets, ends[:-1]), strict=True)
    }
    return encoded.samples(
        parts,
        weighted_by=f"array {train.names.weights[0]}" if train.names.weights else "",
        input_scaling=Scaling.divide_by(255.0) if inputs["train"].dtype == np.uint8 else None,
        layout=Layout(arrays=train.names.inputs, targets=train.names.targets),
        given=_split_array(parameters, train) if train.names.splits else None,
        notes=(
            *_unread_notes(blocks, named=parameters["inputs"] is not None),
            *_lost(train, encoded.task),
        ),
        done=_held_out(blocks),
    )


def _held_out(blocks: Mapping[str, _Block]) -> tuple[str, ...]:
    """Return a line for each held-out part that the archive has."""
    train = blocks["train"]
    return tuple(
        f"{part}: {', '.join(block.names.all)} of {block.path.name}"
        for part, block in blocks.items()
        if part != "train" and block.path == train.path
    )


def _unread_notes(blocks: Mapping[str, _Block], *, named: bool) -> list[str]:
    """Return notes about unread arrays, and about weights that are read as inputs because these are not `named`."""
    notes = []
    for path in dict.fromkeys(block.path for block in blocks.values()):
        there = [block for block in blocks.values() if block.path == path]
        notes.append(unread_note(there[0].known, {name for block in there for name in block.names.all}, path.name))
    train = blocks["train"]
    if not named and not train.names.weights:
        notes.append(weights_as_inputs_note(train.names.inputs, train.path.name))
    return [note for note in notes if note]


def _lost(block: _Block, task: Task) -> Iterator[str]:
    """Yield notes about numbers that came with too little precision."""
    regression = block.names.targets if task == "regression" else ()
    for what, names in (("inputs", block.names.inputs), ("targets", regression)):
        for name in names:
            array = block.arrays[name]
            for note in lost_notes(array, significant_bits(array), what=what):
                yield f"{name}: {note}"


def _blocks(parameters: Mapping[str, Any], config_dir: Path) -> dict[str, _Block]:
    """Return the arrays of every part that the files hold."""
    files = part_files(parameters, config_dir)
    path, split = files["train"], parameters["split"] or {}
    with opened(path) as archive:
        names = chosen_arrays(archive.files, parameters, str(path))
        if split and len(names) > 1:
            held_out = ", ".join(one.inputs[0] for part, one in names.items() if part != "train")
            raise DataError(
                f"dataset.split: {path} already holds a split ({held_out}); remove dataset.split, or name the arrays "
                "with target and inputs"
            )
        arrays = read_arrays(path, archive, dict.fromkeys(name for one in names.values() for name in one.all))
        blocks = {
            part: _Block(path, one, {name: arrays[name] for name in one.all}, tuple(archive.files))
            for part, one in names.items()
        }
    train = names["train"]
    for part in ("validation", "test"):
        if part in files:
            other = files[part]
            with opened(other, f"split.{part}") as archive:
                for key, wanted in (("target", train.targets), ("inputs", train.inputs), ("weight", train.weights)):
                    check_names(wanted, archive.files, key, str(other))
                same = ArrayNames(train.inputs, train.targets, weights=train.weights)
                blocks[part] = _Block(other, same, read_arrays(other, archive, same.all), tuple(archive.files))
    return blocks


def _weights(block: _Block) -> np.ndarray | None:
    if not block.names.weights:
        return None
    name = block.names.weights[0]
    where = f"{block.path}: {name}"
    return as_weights(block.arrays[name], where, len(block), lambda row: indexed(where)((row,)))


def _check_lengths(block: _Block) -> None:
    arrays = block.arrays
    lengths = {name: len(arrays[name]) if arrays[name].ndim else 0 for name in block.names.all}
    if len(set(lengths.values())) > 1 or not min(lengths.values()):
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in lengths)
        raise DataError(
            f"{block.path}: arrays of different lengths, or without rows: {shapes}; expected one row of each for every "
            "sample (choose the arrays with target and inputs)"
        )


def _check_alike(block: _Block, what: str, array: np.ndarray, first: np.ndarray) -> None:
    """Raise DataError if the samples of a part have another type or shape than those of the training part."""
    kinds = [one.dtype == np.uint8 if what == "inputs" else one.dtype.kind == "U" for one in (array, first)]
    if array.shape[1:] != first.shape[1:] or kinds[0] != kinds[1]:
        names = ", ".join(block.names.inputs if what == "inputs" else block.names.targets)
        raise DataError(
            f"{block.path}: {names}: {array.dtype} samples of shape {array.shape[1:]}, but those of the training part "
            f"are {first.dtype} of shape {first.shape[1:]}; expected the parts to be alike"
        )


def _split_array(parameters: Mapping[str, Any], block: _Block) -> SplitColumn:
    """Return the array that decides the split. Raises DataError if it does not hold one value per sample."""
    name = block.names.splits[0]
    way = next(way for way in ("column", "groups", "order") if parameters["split"][way] is not None)
    values = block.arrays[name]
    if values.ndim != 1 or values.dtype.kind not in "biufUM":
        raise DataError(
            f"dataset.split.{way}: {name} of {block.path} holds {values.dtype} of shape {values.shape}; expected one "
            "number or word for each sample"
        )
    place = indexed(f"{block.path}: {name}")
    missing = _without_value(values)
    if missing.any():
        row = int(missing.argmax())
        raise DataError(f"{place((row,))}: {values[row]!s}; the split needs a value for each sample")
    if values.dtype.kind == "M":
        values = values.astype(np.int64)  # in its own unit: nanoseconds would be equal in any other
    return SplitColumn(way, name, values, lambda row: place((row,)))


def _without_value(values: np.ndarray) -> np.ndarray:
    """Return which values are missing, bool, (N,): NaN, infinity, not a time, or an empty word."""
    tests: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "f": lambda numbers: ~np.isfinite(numbers),
        "M": np.isnat,
        "U": lambda words: np.char.strip(words) == "",
    }
    test = tests.get(values.dtype.kind)
    return test(values) if test else np.zeros(len(values), bool)


def _joined(path: Path, arrays: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray:
    blocks = [as_inputs(arrays[name], f"{path}: {name}") for name in names]
    if len(blocks) == 1:
        return blocks[0]
    images = [name for name, block in zip(names, blocks, strict=True) if block.ndim == 4]
    if images:
        raise DataError(
            f"dataset.inputs: {images[0]} of {path} holds images, which cannot be joined with other arrays; name only "
            "one array"
        )
    return np.concatenate(blocks, axis=1)


def _columns(path: Path, arrays: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray:
    if len(names) == 1:
        return arrays[names[0]]
    deep = [name for name in names if arrays[name].ndim != 1]
    if deep:
        raise DataError(
            f"dataset.target: {deep[0]} of {path} has the shape {arrays[deep[0]].shape}; several targets must have the "
            "shape (N,) each"
        )
    return np.stack([arrays[name] for name in names], axis=1)
