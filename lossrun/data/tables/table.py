"""Read text tables strictly: one header line, rows of the same length, every error with its line."""

import csv
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from lossrun.data.tables.cells import PLAIN, CellForm, is_placeholder, shown
from lossrun.data.tables.disguises import DisguisedColumn, disguise, disguised, fix_in_csv
from lossrun.data.tables.inputs import GREATEST
from lossrun.data.tables.table_header import check_first_row, check_header
from lossrun.errors import DataError
from lossrun.files import open_regular
from lossrun.nearby import about, joined

TABLES: Final = (".csv", ".tsv", ".txt")  # endings of tables

# Other signs between cells.
_DELIMITERS: Final = (";", "\t", "|", ",")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
# Larger integers are rounded when they become floating-point numbers.
_EXACT: Final = 2**53
# A column with so few different cells may hold categories, if some are words.
MOST_CATEGORIES: Final = 10
# The limit of the csv module is valid for the whole process.
_LIMIT = threading.Lock()


@dataclass(frozen=True, slots=True)
class Table:
    """A table: cells without surrounding blanks, column by column.

    Attributes:
        lines: The line of the file where each row ends.
        form: How numbers are written.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]
    form: CellForm = PLAIN
    _read: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.lines)

    def is_missing(self, name: str) -> np.ndarray:
        """Return which cells are missing, bool, (N,)."""
        if self.is_words(name):
            return np.array([self.form.is_empty_word(cell) for cell in self.columns[name]], bool)
        numbers, words = self._numbers(name)
        missing: np.ndarray = np.isnan(numbers) & ~words
        return missing

    def numbers(self, name: str, *, may_be_classes: bool = False) -> np.ndarray:
        """Return the numbers of a column, float64, (N,), with NaN for missing ones.

        Args:
            may_be_classes: Whether it is a target without a task, for the message.

        Raises:
            DataError: For any other cell, for numbers beyond float32, and for whole numbers that are equal in float64,
                with line and column.
        """
        numbers, words = self._numbers(name)
        cells = self.columns[name]
        if words.any():
            row = int(words.argmax())
            raise DataError(f"{self.place(row, name)}: {self._not_a_number(name, row, may_be_classes)}")
        magnitudes = np.abs(numbers)
        beyond = magnitudes > GREATEST
        if beyond.any():
            row = int(beyond.argmax())
            raise DataError(f"{self.place(row, name)}: {shown(cells[row])}; expected a finite number of at most 3.4e38")
        self._check_whole_numbers(name, numbers, magnitudes)
        return numbers

    def words(self, name: str) -> list[str]:
        """Return the cells as words; "" for missing ones."""
        return ["" if self.form.is_empty_word(cell) else cell for cell in self.columns[name]]

    def place(self, row: int, name: str) -> str:
        """Return what messages call a cell: `file:line: column name`."""
        return f"{self.path}:{self.lines[row]}: column {name}"

    def is_words(self, name: str) -> bool:
        """Return whether a column holds words: fewer than half of its cells are numbers, or there are few categories.

        Such categories are 0, 1, 2 and 3+.
        """
        numbers, words = self._numbers(name)
        said = ~np.isnan(numbers) | words
        return bool(2 * (said & ~words).sum() < said.sum()) or self._is_category(name, said, words)

    def _is_category(self, name: str, said: np.ndarray, words: np.ndarray) -> bool:
        """Return whether words are categories instead of mistakes: they are repeated, among few different cells."""
        if not words.any():
            return False
        cells = self.columns[name]
        counts = Counter(cells[row] for row in np.flatnonzero(said).tolist())
        if len(counts) > MOST_CATEGORIES or 3 * len(counts) > said.sum():
            return False
        placeholders = any(is_placeholder(word) for word in counts)
        return not placeholders and all(counts[cells[row]] > 1 for row in np.flatnonzero(words).tolist())

    def has_words(self, name: str) -> bool:
        """Return whether a cell is not a number, or is a code such as 01234, which differs from 1234."""
        codes = (cell[:1] == "0" and len(cell) > 1 and cell.isdecimal() for cell in self.columns[name])
        return bool(self._numbers(name)[1].any()) or any(codes)

    def disguised(self, name: str) -> DisguisedColumn | None:
        """Return whether a column of words holds numbers in disguise; None if not."""
        return disguised(self.columns[name], self.form) if self.is_words(name) else None

    def number_cells(self, names: Iterable[str]) -> list[str]:
        """Return the cells of columns that hold numbers, or would hold numbers in another form."""
        cells: list[str] = []
        for name in names:
            found = self.disguised(name)
            if found.disguise.by_form if found else not self.is_words(name):
                cells += self.columns[name]
        return cells

    def _not_a_number(self, name: str, row: int, may_be_classes: bool) -> str:
        cell = self.columns[name][row]
        what = f"{shown(cell)!r} is not a number, although most of the column is"
        if is_placeholder(cell):
            fix = f"; if it stands for a missing value, add missing_values: [{_in_yaml(cell)}]"
        elif found := disguise(cell):
            how = fix_in_csv(found, self.number_cells(self.columns), self.form)
            fix = f" (it looks like {found.looks_like}); {how}"
        else:
            fix = f"; correct the cell, or, if it stands for a missing value, add missing_values: [{_in_yaml(cell)}]"
        return what + fix + (" (or, if the column holds classes, add task: multiclass)" if may_be_classes else "")

    def _numbers(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers, float64, (N,), with NaN for missing cells and words, and which are words, bool, (N,)."""
        if name not in self._read:
            cells, number = self.columns[name], self.form.number
            numbers, words = np.empty(len(cells)), np.zeros(len(cells), bool)
            for row, cell in enumerate(cells):
                found = number(cell)
                words[row] = found is None
                numbers[row] = np.nan if found is None else found
            numbers.flags.writeable = False
            self._read[name] = numbers, words
        return self._read[name]

    def _check_whole_numbers(self, name: str, numbers: np.ndarray, magnitudes: np.ndarray) -> None:
        """Raise DataError for whole numbers that differ in the file but are equal in float64."""
        large = np.flatnonzero(magnitudes >= _EXACT)
        cells = self.columns[name]
        written: dict[float, tuple[int, int]] = {}
        for row in large.tolist():
            try:
                whole = int(self.form.plain(cells[row]) or "")
            except ValueError:
                continue
            first, at = written.setdefault(float(numbers[row]), (whole, row))
            if first != whole:
                raise DataError(
                    f"{self.place(row, name)}: {cells[row]} and {cells[at]} (line {self.lines[at]}) are the same "
                    "number to 53 bits, the precision of float64; subtract what the column has in common, or, if these "
                    f"are ids, leave the column out: drop: [{name}]"
                )


