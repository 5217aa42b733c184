"""Encode raw targets for their task."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np

from lossrun.catalog.data_facts import as_number
from lossrun.catalog.declaration import Task
from lossrun.data.samples.dataset import Part, UnsplitData
from lossrun.data.samples.task import ANY_LOSS, FEW_ROWS, LossTasks, is_whole, is_zero_one, task_of
from lossrun.data.tables.cells import PLAIN, CellForm
from lossrun.data.tables.column_notes import written_alike
from lossrun.data.tables.disguises import disguised
from lossrun.data.tables.inputs import Cell, as_float32, as_numbers, indexed
from lossrun.errors import DataError

# Values of a row in a message.
SHOWN: Final = 8
# Returns what messages call a row of the targets, or its cell in a column.
At: TypeAlias = Callable[..., str]
# A label that is ignored and belongs to no class.
VOID: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Encoded targets.

    Attributes:
        targets: As in `Part`; VOID for a label that is ignored and belongs to no class.
        size: The number of classes for multiclass, otherwise of columns.
        numbered: As in `Data`.
        guessed_from: The first word, if the config does not say that words are classes.
        decided_by: The loss, as in a config, if it decided on the task.
    """

    task: Task
    targets: np.ndarray
    size: int
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    numbered: bool = True
    guessed_from: str | None = None
    decided_by: str = ""

    def samples(
        self, parts: Mapping[str, Part], notes: Iterable[str] = (), done: Iterable[str] = (), **rest: Any
    ) -> UnsplitData:
        """Return the encoded parts as one dataset; `rest` are further attributes of `UnsplitData`."""
        decided = [f"dataset.task: {self.task} follows from {self.decided_by}"] if self.decided_by else []
        return UnsplitData(
            task=self.task,
            train=parts["train"],
            validation=parts.get("validation"),
            test=parts.get("test"),
            target_size=self.size,
            classes=self.classes,
            numbered=self.numbered,
            guessed_from=self.guessed_from,
            task_decided=bool(self.decided_by),
            notes=(*notes, *self.notes),
            done=(*done, *decided),
            **rest,
        )


def encode(
    raw: np.ndarray,
    task: Task | None,
    where: str,
    classes: tuple[str, ...] = (),
    cell: Cell | None = None,
    form: CellForm = PLAIN,
    ignored: str | float | None = None,
    loss: LossTasks = ANY_LOSS,
) -> Encoded:
    """Encode targets, (N,) or (N, K), numbers or words, for a task; without a task it is inferred.

    Words are classes (two: binary, more: multiclass). Numbers are a regression if one has a fraction or none is
    repeated; several columns of 0 and 1 are multilabel. The loss decides where only one reading fits it. Other integers
    may be classes or amounts, and are refused.

    Args:
        raw: The targets.
        task: The task, or None.
        where: What messages call the targets.
        classes: The names of the classes, into which integers are indices. Without names, the different values are the
            classes, sorted.
        cell: Returns what messages call a single value.
        form: How words that may be numbers are written.
        ignored: A label of exclusive classes whose samples do not count; see `void`.
        loss: The tasks that are possible for the loss.

    Raises:
        DataError: With the place of the first wrong value.
    """
    if raw.dtype.kind not in "biufU":
        raise DataError(f"{where}: holds {raw.dtype} values; expected numbers or words")
    if raw.ndim not in (1, 2) or 0 in raw.shape[1:]:
        raise DataError(f"{where}: has the shape {raw.shape}; expected one row or value per sample")
    columns = raw[:, np.newaxis] if raw.ndim == 1 else raw
    words = raw.dtype.kind == "U"
    called = cell or indexed(where)

    def at(row: int, column: int | None = None) -> str:
        return called((row,) if raw.ndim == 1 or column is None else (row, column))

    numbers = columns if words else as_numbers(columns, lambda index: at(*index))
    if words:
        _ask(columns, task, at, form)
    if task is not None:
        return _of_task(columns, numbers, task, words, where, classes, at, ignored)
    inferred, decides = _inferred(columns, words, where, classes, loss)
    encoded = _of_task(columns, numbers, inferred, words, where, classes, at, ignored)
    first = str(columns[0, 0]) if words and not classes else None
    return replace(encoded, guessed_from=first, decided_by=loss.loss if decides else "")


