"""Read the dataset `csv`: which columns of a table are inputs and targets, and how their cells become numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.samples.dataset import Part, UnsplitData
from lossrun.data.samples.given_split import split_column
from lossrun.data.samples.sample_weights import EXPECTED, as_weights
from lossrun.data.samples.targets import Encoded, are_nearly_all_different, encode
from lossrun.data.samples.task import ANY_LOSS, LossTasks
from lossrun.data.sources.separate_parts import part_files
from lossrun.data.tables.cells import CellForm
from lossrun.data.tables.column_notes import input_notes, missing_words, written_alike
from lossrun.data.tables.columns import chosen_columns, weight_column
from lossrun.data.tables.disguise_questions import ask_about_disguises
from lossrun.data.tables.inputs import narrowed
from lossrun.data.tables.table import Table
from lossrun.data.tables.table_file import read_table
from lossrun.data.tables.table_inputs import InputColumn, Layout, read_inputs
from lossrun.errors import DataError

# A column with more categories holds names or ids, and encoding it would fill the memory.
MAX_CATEGORIES: Final = 1000


def read_csv(
    parameters: Mapping[str, Any],
    config_dir: Path,
    ignored: str | float | None = None,
    loss: LossTasks = ANY_LOSS,
) -> UnsplitData:
    """Read the table at `path`, and the other files of a split that names files.

    Inputs have shape (N, columns), targets depend on the task, ids are rows of the file, from 0. With missing: mean,
    NaN is left among the inputs, to be filled once the training part is known; rows without a target are dropped.

    Args:
        ignored, loss: See `targets.encode`.

    Raises:
        DataError: For anything that does not fit.
    """
    tables = read_tables(parameters, config_dir)
    table = tables["train"]
    _check_thousands(tables, parameters)
    targets, inputs, splits = chosen_columns(list(table.columns), parameters, str(table.path))
    weighting = weight_column(parameters, list(table.columns), str(table.path))
    notes = ask_about_disguises(table, inputs, targets, parameters)
    words = [name for name in inputs if table.is_words(name)]
    if words and parameters["encode"] == "refuse":
        drop = ", ".join([*map(str, parameters["drop"]), *words])
        raise DataError(
            f"{table.path}: there are words in the column{'s' * (len(words) > 1)} {', '.join(words)}; expected "
            f"numbers. Under dataset, leave them out:\n    drop: [{drop}]\nor make each word a separate "
            "input:\n    encode: one_hot"
        )
    notes += [*input_notes(table, inputs), *missing_words(table, dict.fromkeys([*inputs, *targets, *splits]))]
    keeps: dict[str, np.ndarray] = {}
    for part, one in tables.items():
        _check_columns(one, table, [*inputs, *targets, *weighting])
        keeps[part], dropped = _complete_rows(one, inputs, targets, words, parameters["missing"])
        notes += dropped if part == "train" else [f"{part}: {note}" for note in dropped]
    columns: list[InputColumn] = []
    done: list[str] = []
    for name in inputs:
        categories = _categories(table, name, keeps["train"]) if name in words else None
        columns.append(InputColumn(name, categories))
        if categories is not None:
            empty = ", one of them for empty cells" if "" in categories else ""
            done.append(f"column {name} one-hot encoded as {len(categories)} inputs{empty}")
            notes += written_alike(categories, f"words in column {name}")
    layout = Layout(
        tuple(columns),
        table.form,
        parameters["delimiter"],
        parameters["header"],
        targets=tuple(targets),
        width=len(table.columns),
    )
    given = split_column(parameters, table, splits, keeps["train"]) if splits else None
    if given and given.by == "groups":
        notes += written_alike(map(str, given.values.tolist()), f"groups in column {given.name}")
    encoded = _encoded(tables, keeps, targets, parameters["task"], ignored, loss)
    ends = np.cumsum([keep.sum() for keep in keeps.values()])
    parts = {
        part: Part(
            narrowed(read_inputs(tables[part], columns, keep=keep, allow_missing=parameters["missing"] == "mean")),
            block,
            np.flatnonzero(keep),
            _weights(tables[part], weighting[0], keep) if weighting else None,
        )
        for (part, keep), block in zip(keeps.items(), np.split(encoded.targets, ends[:-1]), strict=True)
    }
    return encoded.samples(
        parts,
        weighted_by=f"column {weighting[0]}" if weighting else "",
        columns=layout.input_names,
        layout=layout,
        given=given,
        fill_missing=parameters["missing"] == "mean",
        notes=notes,
        done=tuple(done),
    )


def cell_form(parameters: Mapping[str, Any]) -> CellForm:
    """Return how the cells are written, by the dataset's keys. Raises DataError if these contradict each other."""
    decimal, thousands = parameters["decimal"], parameters["thousands"] or ""
    if thousands == decimal:
        both = " (for numbers such as 1.234,5 add decimal: ',')" if decimal == "." else ""
        raise DataError(
            f"dataset.thousands: {thousands!r} is also the decimal sign{both}; name the character between thousands, "
            "or leave thousands out"
        )
    missing = (
        str(cell).replace(".", decimal) if isinstance(cell, float) else str(cell).strip()
        for cell in parameters["missing_values"]
    )
    return CellForm(decimal, frozenset(missing), thousands)


