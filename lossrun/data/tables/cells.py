"""What a cell of a table is: a number, a missing value or a word, by the form in which numbers are written.

This and `disguises` are the only places that decide it, for text tables and for arrays of words alike.
"""

import re
from dataclasses import dataclass, field
from typing import Final

# How a missing number is written, in any case: what pandas reads as such. In a column of words these are words.
MISSING: Final = frozenset(
    {
        *("", "na", "nan", "-nan", "null", "none", "n/a", "#n/a", "#na", "<na>", "#n/a n/a"),
        *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    }
)
# Further cells that stand for no value as a rule: they say nothing about what the others are.
PLACEHOLDERS: Final = frozenset(
    {
        *("-", "--", "?", ".", "..", "*", "n.a.", "k.a.", "nil", "missing", "unknown", "not available", "\\n"),
        *("#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!"),
    }
)
# Of a cell in a message, in characters.
LONGEST: Final = 60
SPACE: Final = "[ \u00a0\u2007\u2009\u202f]"
# What may stand between the thousands, as a regular expression, by the value of the key `thousands`.
_BETWEEN: Final = {",": ",", ".": r"\.", " ": SPACE, "'": "['’]", "_": "_"}


@dataclass(frozen=True, slots=True)
class CellForm:
    """How numbers are written. `decimal`: "." or ",". `missing`: what stands for a missing value besides MISSING, in
    columns of words too; a number such as -999 in whatever way it is written. `thousands`: what stands between them,
    "" for nothing, though with a decimal comma that may be a point, a blank or an apostrophe."""

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
        """What to take out of a number, as a regular expression; "" for nothing."""
        return "|".join(_signs_between(self.decimal, self.thousands))

    @property
    def examples(self) -> str:
        """How numbers are written, such as `1234,5 or 1.234,5`."""
        signs = self.thousands or ("." if self.decimal == "," else "")
        return " or ".join(dict.fromkeys(f"1{sign}234{self.decimal}5" for sign in ("", signs)))

    def number(self, cell: str) -> float | None:
        """The number in a cell, NaN for a missing one, None for a word."""
        if cell.lower() in MISSING or cell in self.missing:
            return float("nan")
        number = self._read(cell)
        return float("nan") if number in self._missing_numbers else number

    def plain(self, cell: str) -> str | None:
        """The cell with a decimal point and nothing between the thousands; None where it is not written in this form.

        A cell without such signs stays as it is, also where it is no number.
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
        """Whether a cell is missing, or a placeholder that tells nothing about what the column holds."""
        return cell.lower() in MISSING or cell.lower() in PLACEHOLDERS or cell in self.missing

    def is_empty_word(self, cell: str) -> bool:
        """Whether a cell in a column of words says nothing: NA is Namibia there, unless the config says otherwise."""
        return cell == "" or cell in self.missing


def _signs_between(decimal: str, thousands: str) -> list[str]:
    """What may stand between the thousands; the same throughout a number."""
    if thousands:
        return [_BETWEEN[thousands]]
    return [r"\.", f"{SPACE}|['’]"] if decimal == "," else []


def _pattern(decimal: str, thousands: str) -> re.Pattern[str] | None:
    """A number of this form; None for Python's own."""
    between = _signs_between(decimal, thousands)
    if not between:
        return None
    # No number begins with a group of zeros: 0.123 is a decimal point where commas are expected.
    groups = [f"[1-9][0-9]{{0,2}}(({sign})[0-9]{{3}})+" for sign in between]
    if thousands:
        # As India has it: 1,50,000.
        groups += [f"[1-9][0-9]?(({sign})[0-9]{{2}})+({sign})[0-9]{{3}}" for sign in between]
    point = re.escape(decimal)
    return re.compile(
        rf"[-+]?([0-9]+|{'|'.join(groups)})?({point}[0-9]*)?(e[-+]?[0-9]+)?(?<=[0-9{point}])", re.IGNORECASE
    )


PLAIN: Final = CellForm()


def as_plain_number(cell: str) -> float | None:
    """The number as Python reads it, None for a word."""
    try:
        # Python reads 1_000 as a number; no table means it.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def shown(cell: str) -> str:
    """A cell in a message, cut where it is long."""
    return cell if len(cell) <= LONGEST else f"{cell[: LONGEST - 3]}..."


def is_placeholder(cell: str) -> bool:
    """Whether a cell that is no number stands for a missing one, as a rule."""
    return cell.lower() in PLACEHOLDERS