def _of_task(
    columns: np.ndarray,
    numbers: np.ndarray,
    task: Task,
    words: bool,
    where: str,
    classes: tuple[str, ...],
    at: At,
    ignored: str | float | None,
) -> Encoded:
    """Encode the columns, (N, K), for a task; `numbers` are the same columns as float64, unless they are words."""
    if task == "regression":
        if words:
            raise DataError(f"{where}: holds words such as {str(columns[0, 0])!r}; a regression needs numbers")
        if classes:
            raise DataError(
                f"{where}: classes are named, but the task is regression; remove the names, or change the task"
            )
        return Encoded(task, numbers, columns.shape[1])  # rounded last, as inputs are
    if task == "multilabel":
        return _multilabel(columns, words, where, classes, at)
    if columns.shape[1] > 1:
        if task == "multiclass":
            return _one_hot(columns, words, where, classes, at)
        raise DataError(
            f"{where}: {columns.shape[1]} columns; a binary task has one (for several, use task: multilabel)"
        )
    column = columns[:, 0]
    left_out = void(column, classes, ignored) if task == "multiclass" else np.zeros(len(column), bool)
    if not left_out.any():
        return _classes(column, task, words, where, classes, at)
    rows = np.flatnonzero(~left_out)
    if not len(rows):
        raise DataError(f"{where}: every sample has the ignored label {ignored}; expected some with other labels")
    encoded = _classes(column[rows], task, words, where, classes, lambda row, *more: at(int(rows[row]), *more))
    targets = np.full(len(column), VOID, np.int64)
    targets[rows] = encoded.targets
    return replace(encoded, targets=targets)


def void(column: np.ndarray, classes: tuple[str, ...], ignored: str | float | None) -> np.ndarray:
    """Return which samples have the ignored label, if it is not a class, bool, (N,).

    It is not a class if it is not among the given `classes`. Without these, it is not a class if all other labels are
    indices from 0 or 1 on and it is negative or beyond a gap: -100, -1 or 255, as users of PyTorch write it. Any other
    label stays a class with its own output, as an index does in PyTorch.
    """
    nothing = np.zeros(len(column), bool)
    if ignored is None:
        return nothing
    number = as_number(ignored)
    if column.dtype.kind == "U":
        return column == str(ignored) if classes and str(ignored) not in classes else nothing
    if number is None:
        return nothing
    same = column == number
    if classes:
        return nothing if number in range(len(classes)) else same
    others = np.unique(column[~same])
    if not len(others) or others[0] < 0 or others[-1] > 2 * len(others) or not is_whole(others):
        return nothing
    return same if number < 0 or number > others[-1] + 1 else nothing


def are_nearly_all_different(distinct: int, rows: int) -> bool:
    """Return whether `distinct` words in `rows` rows are names or ids, because classes would be repeated."""
    return rows > FEW_ROWS and 2 * distinct > rows


def _ask(columns: np.ndarray, task: Task | None, at: At, form: CellForm) -> None:
    """Raise DataError if words look like numbers and the config does not say that they are classes."""
    if task in ("binary", "multiclass"):
        return
    for column in range(columns.shape[1]):
        found = disguised(columns[:, column].tolist(), form)
        if found:
            fix = found.disguise.fix
            if task is None and columns.shape[1] == 1:
                fix += "; or, if these are classes, add task: multiclass"
            raise DataError(f"{at(found.place, column)}: {found.cell!r}: {found.disguise.looks_like}; {fix}")


def _inferred(
    columns: np.ndarray, words: bool, where: str, classes: tuple[str, ...], loss: LossTasks
) -> tuple[Task, bool]:
    """Return the task of targets for which the config states none, and whether the loss decided."""
    if columns.shape[1] > 1 and words:
        raise DataError(f"{where}: several columns of words; expected one, or columns of numbers")
    found, decides = task_of(columns, words, len(classes), loss)
    if found is not None:
        return found, decides
    distinct = np.unique(columns)
    task = "binary" if len(distinct) == 2 else "multiclass"
    raise DataError(
        f"{where}: whole numbers ({', '.join(_names(distinct[:3]))}{', ...' if len(distinct) > 3 else ''}) could be "
        f"quantities or classes; add task: regression or task: {task}"
    )