def read_tables(parameters: Mapping[str, Any], config_dir: Path) -> dict[str, Table]:
    """Read the file of the training part, and those of the other parts if the split names files."""
    return {
        part: read_table(
            path,
            parameters["delimiter"],
            cell_form(parameters),
            header=parameters["header"],
            key="path" if part == "train" else f"split.{part}",
        )
        for part, path in part_files(parameters, config_dir).items()
    }


def _check_thousands(tables: Mapping[str, Table], parameters: Mapping[str, Any]) -> None:
    """Raise DataError if the delimiter must have split numbers between their thousands."""
    sign = parameters["thousands"]
    if sign is None or sign != parameters["delimiter"]:
        return
    if not any(sign in cell for table in tables.values() for cells in table.columns.values() for cell in cells):
        raise DataError(
            f"dataset.thousands: {sign!r} is also the delimiter, and no cell holds one: a number such as 1{sign}500 is "
            f'read as two cells; put such cells in quotes ("1{sign}500"), or write another delimiter between cells'
        )


def _check_columns(table: Table, first: Table, wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise DataError(
            f"{table.path}: no column {', '.join(missing)}; expected the columns of {first.path}: {', '.join(wanted)}"
        )


def _complete_rows(
    table: Table, inputs: Sequence[str], targets: Sequence[str], words: Sequence[str], missing: str
) -> tuple[np.ndarray, list[str]]:
    """Return the rows to use, bool, (N,), and notes."""
    used = [*inputs, *targets]
    # A mean can stand in for a number, and an empty word is a category; a row without a target is dropped.
    refused = used if missing == "refuse" else []
    dropping = {"refuse": [], "drop": used, "mean": targets}[missing]
    for name in refused:
        empty = table.is_missing(name)
        if empty.any():
            row = int(empty.argmax())
            count = int(empty.sum())
            fix = "dataset.missing: drop leaves such rows out"
            if name in inputs:
                filled = "makes them a separate category" if name in words else "fills them with the training mean"
                fix += f", dataset.missing: mean {filled}"
            what = f"holds {table.columns[name][row]!r}, a missing value," if table.columns[name][row] else "is empty"
            raise DataError(
                f"{table.place(row, name)} {what} in this row ({count} row{'s' * (count > 1)} affected); {fix}"
            )
    keep = np.ones(len(table), bool)
    for name in dropping:
        keep &= ~table.is_missing(name)
    if not keep.any():
        raise DataError(
            f"{table.path}: every row has an empty cell in one of {', '.join(dropping)}; fill the cells, or leave "
            "columns out with drop"
        )
    dropped = int((~keep).sum())
    what = "an empty target" if missing == "mean" else "empty cells"
    return keep, [f"{dropped} row{'s' * (dropped > 1)} with {what} dropped"] if dropped else []


def _categories(table: Table, name: str, keep: np.ndarray) -> tuple[str, ...]:
    """Return the sorted words of a column; "" for empty cells."""
    words = [word for word, kept in zip(table.words(name), keep.tolist(), strict=True) if kept]
    categories = sorted(set(words))
    if are_nearly_all_different(len(categories), len(words)):
        raise DataError(
            f"{table.path}: column {name} holds {len(categories)} different words in {len(words)} rows: these are "
            f"names, ids or numbers in disguise, not categories; leave it out: drop: [{name}], or write numbers as 0.5"
        )
    if len(categories) > MAX_CATEGORIES:
        raise DataError(
            f"{table.path}: column {name} holds {len(categories)} different words, too many to encode "
            f"(at most {MAX_CATEGORIES}); leave it out: drop: [{name}]"
        )
    return tuple(categories)


def _encoded(
    tables: Mapping[str, Table],
    keeps: Mapping[str, np.ndarray],
    targets: Sequence[str],
    task: Task | None,
    ignored: str | float | None,
    loss: LossTasks,
) -> Encoded:
    """Encode the targets of all parts, which together decide on the classes."""
    train = tables["train"]
    as_words = len(targets) == 1 and any(_holds_classes(table, targets[0], task) for table in tables.values())
    raw = np.concatenate([_raw_targets(table, targets, keeps[part], task, as_words) for part, table in tables.items()])

    def cell(index: tuple[int, ...]) -> str:
        ends = np.cumsum([int(keep.sum()) for keep in keeps.values()])
        number = int(np.searchsorted(ends, index[0], side="right"))
        part = list(keeps)[number]
        row = np.flatnonzero(keeps[part])[index[0] - (ends[number - 1] if number else 0)]
        return tables[part].place(int(row), targets[index[1] if len(index) > 1 else 0])

    where = f"dataset.target: {', '.join(targets)} of {train.path}"
    return encode(raw, task, where, cell=cell, form=train.form, ignored=ignored, loss=loss)


def _weights(table: Table, name: str, keep: np.ndarray) -> np.ndarray:
    """Return the weights of the rows that are kept. Raises DataError for a cell without a weight."""
    rows, missing = np.flatnonzero(keep).tolist(), table.is_missing(name)
    numbers = [table.form.number(table.columns[name][row]) for row in rows]
    for row, number in zip(rows, numbers, strict=True):
        if number is None or missing[row]:
            raise DataError(f"{table.place(row, name)}: {table.columns[name][row]!r} is not a weight; {EXPECTED}")
    return as_weights(
        np.array(numbers, np.float64),
        f"{table.path}: column {name}",
        len(rows),
        lambda row: table.place(rows[row], name),
    )


def _raw_targets(
    table: Table, targets: Sequence[str], keep: np.ndarray, task: Task | None, as_words: bool
) -> np.ndarray:
    """Return the targets as words, (N,), or numbers, (N, K)."""
    if as_words:
        words: np.ndarray = np.array(table.columns[targets[0]])[keep]
        return words
    may_be_classes = task is None and len(targets) == 1
    worded = [name for name in targets if table.is_words(name)]
    if worded:
        what = f"the target column {worded[0]} of {table.path} holds words"
        if task == "regression":
            raise DataError(f"dataset.task: {what}; a regression needs numbers")
        raise DataError(f"dataset.target: {what}; several targets must be numbers (labels: 0 and 1)")
    return np.stack([table.numbers(name, may_be_classes=may_be_classes)[keep] for name in targets], axis=1)


def _holds_classes(table: Table, name: str, task: Task | None) -> bool:
    """Return whether the cells are read as words. If the task is classes, one word makes all of them words."""
    if task == "regression":
        return False
    if task in ("binary", "multiclass"):
        return table.has_words(name)
    return table.is_words(name)
