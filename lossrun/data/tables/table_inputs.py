"""Turn the columns of a table that are inputs into numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lossrun.data.tables.cells import PLAIN, CellForm, shown
from lossrun.data.tables.table import Table
from lossrun.errors import DataError

# The name of the category of empty cells.
EMPTY: Final = "(empty)"
SHOWN: Final = 8  # words in a message


@dataclass(frozen=True, slots=True)
class InputColumn:
    """A column of inputs.

    Attributes:
        categories: The sorted words of a column of words, each of which is an input; "" for empty cells. None for a
            column of numbers.
    """

    name: str
    categories: tuple[str, ...] | None = None

    @property
    def input_names(self) -> tuple[str, ...]:
        if self.categories is None:
            return (self.name,)
        return tuple(f"{self.name}={category or EMPTY}" for category in self.categories)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "categories": None if self.categories is None else list(self.categories)}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> "InputColumn":
        categories = tree["categories"]
        return cls(str(tree["name"]), None if categories is None else tuple(map(str, categories)))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the inputs are in a file, as `Preparation` keeps it.

    For a table it has the columns, how cells are written, and the number of all columns; for an archive the names of
    its arrays. `targets` are the names of the targets.
    """

    columns: tuple[InputColumn, ...] = ()
    form: CellForm = PLAIN
    delimiter: str = ","
    header: bool = True
    arrays: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    width: int = 0

    @property
    def input_names(self) -> tuple[str, ...]:
        """A name for each input; () if inputs have no names."""
        return tuple(name for column in self.columns for name in column.input_names)


UNNAMED: Final = Layout()


def read_inputs(
    table: Table,
    columns: Sequence[InputColumn],
    *,
    keep: np.ndarray | None = None,
    means: np.ndarray | None = None,
    allow_missing: bool = False,
) -> np.ndarray:
    """Return the inputs, float64, (N, inputs).

    Args:
        keep: The rows to return, bool; None for all.
        means: The numbers that replace missing ones, (inputs,).
        allow_missing: Whether to leave missing numbers as NaN if there are no means.

    Raises:
        DataError: For a missing number, and for a word that is not a category of its column, with their places.
    """
    rows = np.arange(len(table)) if keep is None else np.flatnonzero(keep)
    inputs = np.empty((len(rows), sum(len(column.input_names) for column in columns)))
    place = 0
    for column in columns:
        end = place + len(column.input_names)
        if column.categories is None:
            numbers = table.numbers(column.name)[rows]
            missing = np.isnan(numbers)
            if means is not None:
                numbers = np.where(missing, means[place], numbers)
            elif missing.any() and not allow_missing:
                row = int(rows[missing.argmax()])
                raise DataError(
                    f"{table.place(row, column.name)}: {table.columns[column.name][row] or 'empty'}; expected a "
                    "number, as in training (only a run with missing: mean fills such cells)"
                )
            inputs[:, place] = numbers
        else:
            inputs[:, place:end] = _one_hot(table, column.name, column.categories, rows)
        place = end
    return inputs


def _one_hot(table: Table, name: str, categories: Sequence[str], rows: np.ndarray) -> np.ndarray:
    known = {category: place for place, category in enumerate(categories)}
    words = table.words(name)
    for row in rows.tolist():
        if words[row] not in known:
            some = ", ".join(category or EMPTY for category in categories[:SHOWN])
            some += ", ..." * (len(categories) > SHOWN)
            raise DataError(
                f"{table.place(row, name)}: {shown(table.columns[name][row])!r} did not occur in training; expected "
                f"one of {some}"
            )
    return np.eye(len(categories))[[known[words[row]] for row in rows.tolist()]]
