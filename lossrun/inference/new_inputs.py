"""Read new samples for a trained model, and prepare them like the data of its run."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile

from lossrun.data.samples.preparation import Preparation
from lossrun.data.sources.idx import read_idx
from lossrun.data.sources.npz_file import member_of, zip_of
from lossrun.data.tables.inputs import as_array, as_float32, as_inputs
from lossrun.data.tables.table import Table
from lossrun.data.tables.table_file import TABLES, read_table
from lossrun.data.tables.table_inputs import InputColumn, read_inputs
from lossrun.errors import DataError, UsageError
from lossrun.files import open_regular
from lossrun.nearby import nearby, nearest
from lossrun.npz import UNREADABLE, array_of, check_sizes


def read_new_inputs(path: Path, form: Preparation, header: bool | None = None) -> np.ndarray:
    """Read inputs, (N, *input_shape), in original units: uint8 for a run on pixels, otherwise float32 or float64.

    For a run on a csv file, the columns of a table are found by name, and further columns are ignored; without a header
    they are found by their places, in the whole training table or among the inputs. For other runs a table has exactly
    the inputs, in order. The arrays of an archive have the names of the run's own archive, or "inputs", or there is
    only one.

    Args:
        path: A table (.csv, .tsv, .txt), an archive (.npz), or IDX, gzipped or not.
        form: What training knew about its data.
        header: Whether the first line of a table names its columns; None for the same as in the training table.

    Raises:
        UsageError: For another kind of file.
        DataError: For what is missing or did not occur in training, with its place.
    """
    if not path.exists():
        near = nearby(path, (*TABLES, ".npz", ".idx", ".gz"), "input file")
        raise DataError(f"--input {path}: there is no such file{near}")
    if path.suffix.lower() in TABLES:
        has_names = form.header if header is None else header
        return _of_kind(_from_table(path, form, header=has_names), form, str(path), is_table=True)
    if path.suffix.lower() == ".npz":
        return _joined(_from_archive(path, form.arrays or ("inputs",)), form, str(path))
    if path.suffix in (".gz", ".idx") or path.name.endswith("ubyte"):
        return new_inputs(read_idx(path), form, str(path))
    raise UsageError(f"--input {path}: expected a table ({', '.join(TABLES)}), an archive (.npz) or IDX (.idx, .gz)")


def new_inputs(array: Any, form: Preparation, where: str) -> np.ndarray:
    """Return inputs from an array, or what can be converted to one: a row for each sample, in original units."""
    return _joined((array,), form, where)


def _joined(arrays: Sequence[Any], form: Preparation, where: str) -> np.ndarray:
    """Return arrays joined as columns."""
    blocks = [as_inputs(as_array(array, where), where) for array in arrays]
    if len(blocks) > 1 and any(block.ndim != 2 for block in blocks):
        raise DataError(f"{where}: images cannot be joined with other arrays; expected one array")
    return _of_kind(np.concatenate(blocks, axis=1) if len(blocks) > 1 else blocks[0], form, where)


def _of_kind(inputs: np.ndarray, form: Preparation, where: str, *, is_table: bool = False) -> np.ndarray:
    """Return the inputs as numbers or pixels, as in training. Raises DataError for another shape or kind."""
    if inputs.shape[1:] != form.input_shape:
        raise DataError(
            f"{where}: samples of shape {inputs.shape[1:]}; the model was trained on samples of shape "
            f"{form.input_shape}"
        )
    pixels, given = form.dtype == "uint8", inputs.dtype == np.uint8
    if pixels and is_table and np.isin(inputs, np.arange(256)).all():
        return inputs.astype(np.uint8)
    if pixels and not given:
        raise DataError(
            f"{where}: {inputs.dtype} numbers; the model was trained on pixels, bytes from 0 to 255, and scales them "
            "itself; expected uint8"
        )
    if given and not pixels and inputs.ndim == 4:
        raise DataError(
            f"{where}: uint8 pixels; the model was trained on images with values from {form.reach[0]:g} to "
            f"{form.reach[1]:g}; expected such values, as float32"
        )
    return inputs if pixels or not given else as_float32(inputs)


def _from_table(path: Path, form: Preparation, *, header: bool) -> np.ndarray:
    if len(form.input_shape) != 1:
        raise DataError(f"{path}: a table; the model was trained on images {form.input_shape}: expected .npz or IDX")
    if form.columns:
        return _from_columns(path, form, header=header)
    table = _table(path, ",", form, header=header)
    wanted = form.input_shape[0]
    if len(table.columns) != wanted:
        raise DataError(
            f"{path}: {len(table.columns)} columns; expected only the {wanted} inputs, in their order, because the "
            "run's dataset has no column names"
        )
    return read_inputs(table, [InputColumn(name) for name in table.columns])


def _from_columns(path: Path, form: Preparation, *, header: bool) -> np.ndarray:
    table = _table(path, form.delimiter, form, header=header)
    if not (header and form.header):
        return form.inputs_of(_named_by_place(table, form))
    names = [column.name for column in form.columns]
    if missing := [name for name in names if name not in table.columns]:
        near = nearest(missing[0], list(table.columns))
        hint = f"; did you mean its {near}?" if near else ""
        raise DataError(f"{path}: no column {', '.join(missing)}; the model needs {', '.join(names)}{hint}")
    return form.inputs_of(table)


def _named_by_place(table: Table, form: Preparation) -> Table:
    """Return the table with the training table's names of columns, if either table has no header."""
    names, cells = [column.name for column in form.columns], list(table.columns.values())
    expected = f"the {len(names)} inputs alone, in this order: {', '.join(names)}"
    if not form.header:
        # x1, x2, ...: the places in the training table.
        place = {name: int(name.removeprefix("x")) for name in (*names, *form.targets)}
        names.sort(key=lambda name: place[name])
        width, last = form.width or max(place.values()), place[names[-1]]
        is_whole = len(cells) == width or (not form.width and len(cells) > width)
        # Only columns after the inputs are missing, such as the targets, so the places have not changed.
        if is_whole or last <= len(cells) < min(place[name] for name in form.targets):
            return replace(table, columns={name: cells[place[name] - 1] for name in names})
        expected = f"the {width} columns of the training table, or the inputs alone: {', '.join(names)}"
    if len(cells) != len(names):
        raise DataError(f"{table.path}: {len(cells)} columns, which are read by place; expected {expected}")
    return replace(table, columns=dict(zip(names, cells, strict=True)))


def _table(path: Path, delimiter: str, form: Preparation, *, header: bool) -> Table:
    return read_table(
        path,
        "\t" if path.suffix == ".tsv" else delimiter,
        form.form,
        header=header,
        key="input",
        may_be_one_column=True,
    )


def _from_archive(path: Path, names: Sequence[str]) -> tuple[np.ndarray, ...]:
    """Return the arrays with these names, or the only array of the archive."""
    try:
        with open_regular(path) as stream:
            archive = np.load(stream, allow_pickle=False)
            there = archive.files if isinstance(archive, NpzFile) else []
            single = len(there) == len(names) == 1
            if not single and not set(names) <= set(there):
                raise DataError(
                    f"{path}: expected {'arrays' if len(names) > 1 else 'an array'} {', '.join(names)}; there is "
                    f"{', '.join(there) or 'a single array (.npy); save it with numpy.savez'}"
                )
            chosen = there if single else names
            check_sizes(zip_of(archive), [member_of(archive, name) for name in chosen])
            return tuple(array_of(archive, name) for name in chosen)
    except UNREADABLE as error:
        raise DataError(f"{path}: not a numpy archive, or damaged; expected what numpy.savez writes") from error
