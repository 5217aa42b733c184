"""Find numbers in disguise: cells that people read as numbers and programs as words."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from lossrun.data.tables.cells import PLAIN, SPACE, CellForm, as_plain_number, shown

# Classes such as 9:00 and 14:00 are repeated many times; amounts rarely are.
FEW: Final = 5


class Disguise(NamedTuple):
    """What a cell looks like, and how to turn such cells into numbers.

    Attributes:
        by_form: Whether keys of a csv file can name the signs that make it look like a word.
    """

    looks_like: str
    fix: str
    by_form: bool = False


@dataclass(frozen=True, slots=True)
class DisguisedColumn:
    """A column of numbers in disguise.

    Attributes:
        place: The index of the first such cell.
        repeats: Whether there are few different cells that are repeated, as in categories.
    """

    place: int
    cell: str
    disguise: Disguise
    repeats: bool


def disguised(cells: Sequence[str], form: CellForm = PLAIN) -> DisguisedColumn | None:
    """Return what is known about a column of words if most of its cells are numbers to a person but not to a program.

    It is None for columns of words, ids and classes, such as A4, 18-25, AB-12 or class 1.
    """
    counts = Counter(cells)
    said = {cell: count for cell, count in counts.items() if not form.says_nothing(cell)}
    total = sum(said.values())
    found: Counter[Disguise] = Counter()
    examples: dict[Disguise, str] = {}
    words = numbers = 0
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
            words += count
            if 10 * words > total:
                return None
        else:
            found[kind] += count
            examples.setdefault(kind, cell)
    if len(found) > 1:
        # 1,500.50 shows what the comma in 1,500 means.
        del found[_UNCLEAR]
    repeats = len(said) <= 2 * FEW and 3 * len(said) <= total
    if not found:
        # Words of digits are common, and are classes.
        if 2 * numbers <= total or (repeats and not has_fractions):
            return None
        cell = next(cell for cell in said if form.number(cell) is not None)
        return DisguisedColumn(cells.index(cell), cell, _TEXT, repeats)
    if len(said) <= FEW and _WEAK.issuperset(found):
        return None
    kind = found.most_common(1)[0][0]
    cell = examples[kind]
    return DisguisedColumn(cells.index(cell), cell, kind, repeats)


def disguise(cell: str) -> Disguise | None:
    """Return what a single cell looks like; None for a word."""
    # Most words have no digit.
    if not any(character.isnumeric() for character in cell):
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
    cells = [cell for cell in said if form.number(cell) is not None or disguise(cell) is not None]
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
_SIGN: Final = "[-+\u2212\u2013]?"
# Digits with the signs that may be between and after them.
_DIGITS: Final = rf"[0-9](?:(?:{SPACE}|[.,'’_])?[0-9])*(?:[eE][-+]?[0-9]+)?|[.,][0-9]+(?:[eE][-+]?[0-9]+)?"
_AMOUNT: Final = rf"{_SIGN}{SPACE}?(?:{_DIGITS}){SPACE}?"
_MONEY: Final = (
    "(?:[A-Z]{0,2}[$€£¥₹₽₩₺₫₪₴฿₿¢]|USD|EUR|GBP|CHF|JPY|CNY|INR|RUB|SEK|NOK|DKK|PLN|CZK|HUF|TRY|BRL|AUD|CAD|NZD|ZAR|MXN"
    "|KRW|SGD|HKD|Rs\\.?|Fr\\.?|kr\\.?|zł)"
)
_UNITS: Final = (
    # Shares, lengths, areas, volumes, weights.
    "%", "‰", "percent", "pct", "pp", "bps", "nm", "µm", "μm", "um", "mm", "cm", "dm", "m", "km", "mi", "miles?", "ft",
    "feet", "inch(?:es)?", "in", "yd", "m2", "m²", "km2", "km²", "sqm", "sqft", "sq\\.? ?ft\\.?", "ha", "acres?", "m3",
    "m³", "l", "L", "ml", "mL", "cl", "dl", "hl", "gal", "liters?", "litres?", "µg", "μg", "ug", "mg", "g", "kg", "t",
    "lbs?", "oz", "tons?", "tonnes?",
    # Times and speeds.
    "ns", "µs", "μs", "us", "ms", "s", "secs?", "seconds?", "min", "mins", "minutes?", "h", "hrs?", "hours?", "days?",
    "weeks?", "months?", "years?", "yrs?", "km/?h", "kmph", "mph", "m/s", "kn", "knots", "rpm", "fps",
    # Everything else that is measured.
    "°", "°C", "°F", "º", "ºC", "℃", "℉", "mV", "kV", "V", "mA", "W", "kW", "MW", "Wh", "kWh", "MWh", "hp", "bhp", "PS",
    "cc", "ccm", "CC", "Hz", "kHz", "MHz", "GHz", "Ω", "ohm", "kΩ", "Pa", "hPa", "kPa", "MPa", "m?bar", "psi", "mmHg",
    "J", "kJ", "k?cal", "m?mol", "mol", "ppm", "ppb", "[kKMGT]B", "[kKMGT]iB", "[kMG]bps", "dB", "bpm", "px", "pts?",
    "kmpl", "km/kg", "mpg", "mg/dl", "mg/dL", "mmol/l", "mmol/L", "kg/m2", "kg/m²", "g/l", "g/dl",
)  # fmt: skip
_MONTH: Final = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez)[a-zä]*\\.?"
_TIME: Final = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?: ?[aApP]\.?[mM]\.?)?"
_DAY: Final = (
    rf"(?:[0-9]{{4}}[-/.][0-9]{{1,2}}[-/.][0-9]{{1,2}}|[0-9]{{1,2}}[-/.][0-9]{{1,2}}[-/.](?:[0-9]{{4}}|[0-9]{{2}})"
    rf"|[0-9]{{1,2}}[- .]{{1,2}}{_MONTH}[- ,]{{1,2}}[0-9]{{2,4}}|{_MONTH}[- ]?[0-9]{{1,2}},? [0-9]{{4}})"
)
# Only whole names, because Marker 12 and Decoder 10 are no months.
_PERIOD: Final = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?[- /]'?(?:[0-9]{4}|[0-9]{2})|[0-9]{4}[- ]?q[1-4]|q[1-4][- /][0-9]{4}"
)

_DATE: Final = Disguise("dates", "replace them by numbers, such as the year or the days since the first date")
_TEXT: Final = Disguise("numbers written as text", "convert them to numbers: astype(float)")
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
_RATIO: Final = Disguise("ratios", "write decimals, such as 0.5")
_CLOCK: Final = Disguise("times of day", "replace them by numbers, such as hours or minutes")
_BOUND: Final = Disguise("bounds of numbers", "write only the number, such as 5 for <5")
_HEXADECIMAL: Final = Disguise("hexadecimal numbers", "write decimal numbers")
_SHORT: Final = Disguise("numbers shortened by a letter", "write them in full, such as 5000 for 5K")
# Classes may be written like this too, so these are reported only if there are many different ones.
_WEAK: Final = frozenset({_RATIO, _CLOCK, _BOUND, _HEXADECIMAL, _SHORT})

_PATTERNS: Final[tuple[tuple[str, Disguise], ...]] = (
    (rf"(?i){_DAY}(?:[T ,]+{_TIME}(?:Z| ?[-+][0-9]{{2}}:?[0-9]{{2}}| [A-Z]{{3,4}})?)?", _DATE),
    (rf"(?i)[0-9]{{4}}[-/](?:0[1-9]|1[0-2])|{_PERIOD}", _DATE),
    (r"[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+", _UNCLEAR),
    (r"[-+]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?,[0-9]+", _COMMAS),
    (rf"{_SIGN}[0-9]{{1,3}}(?:{_BETWEEN}[0-9]{{2,3}})*{_BETWEEN}[0-9]{{3}}(?:[.,][0-9]+)?", _GROUPED),
    (r"[-+]?[0-9]+(?:_[0-9]+)+(?:\.[0-9]+)?", _GROUPED),
    (rf"{_AMOUNT}(?:%|percent|pct\.?|‰)|%{SPACE}?{_AMOUNT}", _PERCENT),
    (
        rf"[-+(]?{SPACE}?(?:{_MONEY}{SPACE}?{_AMOUNT}|{_AMOUNT}{_MONEY})(?:[kKmMbB]n?|mio\.?|mrd\.?)?[-)]?(?:\.-|,-|\.--)?"
        rf"|{_AMOUNT}(?:[kKmMbB]n?|mio\.?|mrd\.?)?{SPACE}?{_MONEY}",
        _CURRENCY,
    ),
    (rf"{_AMOUNT}(?:{'|'.join(_UNITS)})|[0-9]+' ?[0-9]{{1,2}}(?:\"|'')", _UNIT),
    (rf"\({SPACE}?(?:{_DIGITS}){SPACE}?\)|(?:{_DIGITS}){SPACE}?-", _ACCOUNTING),
    (rf"[\u2212\u2013]{SPACE}?(?:{_DIGITS})|[-+] (?:{_DIGITS})", _MINUS),
    (rf"{_SIGN}(?:[0-9]+{SPACE}?)?[¼-¾⅐-⅞]", _VULGAR),
    (r"\+[0-9]{1,3}[ 0-9()/-]{5,}", _PHONE),
    # \d matches all digits, such as Arabic, Devanagari and full-width ones.
    (r"(?=.*[^\x00-\x7f])[-+]?\d[\d.,\u066b\u066c\uff0e\uff0c]*", _OTHER_DIGITS),
    (r"[-+]?(?:[0-9]+ )?[0-9]+ ?/ ?[0-9]+", _RATIO),
    (_TIME, _CLOCK),
    (rf"(?:[<>≤≥~≈±]=?|ca\.?|approx\.?){SPACE}?{_AMOUNT}(?:{'|'.join(_UNITS)}|[kKMB])?", _BOUND),
    (r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+", _HEXADECIMAL),
    (rf"{_AMOUNT}(?:[kKMB]|mn|bn|[Mm]io\.?|[Mm]rd\.?)", _SHORT),
)  # fmt: skip
