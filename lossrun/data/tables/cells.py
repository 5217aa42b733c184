"""Decide whether a cell of a table is a number, a missing value or a word, by how numbers are written.

Only this module and `disguises` decide it, for text tables and for arrays of words.
"""

import re
from dataclasses import dataclass, field
from typing import Final

# Spellings of a missing number in upper or lower case, as in pandas. In a column of words they are words.
MISSING: Final = frozenset(
    {
        *("", "na", "nan", "-nan", "null", "none", "n/a", "#n/a", "#na", "<na>", "#n/a n/a"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    }
)
# Further cells that usually mean a missing value, so they say nothing about the type of the others.
PLACEHOLDERS: Final = frozenset(
    {
        *("-", "--", "?", ".", "..", "*", "n.a.", "k.a.", "nil", "missing", "unknown", "not available", "\\n"),
        *("#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!"),
    }
)
# Characters of a cell in a message.
LONGEST: Final = 60
SPACE: Final = "[ \u00a0\u2007\u2009\u202f]"
# For each value of the key `thousands`, a regular expression for the sign between thousands.
_BETWEEN: Final = {",": ",", ".": r"\.", " ": SPACE, "'": "['’]", "_": "_"}
THOUSANDS: Final = tuple(_BETWEEN)  # signs that may be between thousands


@dataclass(frozen=True, slots=True)
class CellForm:
    """How numbers are written.

    Attributes:
        decimal: "." or ",".
        missing: Cells that mean a missing value, in addition to MISSING, also in columns of words; a number such as
            -999 in any spelling.
        thousands: The sign between thousands; "" for no sign, or with a decimal comma for a point, a space or an
            apostrophe.
    """

    decimal: str = "."
    missing: frozenset[str] = frozenset()
    thousands: str = ""
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _missing_numbers: frozenset[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pattern", _pattern(self.decimal, self.thousands))
        numbers = frozenset(number for cell in self.missing if (number := self._read(cell)) is not None)
        object.__setattr__(self, "_missing_numbers", numbers)

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as Python writes them."""
        return self._pattern is None

    @property
    def between(self) -> str:
        """A regular expression for what to remove from a number; "" for nothing."""
        return "|".join(_signs_between(self.decimal, self.thousands))

    @property
    def examples(self) -> str:
        """Examples of numbers, such as `1234,5 or 1.234,5`."""
        signs = self.thousands or ("." if self.decimal == "," else "")
        return " or ".join(dict.fromkeys(f"1{sign}234{self.decimal}5" for sign in ("", signs)))

    def number(self, cell: str) -> float | None:
        """Return the number in a cell; NaN for a missing one, None for a word."""
        if cell.lower() in MISSING or cell in self.missing:
            return float("nan")
        number = self._read(cell)
        return float("nan") if number in self._missing_numbers else number

    def plain(self, cell: str) -> str | None:
        """Return the cell with a decimal point and no sign between thousands; None if it is not written in this form.

        A cell without such signs is returned as it is, even if it is no number.
        """
        if self._pattern is None:
            return cell
        if not self._pattern.fullmatch(cell):
            return None if any(sign in cell for sign in ".,") else cell
        digits = re.sub(self.between, "", cell) if self.between else cell
        return digits.replace(",", ".")

    def _read(self, cell: str) -> float | None:
        plain = self.plain(cell)
        return None if plain is None else as_plain_number(plain)

    def says_nothing(self, cell: str) -> bool:
        """Return whether a cell is missing, or a placeholder that says nothing about the column."""
        return cell.lower() in MISSING or cell.lower() in PLACEHOLDERS or cell in self.missing

    def is_empty_word(self, cell: str) -> bool:
        """Return whether a cell in a column of words is empty; NA may be Namibia, unless the config says otherwise."""
        return cell == "" or cell in self.missing


def _signs_between(decimal: str, thousands: str) -> list[str]:
    """Return the signs that may be between thousands; a number has only one of them."""
    if thousands:
        return [_BETWEEN[thousands]]
    return [r"\.", f"{SPACE}|['’]"] if decimal == "," else []


def _pattern(decimal: str, thousands: str) -> re.Pattern[str] | None:
    """Return a pattern for numbers of this form; None for Python's own."""
    between = _signs_between(decimal, thousands)
    if not between:
        return None
    # No number begins with a group of zeros: in 0.123 the point is a decimal point, even if commas are expected.
    groups = [f"[1-9][0-9]{{0,2}}(({sign})[0-9]{{3}})+" for sign in between]
    if thousands:
        # As in India: 1,50,000.
        groups += [f"[1-9][0-9]?(({sign})[0-9]{{2}})+({sign})[0-9]{{3}}" for sign in between]
    point = re.escape(decimal)
    return re.compile(
        rf"[-+]?([0-9]+|{'|'.join(groups)})?({point}[0-9]*)?(e[-+]?[0-9]+)?(?<=[0-9{point}])", re.IGNORECASE
    )


PLAIN: Final = CellForm()


def as_plain_number(cell: str) -> float | None:
    """Return the number as Python reads it; None for a word."""
    try:
        # Python reads 1_000 as a number, but tables do not use it.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def shown(cell: str) -> str:
    """Return a cell for a message; a long one is cut."""
    return cell if len(cell) <= LONGEST else f"{cell[: LONGEST - 3]}..."


def looks_missing(word: str) -> bool:
    """Return whether a word can hardly be a category; None, missing and unknown can."""
    plain = word.lower()
    known = plain in MISSING and plain not in ("", "none")
    return known or (plain in PLACEHOLDERS and not any(character.isalpha() for character in plain))


def is_placeholder(cell: str) -> bool:
    """Return whether a cell that is no number usually means a missing value."""
    return cell.lower() in PLACEHOLDERS
