"""A table in memory: which of its columns hold numbers, words or categories, and which cells are missing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from lossrun.data.tables.cells import PLAIN, CellForm, is_placeholder, shown
from lossrun.data.tables.disguises import DisguisedColumn, disguise, disguised, fix_in_csv
from lossrun.data.tables.inputs import EXACT_IN_DOUBLE, GREATEST, SAME_IN_DOUBLE, equal_in_double
from lossrun.errors import DataError

# Numbers with at most this many characters have at most 15 digits, and different ones are different in float64.
_EXACT: Final = 15
# A column with so few different cells may hold categories, if some are words.
MOST_CATEGORIES: Final = 10


@dataclass(frozen=True, slots=True)
class Table:
    """A table: cells without surrounding blanks, column by column.

    Attributes:
        lines: The line of the file where each row ends.
        form: How numbers are written.
        declares_delimiter: Whether a line such as `sep=;` comes first.
        is_new: Whether it holds samples to predict, so that no key of a config can change how it is read.
    """

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]
    form: CellForm = PLAIN
    declares_delimiter: bool = False
    is_new: bool = False
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
            DataError: For any other cell, for numbers beyond float32, and for different numbers that are equal in
                float64, with line and column.
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
        self._check_differences(name, numbers)
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
        """Return whether a cell is not a number, is a code, or is a whole number that float64 would round."""
        numbers, words = self._numbers(name)
        magnitudes = np.abs(numbers)
        rounded = (magnitudes >= EXACT_IN_DOUBLE) & (magnitudes <= GREATEST)
        return bool(words.any() or rounded.any()) or self.code(name) is not None

    def code(self, name: str) -> str | None:
        """Return the first cell that is a code such as 01234, which differs from 1234; None if there is none."""
        cells = self.columns[name]
        return next((cell for cell in cells if cell[:1] == "0" and len(cell) > 1 and cell.isdecimal()), None)

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
        what = f"{shown(cell)!r} is not a number" + ", although most of the column is" * (not self.is_new)
        found = disguise(cell)
        if cell == name:
            fix = "; the line repeats the names of the columns: delete it"
        elif self.is_new:
            fix = f"; {found.fix}" if found else "; write a number, as in the training data"
        elif found and not is_placeholder(cell):
            how = fix_in_csv(found, self.number_cells(self.columns), self.form)
            fix = f" (it looks like {found.looks_like}); {how}"
        else:
            correct = "" if is_placeholder(cell) else "correct the cell, or, "
            fix = f"; {correct}if it stands for a missing value, add missing_values: [{_in_yaml(cell)}]"
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

    def _check_differences(self, name: str, numbers: np.ndarray) -> None:
        """Raise DataError for numbers that differ in the file but are equal in float64."""
        cells = self.columns[name]
        long = np.fromiter(map(len, cells), int, len(cells)) > _EXACT
        written: dict[float, str] = {}
        # Decimals are slow, and the same number is rarely written in two ways.
        if all(written.setdefault(numbers[row], cells[row]) == cells[row] for row in np.flatnonzero(long).tolist()):
            return
        rows = np.flatnonzero(~np.isnan(numbers)).tolist()
        exact = np.array([Decimal(self.form.plain(cells[row]) or "") for row in rows], object)
        if found := equal_in_double(exact, numbers[rows]):
            row, other = (rows[place] for place in found)
            both = f"{shown(cells[row])} and {shown(cells[other])} (line {self.lines[other]})"
            told = f"{self.place(row, name)}: {both} {SAME_IN_DOUBLE}; subtract what the column has in common"
            or_drop = f", or, if these are ids, leave the column out: drop: [{name}]" * (not self.is_new)
            raise DataError(told + or_drop)


def _in_yaml(cell: str) -> str:
    """Return a cell as an item of a list in YAML."""
    return f'"{cell}"' if '"' not in cell else f"'{cell}'"
