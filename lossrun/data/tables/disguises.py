"""Find numbers in disguise: cells that people read as numbers and programs as words."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from lossrun.data.tables.cells import LONGEST, PLAIN, SPACE, CellForm, as_plain_number, shown
from lossrun.data.tables.measures import AMOUNT, DATE, DIGITS, DURATION, MONEY, MULTIPLE, PERIOD, SIGN, TIME, UNIT
from lossrun.data.tables.templates import around_numbers

# Classes such as 9:00 and 14:00 are repeated many times; amounts rarely are.
FEW: Final = 5
# Different words that may stand for missing numbers in a column.
FEW_WORDS: Final = 2


class Disguise(NamedTuple):
    """What a cell looks like, and how to turn such cells into numbers.

    Attributes:
        by_form: Whether keys of a csv file can name the signs that make it look like a word.
        certain: Whether a cell can hardly be anything else. Otherwise categories may be written like this too.
    """

    looks_like: str
    fix: str
    by_form: bool = False
    certain: bool = True


@dataclass(frozen=True, slots=True)
class DisguisedColumn:
    """A column of numbers in disguise.

    Attributes:
        place: The index of the first such cell.
        repeats: Whether there are few different cells that are repeated, as in categories.
        may_be_categories: Whether the words may be meant as words.
        words: One or two different cells that look like no number, and may stand for missing ones.
    """

    place: int
    cell: str
    disguise: Disguise
    repeats: bool
    words: tuple[str, ...] = ()

    @property
    def may_be_categories(self) -> bool:
        return self.repeats or not self.disguise.certain


def disguised(cells: Sequence[str], form: CellForm = PLAIN) -> DisguisedColumn | None:
    """Return what is known about a column of words if most of its cells are numbers to a person but not to a program.

    Some cells may be words: a tenth of the cells, or up to half if they are one or two words such as `sold out`. It is
    None for columns of words, ids and classes, such as A4, AB-12 or class 1, and of few different ranges such as 18-25.
    """
    counts = Counter(cells)
    said = {cell: count for cell, count in counts.items() if not form.says_nothing(cell)}
    total = sum(said.values())
    found: Counter[Disguise] = Counter()
    examples: dict[Disguise, str] = {}
    words: list[str] = []
    amount = numbers = 0
    has_fractions = False
    for cell, count in said.items():
        number = form.number(cell)
        if number is not None:
            numbers += count
            has_fractions = has_fractions or not number.is_integer()
            continue
        kind = disguise(cell)
        if kind is None and as_plain_number(cell) is not None:
            kind = _POINTS  # a number, but the config asks for decimal commas
        if kind is None:
            words, amount = [*words, cell], amount + count
            if 2 * amount > total or (10 * amount > total and len(words) > FEW_WORDS):
                return _in_text(cells, said, form)
        else:
            found[kind] += count
            examples.setdefault(kind, cell)
    if len(found) > 1:
        # 1,500.50 shows what the comma in 1,500 means.
        del found[_UNCLEAR]
    repeats = _repeats(said)
    few = tuple(words) if len(words) <= FEW_WORDS else ()
    if not found:
        # Words of digits are common, and are classes.
        if 2 * numbers <= total or (repeats and not has_fractions):
            return None
        cell = next(cell for cell in said if form.number(cell) is not None)
        return DisguisedColumn(cells.index(cell), cell, TEXT, repeats, few)
    if len(said) <= FEW and _WEAK.issuperset(found):
        return None
    kind = found.most_common(1)[0][0]
    cell = examples[kind]
    return DisguisedColumn(cells.index(cell), cell, kind, repeats, few)


def _in_text(cells: Sequence[str], said: Mapping[str, int], form: CellForm) -> DisguisedColumn | None:
    """Return what is known about a column in which only a number differs from cell to cell."""
    others = {cell: count for cell, count in said.items() if form.number(cell) is None}
    numbers = around_numbers(others) if len(said) > FEW else None
    if numbers is None:
        return None
    cell = next(cell for cell in others if any(character.isdigit() for character in cell))
    return DisguisedColumn(cells.index(cell), cell, _IN_TEXT[numbers], _repeats(said))


def _repeats(said: Mapping[str, int]) -> bool:
    return len(said) <= 2 * FEW and 3 * len(said) <= sum(said.values())


def disguise(cell: str) -> Disguise | None:
    """Return what a single cell looks like; None for a word."""
    # Most words have no digit, and long texts are not numbers.
    if len(cell) > LONGEST or not any(character.isnumeric() for character in cell):
        return None
    return next((found for pattern, found in _compiled() if pattern.fullmatch(cell)), None)


@cache
def _compiled() -> tuple[tuple[re.Pattern[str], Disguise], ...]:
    """Return the patterns, compiled when first needed, because that takes longer than reading a small table."""
    return tuple((re.compile(pattern), found) for pattern, found in _PATTERNS)


def fix_in_csv(kind: Disguise, column: Collection[str], form: CellForm) -> str:
    """Return how to get numbers from a column of a csv file: write them differently, or set a key of the dataset."""
    if not kind.by_form:
        return kind.fix
    fix = kind.fix if form.is_plain else f"write numbers as {form.examples}"
    ways = _keys_that_read(column, form)
    return f"{fix}, or {' or '.join(ways)}" if ways else fix


def _keys_that_read(column: Collection[str], form: CellForm) -> list[str]:
    """Return changes of the config that read every such cell as a number: one for each meaning the cells can have."""
    said = [cell for cell in dict.fromkeys(column) if not form.says_nothing(cell)]
    cells = [cell for cell in said if any(read(cell) is not None for read in (form.number, as_plain_number, disguise))]
    meanings: dict[tuple[float | None, ...], str] = {}
    for decimal, thousands in _FORMS:
        other = CellForm(decimal, form.missing, thousands)
        numbers = tuple(other.number(cell) for cell in cells)
        if None not in numbers:
            meanings.setdefault(numbers, _change(form, other))
    if len(meanings) < 2:
        return list(meanings.values())
    # 1,500 may be 1500 or 1.5.
    place = next(place for place, numbers in enumerate(zip(*meanings, strict=True)) if len(set(numbers)) > 1)
    return [f"{way} ({shown(cells[place])} is {numbers[place]:.12g})" for numbers, way in meanings.items()]


def _change(form: CellForm, other: CellForm) -> str:
    """Return what to add to the config, or to remove from it, for numbers of another form."""
    usual = CellForm()
    keys = [(key, getattr(usual, key), getattr(form, key), getattr(other, key)) for key in ("decimal", "thousands")]
    added = [f"{key}: {_in_yaml(new)}" for key, default, old, new in keys if new not in (old, default)]
    dropped = [f"{key}: {_in_yaml(old)}" for key, default, old, new in keys if old != new == default]
    parts = [f"add {' and '.join(added)}"] * bool(added) + [f"leave {' and '.join(dropped)} out"] * bool(dropped)
    return " and ".join(parts)


def _in_yaml(sign: str) -> str:
    return f'"{sign}"' if sign == "'" else f"'{sign}'"


_BETWEEN: Final = f"(?:{SPACE}|[,.'’_])"
# The forms that the keys can name, the most likely first.
_FORMS: Final = ((".", ""), (".", ","), (".", " "), (".", "'"), (".", "_"), (",", ""))
# Characters that nobody sees: marks of the direction of writing, spaces of width 0, a byte order mark.
UNSEEN: Final = "[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
_QUOTES: Final = "[\"'‘’‚“”„«»`´]"

_DATE: Final = Disguise("dates", "replace them by numbers, such as the year or the days since the first date")
TEXT: Final = Disguise("numbers written as text", "convert them to numbers: astype(float)")
_COMMAS: Final = Disguise("decimal commas", "write decimal points and nothing between the thousands", by_form=True)
_POINTS: Final = Disguise("decimal points", "write decimal commas", by_form=True)
_UNCLEAR: Final = Disguise(
    "numbers with commas",
    "write 1500 if the comma stands between thousands, or 1.5 if it is a decimal comma",
    by_form=True,
)
_GROUPED: Final = Disguise(
    "numbers with signs between the thousands",
    "write 1500.5, with a decimal point and nothing between the thousands",
    by_form=True,
)
_CURRENCY: Final = Disguise("amounts of money", "write only the number, and the currency in the column name")
_UNIT: Final = Disguise("numbers with a unit", "write only the number, and the unit in the column name")
_PERCENT: Final = Disguise("percentages", "write only the number, such as 56 or 0.56")
_ACCOUNTING: Final = Disguise("numbers with an accountant's sign", "write the sign before the number, such as -5")
_MINUS: Final = Disguise("numbers with a typographic minus", "write an ordinary hyphen, such as -5")
_VULGAR: Final = Disguise("fractions", "write decimals, such as 0.5")
_PHONE: Final = Disguise("telephone numbers", "leave the column out")
_OTHER_DIGITS: Final = Disguise("numbers in other digits", "use the digits 0 to 9 and a decimal point")
_DURATION: Final = Disguise("durations", "write them in one unit, such as 90 for 1:30 in seconds")
_QUOTED: Final = Disguise("numbers in quotes", "write the numbers without these signs")
_WITH_UNSEEN: Final = Disguise("numbers with invisible characters", "remove them: keep only digits and signs")
_POWERS: Final = Disguise("powers of ten", "write them as 1.5e3")
_RATING: Final = Disguise("ratings", "write only the first number, such as 4.5 for 4.5/5")
_RATIO: Final = Disguise("ratios", "write decimals, such as 0.5")
_CLOCK: Final = Disguise("times of day", "replace them by numbers, such as hours or minutes")
_BOUND: Final = Disguise("bounds of numbers", "write only the number, such as 5 for <5")
_HEXADECIMAL: Final = Disguise("hexadecimal numbers", "write decimal numbers")
_SHORT: Final = Disguise("numbers shortened by a letter", "write them in full, such as 5000 for 5K")
# Classes may be written like this too, so these are reported only if there are many different ones.
_WEAK: Final = frozenset({_RATIO, _CLOCK, _BOUND, _HEXADECIMAL, _SHORT})
# What the cells have in common shows it, and not any single cell.
_IN_TEXT: Final[dict[str, Disguise]] = {
    "one": Disguise(
        "numbers with text around them", "write only the number, and what it means in the column name", certain=False
    ),
    "several": Disguise(
        "several numbers in one cell", "write each in its own column, or one number in their place", certain=False
    ),
}
# For each of what: $5/hr, $1,200 per month.
_EACH: Final = rf"(?:{SPACE}?(?:/|per ){SPACE}?[^\W\d_][^\d\s]*)"

_PATTERNS: Final[tuple[tuple[str, Disguise], ...]] = (
    (DATE, _DATE),
    (PERIOD, _DATE),
    # With a hyphen it would be a plain number, even if it has three decimals.
    (rf"[\u2212\u2013]{SPACE}?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", _MINUS),
    (DURATION, _DURATION),
    (r"[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+", _UNCLEAR),
    (r"[-+]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?,[0-9]+", _COMMAS),
    (rf"{SIGN}[0-9]{{1,3}}(?:{_BETWEEN}[0-9]{{2,3}})*{_BETWEEN}[0-9]{{3}}(?:[.,][0-9]+)?", _GROUPED),
    (r"[-+]?[0-9]+(?:_[0-9]+)+(?:\.[0-9]+)?", _GROUPED),
    (
        rf"{AMOUNT}(?i:[%％‰]|per ?cent|pct\.?|prozent)(?:{SPACE}?p\.a\.)?|[%％]{SPACE}?{AMOUNT}"
        rf"|\({SPACE}?{AMOUNT}\)?[%％]\)?",
        _PERCENT,
    ),
    (
        rf"[-+(]?{SPACE}?(?:{MONEY}{SPACE}?\(?{AMOUNT}|{AMOUNT}{MONEY})(?:{MULTIPLE}|[mb])?[-)]?(?:\.-|,-|\.--)?{_EACH}?"
        rf"|{AMOUNT}(?:[,.]-{SPACE})?{MULTIPLE}?{SPACE}?{MONEY}{_EACH}?",
        _CURRENCY,
    ),
    (rf"{AMOUNT}{MULTIPLE}?-?{UNIT}|[0-9]+' ?[0-9]{{1,2}}(?:\"|'')", _UNIT),
    (rf"\({SPACE}?(?:{DIGITS}){SPACE}?\)|(?:{DIGITS}){SPACE}?-", _ACCOUNTING),
    (rf"=?(?:{_QUOTES}{SPACE}?{AMOUNT}{_QUOTES}?)", _QUOTED),
    (rf"{UNSEEN}*{AMOUNT}{UNSEEN}+|{UNSEEN}+{AMOUNT}", _WITH_UNSEEN),
    (rf"[-+]?[0-9]+(?:\.[0-9]*)?(?:[dD][-+]?[0-9]+|{SPACE}?[x×*]{SPACE}?10(?:\^|\*\*)?[-+−]?[0-9⁰¹²³⁴-⁹⁻]+)", _POWERS),
    (rf"[\u2212\u2013]{SPACE}?(?:{DIGITS})|[-+] (?:{DIGITS})", _MINUS),
    (rf"{SIGN}(?:[0-9]+{SPACE}?)?[¼-¾⅐-⅞]", _VULGAR),
    (r"\+[0-9]{1,3}[ 0-9()/-]{5,}", _PHONE),
    # \d matches all digits, such as Arabic, Devanagari and full-width ones.
    (r"(?=.*[^\x00-\x7f])[-+]?\d[\d.,\u066b\u066c\uff0e\uff0c]*", _OTHER_DIGITS),
    (r"[-+]?(?:[0-9]+ )?[0-9]+ ?/ ?[0-9]+", _RATIO),
    (rf"{AMOUNT}(?:/{SPACE}?|out of )[0-9]+", _RATING),
    (TIME, _CLOCK),
    (
        rf"(?:[<>≤≥~≈±]=?|(?i:ca\.?|approx\.?|about|around|over|under|up to)){SPACE}?{AMOUNT}(?:{UNIT}|{MULTIPLE})?",
        _BOUND,
    ),
    (rf"(?:[0-9]{{3,}}|[0-9]+(?:{_BETWEEN}[0-9]{{3}})+)\+", _BOUND),
    (r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+", _HEXADECIMAL),
    (rf"{AMOUNT}{MULTIPLE}", _SHORT),
)  # fmt: skip