def _multilabel(columns: np.ndarray, words: bool, where: str, classes: tuple[str, ...], at: At) -> Encoded:
    if words:
        raise DataError(
            f"{where}: holds words such as {str(columns[0, 0])!r}; multilabel targets are columns of 0 and 1"
        )
    if not is_zero_one(columns):
        row, column = np.argwhere((columns != 0) & (columns != 1))[0].tolist()
        raise DataError(f"{at(row, column)}: {columns[row, column]:g}; multilabel targets are columns of 0 and 1")
    if columns.shape[1] == 1:
        raise DataError(f"{where}: one column; multilabel needs several (for one, use task: binary)")
    if classes and len(classes) != columns.shape[1]:
        raise DataError(f"{where}: {columns.shape[1]} columns, but {len(classes)} names of classes")
    exclusive = bool((columns.sum(axis=1) == 1).all())
    note = "every row of the targets holds exactly one 1: task: multiclass would read them as one-hot classes"
    return Encoded("multilabel", as_float32(columns), columns.shape[1], classes, (note,) if exclusive else ())


def _one_hot(columns: np.ndarray, words: bool, where: str, classes: tuple[str, ...], at: At) -> Encoded:
    expected = (
        "several target columns with task: multiclass must be one-hot, with a single 1 in each row (task: "
        "multilabel allows several)"
    )
    if words:
        raise DataError(f"{where}: holds words such as {str(columns[0, 0])!r}; {expected}")
    wrong = ~((columns == 0) | (columns == 1)).all(axis=1) | (columns.sum(axis=1) != 1)
    if wrong.any():
        row = int(wrong.argmax())
        found = ", ".join(f"{value:g}" for value in columns[row, :SHOWN]) + ", ..." * (columns.shape[1] > SHOWN)
        raise DataError(f"{at(row)}: the row [{found}]; {expected}")
    if classes and len(classes) != columns.shape[1]:
        raise DataError(f"{where}: {columns.shape[1]} columns, but {len(classes)} names of classes")
    return Encoded("multiclass", columns.argmax(axis=1).astype(np.int64), columns.shape[1], classes)


def _classes(column: np.ndarray, task: Task, words: bool, where: str, classes: tuple[str, ...], at: At) -> Encoded:
    if not words and not is_whole(column):
        row = int((column != np.floor(column)).argmax())
        raise DataError(f"{at(row)}: {column[row]:g} is not a class; a {task} task needs whole numbers or words")
    if classes:
        indices, numbered = _indices(column, words, where, classes, at), not words
    else:
        distinct, indices = np.unique(column, return_inverse=True)
        if words and are_nearly_all_different(len(distinct), len(column)):
            raise DataError(
                f"{where}: {len(distinct)} different words in {len(column)} rows: these are names, ids or numbers in "
                "disguise, not classes; choose another target, or write numbers as 0.5"
            )
        classes, numbered = _names(distinct), False
    notes = tuple(written_alike(classes, "classes"))
    if task == "binary" and len(classes) != 2:
        told = [f"{len(classes)} classes ({', '.join(classes[:5])}); a binary task has 2", *notes]
        raise DataError(f"{where}: {'; '.join(told)}")
    if len(classes) < 2:
        raise DataError(f"{where}: only the class {classes[0]}; expected at least 2 classes")
    if task == "binary":
        return Encoded(task, indices.astype(np.float32)[:, np.newaxis], 1, classes, notes, numbered)
    return Encoded(task, indices.astype(np.int64), len(classes), classes, notes, numbered)


def _indices(column: np.ndarray, words: bool, where: str, classes: tuple[str, ...], at: At) -> np.ndarray:
    """Return the index of each label in the given names of classes."""
    repeated = [name for name, count in Counter(classes).items() if count > 1]
    if repeated:
        raise DataError(f"{where}: the class {repeated[0]} is named twice; expected different names")
    if not words:
        beyond = (column < 0) | (column >= len(classes))
        if beyond.any():
            row = int(beyond.argmax())
            raise DataError(
                f"{at(row)}: label {int(column[row])}; expected 0 to {len(classes) - 1}, one for each class name"
            )
        return column
    place = {name: index for index, name in enumerate(classes)}
    unknown = next((row for row, word in enumerate(column.tolist()) if word not in place), None)
    if unknown is not None:
        raise DataError(
            f"{at(unknown)}: the label {str(column[unknown])!r} is not one of the classes {', '.join(classes)}"
        )
    return np.array([place[word] for word in column.tolist()])


def _names(distinct: np.ndarray) -> tuple[str, ...]:
    if distinct.dtype.kind == "U":
        return tuple(distinct.tolist())
    return tuple(str(int(value)) if value == int(value) else str(value) for value in distinct.tolist())