def read_table(
    path: Path,
    delimiter: str,
    form: CellForm = PLAIN,
    *,
    header: bool = True,
    key: str = "path",
    may_be_one_column: bool = False,
) -> Table:
    """Read the cells of a text file.

    Args:
        key: The key of the dataset that names the file.
        header: Whether the first line names the columns; otherwise they are x1, x2, ...
        may_be_one_column: Whether a single column is allowed; it is often the sign of a wrong delimiter.

    Raises:
        DataError: If the file is unreadable or not a rectangular table.
    """
    delimiter = "\t" if delimiter == "\\t" else delimiter
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(f"dataset.delimiter: {delimiter!r}; expected one character, such as , or ; or '\\t'")
    rows, lines = _rows(path, delimiter, key)
    if header and len(rows) < 2:
        raise DataError(
            f"{path}: {'there is a header but no row' if rows else 'the file is empty'}; expected a header line and "
            "rows"
        )
    if not rows:
        raise DataError(f"{path}: the file is empty; expected rows")
    if header:
        names = rows.pop(0)
        check_header(path, lines[0], names, form, key)
    else:
        names = [f"x{number}" for number in range(1, len(rows[0]) + 1)]
    first, first_line = names if header else rows[0], lines[0]
    if len(first) == 1 and not (may_be_one_column and not any(sign in first[0] for sign in _DELIMITERS)):
        raise DataError(_one_column(path, first_line, first[0], delimiter))
    if header:
        del lines[0]
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            what = "the header has" if header else f"the first row (line {lines[0]}) has"
            fix = ""
            if len(row) > len(names) and delimiter in (form.decimal, form.thousands):
                fix = f'; put cells that hold the delimiter in quotes, such as "1{delimiter}500"'
            raise DataError(f"{path}:{line}: {_cells(len(row))}, but {what} {len(names)}; expected as many{fix}")
    columns = {name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}
    check_first_row(path, first_line, columns, form, key, header=header)
    return Table(path, columns, lines, form)


def _rows(path: Path, delimiter: str, key: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows that are not empty, and the line where each ends."""
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        with open_regular(path) as file, _cells_of_any_length():
            if file.peek(2)[:2] in _UTF16:
                raise DataError(f"{path}: UTF-16 text; save it as UTF-8")
            # utf-8-sig, because spreadsheets write a byte order mark first.
            with TextIOWrapper(file, encoding="utf-8-sig", newline="") as stream:
                reader = csv.reader(_text_lines(stream, path), delimiter=delimiter, strict=True)
                start = 0
                try:
                    for row in reader:
                        # An empty line, or a line of blanks.
                        if row and (len(row) > 1 or row[0].strip()):
                            rows.append([cell.strip() for cell in row])
                            lines.append(reader.line_num)
                        start = reader.line_num
                except csv.Error as error:
                    raise DataError(_broken_row(path, start + 1, reader, error)) from error
    except OSError as error:
        raise DataError(_unreadable(path, key, error)) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8") from error
    return rows, lines


def _unreadable(path: Path, key: str, error: OSError) -> str:
    there = about(path, error, TABLES, "table")
    if key == "input":
        return f"--input {path}: cannot be read: {error.strerror}{there}"
    told = f"dataset.{key}: {path} cannot be read: {error.strerror}{there}"
    return joined(told, "the path is relative to the config")


def _text_lines(stream: TextIOWrapper, path: Path) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        if "\0" in line:
            raise DataError(f"{path}:{number}: there is a NUL byte, so this is not text; save the table as UTF-8 text")
        yield line


class _Reader(Protocol):
    @property
    def line_num(self) -> int: ...


def _broken_row(path: Path, start: int, reader: _Reader, error: csv.Error) -> str:
    """Explain a broken row. An open quote includes all rows up to the next quote, so name where it opens."""
    end = reader.line_num
    if end > start or "unexpected end" in str(error):
        return (
            f'{path}:{start}: a quote (") opened in this row is not closed before line {end}: close it, or write a '
            'quote inside a cell twice ("")'
        )
    return f"{path}:{end}: {error}; put quotes around whole cells, as spreadsheets do"


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Allow cells of any length, because unused columns may hold long texts; restore the limit afterwards."""
    with _LIMIT:
        before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a C long, which has 32 bits on Windows
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _in_yaml(cell: str) -> str:
    """Return a cell as an item of a list in YAML."""
    return f'"{cell}"' if '"' not in cell else f"'{cell}'"


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


def _one_column(path: Path, line: int, first: str, delimiter: str) -> str:
    other = max(_DELIMITERS, key=first.count)
    hint = f"did you mean dataset.delimiter: {other!r}?" if other in first else f"is {delimiter!r} right?"
    return f"{path}:{line}: there is only one column, {first!r}; {hint}"
