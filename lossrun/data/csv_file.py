"""The dataset `csv`: which columns of a text table are inputs and targets, and how their cells become numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.catalog import nearest
from lossrun.catalog.declaration import Task
from lossrun.data.dataset import Part, Source
from lossrun.data.inputs import as_float32
from lossrun.data.table import Table, as_number, read_table
from lossrun.data.targets import are_nearly_all_different, encode
from lossrun.errors import DataError

# More categories than this are names or ids, and their columns would fill the memory.
MAX_CATEGORIES: Final = 1000


def read_csv(parameters: Mapping[str, Any], config_dir: Path) -> Source:
    """The table at `path`: float32 inputs (N, columns), targets by task; ids are rows of the file, from 0.

    missing: mean leaves NaN among the inputs, to be filled once the training part is known; rows without a target are
    dropped then as well. Raises DataError for whatever does not fit.
    """
    table = read_table(config_dir / parameters["path"], parameters["delimiter"])
    targets, inputs = _chosen(table, parameters)
    _check_decimal_points(table, [*inputs, *targets])
    words = [name for name in inputs if table.is_words(name)]
    if words and parameters["encode"] == "refuse":
        drop = ", ".join([*parameters["drop"], *words])
        raise DataError(
            f"{table.path}: words in the column{'s' * (len(words) > 1)} {', '.join(words)}; expected numbers. Leave "
            f"them out:\n    drop: [{drop}]\nor turn each word into an input of its own:\n    encode: one_hot"
        )
    keep, notes = _complete_rows(table, inputs, targets, words, parameters["missing"])
    names: list[str] = []
    blocks: list[np.ndarray] = []
    for name in inputs:
        if name in words:
            categories, block = _one_hot(table, name, keep)
            names += [f"{name}={category}" for category in categories]
            notes.append(f"column {name} one-hot encoded as {len(categories)} inputs")
        else:
            names.append(name)
            block = table.numbers(name)[keep, np.newaxis]
        blocks.append(block)
    used = np.flatnonzero(keep)
    encoded = encode(
        _raw_targets(table, targets, keep, parameters["task"]),
        parameters["task"],
        f"dataset.target: {', '.join(targets)} of {table.path}",
        cell=lambda index: table.place(int(used[index[0]]), targets[index[1] if len(index) > 1 else 0]),
    )
    return Source(
        task=encoded.task,
        train=Part(as_float32(np.concatenate(blocks, axis=1)), encoded.targets, used),
        target_size=encoded.size,
        classes=encoded.classes,
        columns=tuple(names),
        fill_missing=parameters["missing"] == "mean",
        notes=(*notes, *encoded.notes),
    )


def as_names(value: str | Sequence[str] | None) -> list[str]:
    """A key that takes one name or several."""
    return [value] if isinstance(value, str) else list(value or ())


def check_names(names: Sequence[str], known: Sequence[str], key: str, where: str) -> None:
    """Raises DataError, with the nearest known name, for one that `where` does not have, or that comes twice."""
    for name in names:
        if name not in known:
            near = nearest(name, list(known))
            hint = f"did you mean {near}?" if near else f"there are: {', '.join(known)}"
            if not near and any(as_number(column) is not None for column in known):
                hint += "; if that is a row of data, put a line with the names of the columns before it"
            raise DataError(f"dataset.{key}: {where} has no {name!r}; {hint}")
        if names.count(name) > 1:
            raise DataError(f"dataset.{key}: {name!r} is named twice; once is enough")


def _chosen(table: Table, parameters: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Names of the target and of the input columns."""
    targets, drop, inputs = (as_names(parameters[key]) for key in ("target", "drop", "inputs"))
    for key, names in (("target", targets), ("drop", drop), ("inputs", inputs)):
        check_names(names, list(table.columns), key, str(table.path))
    inputs = inputs or [name for name in table.columns if name not in (*targets, *drop)]
    for name in inputs:
        if name in targets:
            raise DataError(f"dataset.inputs: {name} is the target; take it out of one of the two")
        if name in drop:
            raise DataError(f"dataset.inputs: {name} is also in drop; take it out of one of the two")
    if not targets:
        raise DataError(f"dataset.target: names no column of {table.path}; name at least one")
    if not inputs:
        raise DataError(f"dataset.inputs: target and drop take every column of {table.path}; leave at least one")
    return targets, inputs


