"""Text tables, read strictly: one header line, equally long rows, every complaint with its line."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lossrun.data.inputs import as_float32
from lossrun.errors import DataError

# What an empty cell is also written as, in any case.
MISSING: Final = frozenset({"", "na", "nan", "null"})
# What cells are also set apart by.
_DELIMITERS: Final = (";", "\t", "|", ",")
# 0,5378 and, with points between the thousands, 1.234,5.
DECIMAL_COMMA: Final = re.compile(r"[-+]?[0-9][0-9.]*,[0-9]+(e[-+]?[0-9]+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """Cells without surrounding blanks, column by column; `lines`: where in the file each row ends."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]

    def is_missing(self, name: str) -> np.ndarray:
        """bool (N,): the cells that say nothing."""
        return np.array([cell.lower() in MISSING for cell in self.columns[name]], bool)

    def numbers(self, name: str) -> np.ndarray:
        """float64 (N,): the numbers of a column, NaN where missing.

        Raises DataError with line and column for any other cell, and for numbers beyond float32.
        """
        numbers = np.empty(len(self.lines))
        for row, cell in enumerate(self.columns[name]):
            number = as_number(cell)
            if number is None:
                raise DataError(
                    f"{self.place(row, name)}: {cell!r} is not a number, as most of the column "
                    "is; mend the cell (or, if the column holds classes, add task: multiclass)"
                )
            numbers[row] = number
        infinite = np.isinf(as_float32(numbers))
        if infinite.any():
            row = int(infinite.argmax())
            raise DataError(
                f"{self.place(row, name)}: {self.columns[name][row]}; expected a finite number of at most 3.4e38"
            )
        return numbers

    def place(self, row: int, name: str) -> str:
        """What messages call a cell: `file:line: column name`."""
        return f"{self.path}:{self.lines[row]}: column {name}"

    def is_words(self, name: str) -> bool:
        """Whether less than half of the cells that say something are numbers."""
        cells = self._said(name)
        return 2 * sum(as_number(cell) is not None for cell in cells) < len(cells)

    def decimal_comma(self, name: str) -> str | None:
        """The first cell with one, where a column only looks like words for them, up to a tenth of its cells."""
        cells = self._said(name)
        commas = [cell for cell in cells if DECIMAL_COMMA.fullmatch(cell)]
        numbers = sum(as_number(cell) is not None for cell in cells) + len(commas)
        return commas[0] if commas and self.is_words(name) and 10 * numbers >= 9 * len(cells) else None

    def _said(self, name: str) -> list[str]:
        return [cell for cell in self.columns[name] if cell.lower() not in MISSING]


def read_table(path: Path, delimiter: str) -> Table:
    """The cells of a text file. Raises DataError where it is unreadable or not a rectangular table with a header."""
    delimiter = "\t" if delimiter == "\\t" else delimiter
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(f"dataset.delimiter: {delimiter!r}; expected one character, such as , or ; or '\\t'")
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        # utf-8-sig: spreadsheets put a byte order mark in front.
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            try:
                for row in reader:
                    if row:
                        rows.append([cell.strip() for cell in row])
                        lines.append(reader.line_num)
            except csv.Error as error:
                raise DataError(
                    f"{path}:{reader.line_num}: {error}; expected cells as spreadsheets write them"
                ) from error
    except OSError as error:
        raise DataError(
            f"dataset.path: {path} cannot be read: {error.strerror}; the path is relative to the config"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from error
    if len(rows) < 2:
        raise DataError(f"{path}: {'a header but no rows' if rows else 'empty'}; expected a header line and rows")
    header = rows[0]
    _check_header(path, lines[0], header, delimiter)
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(header):
            raise DataError(f"{path}:{line}: {len(row)} cells, but the header has {len(header)}; expected as many")
    columns = {name: list(cells) for name, cells in zip(header, zip(*rows[1:], strict=True), strict=True)}
    return Table(path, columns, lines[1:])


def as_number(cell: str) -> float | None:
    """The number in a cell, NaN for a missing one, None for a word."""
    if cell.lower() in MISSING:
        return float("nan")
    try:
        # Python reads 1_000 as a number; no table means it.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _check_header(path: Path, line: int, header: list[str], delimiter: str) -> None:
    if all(as_number(name) is not None for name in header):
        names = ",".join(f"x{number}" for number in range(1, len(header))) + ",y"
        raise DataError(
            f"{path}:{line}: the first line holds only numbers; expected the names of the columns: put a line like "
            f"{names if len(header) <= 6 else 'x1,x2,...,y'} before it"
        )
    if "" in header:
        raise DataError(f"{path}:{line}: column {header.index('') + 1} has no name; give it one")
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise DataError(f"{path}:{line}: two columns are named {repeated[0]!r}; expected different names")
    if len(header) == 1:
        other = max(_DELIMITERS, key=header[0].count)
        hint = f"did you mean dataset.delimiter: {other!r}?" if other in header[0] else f"is {delimiter!r} right?"
        raise DataError(f"{path}:{line}: only one column, {header[0]!r}; {hint}")
