"""New samples for a trained model, read as the run's own data were and held to the same form.

What training made of the data (which words a column holds, the mean of a column) is found out anew from them: their
hash says that they are the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.npyio import NpzFile

from lossrun.catalog import nearest
from lossrun.config import Choice
from lossrun.data import Data
from lossrun.data.archive import UNREADABLE
from lossrun.data.csv_file import as_names, read_csv
from lossrun.data.idx import read_idx
from lossrun.data.inputs import as_array, as_float32, as_inputs
from lossrun.data.table import Table, read_table
from lossrun.errors import DataError, UsageError

TABLES: Final = (".csv", ".tsv", ".txt")
SHOWN: Final = 8  # names in a message


def read_new_inputs(path: Path, data: Data, dataset: Choice, config_dir: Path) -> np.ndarray:
    """The inputs (N, *input_shape) in original units: float32, or uint8 for a run on pixels.

    path: a table (.csv, .tsv, .txt), an archive (.npz), or IDX, gzipped or not. Of a run on a csv file the columns go
    by their names, and others are ignored; else a table has just the inputs, in order. Of an archive the arrays go by
    the names in the run's own, or the single one there is, or "inputs".

    Raises UsageError for another kind of file; DataError, naming the place, for what is missing or was never seen in
    training.
    """
    if not path.is_file():
        raise DataError(f"--input {path}: there is no such file")
    if path.suffix.lower() in TABLES:
        return _of_kind(_from_table(path, data, dataset, config_dir), data, str(path), is_table=True)
    if path.suffix.lower() == ".npz":
        return _joined(_from_archive(path, _array_names(dataset, config_dir)), data, str(path))
    if path.suffix in (".gz", ".idx") or path.name.endswith("ubyte"):
        return new_inputs(read_idx(path), data, str(path))
    raise UsageError(f"--input {path}: expected a table ({', '.join(TABLES)}), an archive (.npz) or IDX (.idx, .gz)")


def new_inputs(array: Any, data: Data, where: str) -> np.ndarray:
    """The same from an array, or what makes one: samples in original units, a row each."""
    return _joined((array,), data, where)


def _joined(arrays: Sequence[Any], data: Data, where: str) -> np.ndarray:
    """Arrays joined as columns."""
    blocks = [as_inputs(as_array(array, where), where) for array in arrays]
    if len(blocks) > 1 and any(block.ndim != 2 for block in blocks):
        raise DataError(f"{where}: images cannot be joined with other arrays; expected one array")
    return _of_kind(np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0], data, where)


def _of_kind(inputs: np.ndarray, data: Data, where: str, *, is_table: bool = False) -> np.ndarray:
    """Raises DataError unless shape and kind are those that the run was trained on."""
    if inputs.shape[1:] != data.input_shape:
        raise DataError(
            f"{where}: samples of shape {inputs.shape[1:]}; the model was trained on such of shape {data.input_shape}"
        )
    pixels, given = data.train.inputs.dtype == np.uint8, inputs.dtype == np.uint8
    if pixels and is_table and np.isin(inputs, np.arange(256)).all():
        return inputs.astype(np.uint8)
    if pixels and not given:
        raise DataError(
            f"{where}: {inputs.dtype} numbers; the model was trained on pixels, bytes from 0 to 255, and scales them "
            "itself; expected uint8"
        )
    if given and not pixels and inputs.ndim == 4:
        raise DataError(
            f"{where}: pixels of uint8; the model was trained on images of other numbers, "
            f"{data.train.inputs.min():g} to {data.train.inputs.max():g}; expected such, as float32"
        )
    return inputs if pixels else as_float32(inputs)


def _from_table(path: Path, data: Data, dataset: Choice, config_dir: Path) -> np.ndarray:
    if len(data.input_shape) != 1:
        raise DataError(f"{path}: a table; the model was trained on images {data.input_shape}: expected .npz or IDX")
    if dataset.name == "csv":
        return _from_columns(path, data, dataset, config_dir)
    table = _table(path, "\t" if path.suffix == ".tsv" else ",")
    wanted = data.input_shape[0]
    if len(table.columns) != wanted:
        raise DataError(
            f"{path}: {len(table.columns)} columns; expected the {wanted} inputs alone, in their order, as the run's "
            "dataset names none"
        )
    return np.stack([_numbers(table, name, fill=None) for name in table.columns], axis=1)


def _from_columns(path: Path, data: Data, dataset: Choice, config_dir: Path) -> np.ndarray:
    own = read_table(config_dir / dataset["path"], dataset["delimiter"])
    source = read_csv(dataset.parameters, config_dir)
    left_out = (*as_names(dataset["target"]), *as_names(dataset["drop"]))
    names = as_names(dataset["inputs"]) or [name for name in own.columns if name not in left_out]
    table = _table(path, "\t" if path.suffix == ".tsv" else dataset["delimiter"])
    if missing := [name for name in names if name not in table.columns]:
        near = nearest(missing[0], list(table.columns))
        hint = f"; did you mean its {near}?" if near else ""
        raise DataError(f"{path}: no column {', '.join(missing)}; the model wants {', '.join(names)}{hint}")
    means: np.ndarray = np.full(len(source.columns), np.nan, np.float32)
    if source.fill_missing:
        rows = np.searchsorted(source.train.ids, data.train.ids)
        means = np.asarray(np.nanmean(source.train.inputs[rows], axis=0, dtype=np.float64), np.float32)
    blocks: list[np.ndarray] = []
    place = 0
    for name in names:
        if own.is_words(name):
            start, end = f"{name}=", place
            while end < len(source.columns) and source.columns[end].startswith(start):
                end += 1
            blocks.append(_one_hot(table, name, [column.removeprefix(start) for column in source.columns[place:end]]))
        else:
            end = place + 1
            fill = float(means[place]) if source.fill_missing else None
            blocks.append(_numbers(table, name, fill)[:, np.newaxis])
        place = end
    return np.concatenate(blocks, axis=1)


def _table(path: Path, delimiter: str) -> Table:
    """As `read_table`, but a single column is no sign of a wrong delimiter: a model may have one input."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return read_table(path, delimiter)
    if any(sign in line for line in lines for sign in (delimiter, '"', "\t")):
        return read_table(path, delimiter)
    said = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if len(said) < 2:
        return read_table(path, delimiter)
    return Table(path, {said[0][1]: [cell for _, cell in said[1:]]}, [number for number, _ in said[1:]])