def _check_decimal_points(table: Table, names: Sequence[str]) -> None:
    """Raises DataError: read as words, such numbers would become a class or an input each."""
    commas = {name: cell for name in names if (cell := table.decimal_comma(name)) is not None}
    if commas:
        raise DataError(
            f"{table.path}: column{'s' * (len(commas) > 1)} {', '.join(commas)}: decimal commas, as in "
            f"{next(iter(commas.values()))}; write decimal points (or export the table with them) and nothing between "
            "the thousands"
        )


def _complete_rows(
    table: Table, inputs: Sequence[str], targets: Sequence[str], words: Sequence[str], missing: str
) -> tuple[np.ndarray, list[str]]:
    """bool (N,): the rows to use; and notes."""
    used = [*inputs, *targets]
    # A mean can stand in for a number only: a row without a target is dropped, a missing word refused.
    refused = {"refuse": used, "drop": [], "mean": words}[missing]
    dropping = {"refuse": [], "drop": used, "mean": targets}[missing]
    for name in refused:
        empty = table.is_missing(name)
        if empty.any():
            fix = "a word has no mean" if missing == "mean" else "missing: mean fills numbers with their training mean"
            raise DataError(
                f"{table.path}:{table.lines[empty.argmax()]}: column {name} is empty here, one of {empty.sum()} such "
                f"rows; missing: drop leaves them out ({fix})"
            )
    keep = np.ones(len(table.lines), bool)
    for name in dropping:
        keep &= ~table.is_missing(name)
    if not keep.any():
        raise DataError(
            f"{table.path}: every row has an empty cell in {', '.join(dropping)}; fill them or drop columns"
        )
    dropped = int((~keep).sum())
    what = "an empty target" if missing == "mean" else "empty cells"
    return keep, [f"{dropped} row{'s' * (dropped > 1)} with {what} dropped"] if dropped else []


def _one_hot(table: Table, name: str, keep: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The sorted categories of a column, and float64 (N, categories) of 0 and 1."""
    categories, index = np.unique(np.array(table.columns[name])[keep], return_inverse=True)
    if are_nearly_all_different(len(categories), len(index)):
        raise DataError(
            f"{table.path}: column {name} holds {len(categories)} different words in {len(index)} rows: names, ids or "
            f"numbers in disguise, nothing to encode; leave it out: drop: [{name}], or write numbers as 0.5"
        )
    if len(categories) > MAX_CATEGORIES:
        raise DataError(
            f"{table.path}: column {name} holds {len(categories)} different words, too many to encode "
            f"(at most {MAX_CATEGORIES}); leave it out: drop: [{name}]"
        )
    return categories.tolist(), np.eye(len(categories))[index]


def _raw_targets(table: Table, targets: Sequence[str], keep: np.ndarray, task: Task | None) -> np.ndarray:
    """Words (N,), or numbers (N, K)."""
    if len(targets) == 1 and _holds_classes(table, targets[0], task):
        words: np.ndarray = np.array(table.columns[targets[0]])[keep]
        return words
    worded = [name for name in targets if table.is_words(name)]
    if worded:
        what = f"the target column {worded[0]} of {table.path} holds words"
        if task == "regression":
            raise DataError(f"dataset.task: {what}; a regression needs numbers")
        raise DataError(f"dataset.target: {what}; several must be numbers")
    return np.stack([table.numbers(name)[keep] for name in targets], axis=1)


def _holds_classes(table: Table, name: str, task: Task | None) -> bool:
    """Whether the cells are to be read as words. Where classes are asked for, a single word makes all of them words."""
    if task == "regression":
        return False
    if task in ("binary", "multiclass"):
        return any(as_number(cell) is None for cell in table.columns[name])
    return table.is_words(name)