def _numbers(table: Table, name: str, fill: float | None) -> np.ndarray:
    """float32 (N,), what is missing filled; raises DataError with the place where there is nothing to fill it with."""
    empty = table.is_missing(name)
    if fill is None and empty.any():
        row = int(empty.argmax())
        raise DataError(
            f"{table.place(row, name)}: {table.columns[name][row] or 'empty'}; expected a number, as in training (a "
            "run with missing: mean fills such cells)"
        )
    numbers = as_float32(table.numbers(name))
    return numbers if fill is None else np.where(empty, fill, numbers)


def _one_hot(table: Table, name: str, categories: Sequence[str]) -> np.ndarray:
    """float32 (N, categories) of 0 and 1. Raises DataError for the first word that training had none of."""
    known = {category: place for place, category in enumerate(categories)}
    cells = table.columns[name]
    for row, cell in enumerate(cells):
        if cell not in known:
            some = ", ".join(categories[:SHOWN]) + ", ..." * (len(categories) > SHOWN)
            raise DataError(f"{table.place(row, name)}: {cell!r} was never seen in training; expected one of {some}")
    return np.eye(len(categories), dtype=np.float32)[[known[cell] for cell in cells]]


def _array_names(dataset: Choice, config_dir: Path) -> list[str]:
    """What the run's own archive calls the inputs."""
    if dataset.name != "npz":
        return ["inputs"]
    if named := as_names(dataset["inputs"]):
        return named
    with np.load(config_dir / dataset["path"], allow_pickle=False) as archive:
        return [name for name in archive.files if name not in as_names(dataset["target"])]


def _from_archive(path: Path, names: Sequence[str]) -> tuple[np.ndarray, ...]:
    """The arrays of these names, or the only one there is."""
    try:
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            there = archive.files if isinstance(archive, NpzFile) else []
            single = len(there) == len(names) == 1
            if not single and not set(names) <= set(there):
                raise DataError(
                    f"{path}: expected {'arrays' if len(names) > 1 else 'an array'} {', '.join(names)}; there is "
                    f"{', '.join(there) or 'a single array (.npy); save it with numpy.savez'}"
                )
            return tuple(archive[name] for name in (there if single else names))
    except UNREADABLE as error:
        raise DataError(f"{path}: no numpy archive, or damaged; expected what numpy.savez writes") from error
