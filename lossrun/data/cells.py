"""What a cell of a table is: a number, a missing value, a word, or a number in disguise.

This is the only place that decides it, for text tables and for arrays of words alike.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

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
# Classes such as 9:00 and 14:00 come up again and again; amounts rarely do.
FEW: Final = 5
# Of a cell in a message, in characters.
LONGEST: Final = 60


@dataclass(frozen=True, slots=True)
class CellForm:
    """How cells are written. `decimal`: "." or ","; with "," a point, a blank or an apostrophe may stand between the
    thousands. `missing`: what stands for a missing value besides MISSING, in columns of words too; a number such as
    -999 in whatever way it is written."""

    decimal: str = "."
    missing: frozenset[str] = frozenset()
    _missing_numbers: frozenset[float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = frozenset(number for cell in self.missing if (number := self._read(cell)) is not None)
        object.__setattr__(self, "_missing_numbers", numbers)

    def number(self, cell: str) -> float | None:
        """The number in a cell, NaN for a missing one, None for a word."""
        if cell.lower() in MISSING or cell in self.missing:
            return float("nan")
        number = self._read(cell)
        return float("nan") if number in self._missing_numbers else number

    def _read(self, cell: str) -> float | None:
        if self.decimal == ",":
            if not _COMMA_NUMBER.fullmatch(cell):
                return None if any(sign in cell for sign in ".,") else _plain(cell)
            cell = re.sub(BETWEEN_THOUSANDS, "", cell).replace(",", ".")
        return _plain(cell)

    def is_empty_word(self, cell: str) -> bool:
        """Whether a cell in a column of words says nothing: NA is Namibia there, unless the config says otherwise."""
        return cell == "" or cell in self.missing


PLAIN: Final = CellForm()


def _plain(cell: str) -> float | None:
    try:
        # Python reads 1_000 as a number; no table means it.
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


class Disguise(NamedTuple):
    """What a cell looks like, in words, and how to make numbers of such cells; `read_with`: the key of a csv file that
    reads them as they are, if there is one."""

    looks_like: str
    fix: str
    read_with: str = ""

    def fix_in_csv(self, form: CellForm) -> str:
        if not self.read_with:
            return self.fix
        if form.decimal == ",":
            return "write numbers as 1234,5 or 1.234,5"
        return f"{self.fix}, or have them read as they are: {self.read_with}"


@dataclass(frozen=True, slots=True)
class DisguisedColumn:
    """`place`: of the first cell of its kind among the cells asked about; `repeats`: few different cells that come up
    again and again, as those of a category do."""

    place: int
    cell: str
    disguise: Disguise
    repeats: bool


def disguised(cells: Sequence[str], form: CellForm = PLAIN) -> DisguisedColumn | None:
    """What to ask about a column of words: most of its cells are numbers to a person but not to a program.

    None for columns of words, ids and classes, such as A4, 18-25, AB-12 or class 1.
    """
    counts = Counter(cells)
    said = {
        cell: count
        for cell, count in counts.items()
        if not (cell.lower() in MISSING or cell.lower() in PLACEHOLDERS or cell in form.missing)
    }
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
        if kind is None and _plain(cell) is not None:
            kind = _POINTS  # read as a number, but for the comma that the config asks for
        if kind is None:
            words += count
            if 10 * words > total:
                return None
        else:
            found[kind] += count
            examples.setdefault(kind, cell)
    if len(found) > 1:
        # Of 1,500 and 1,500.50 the second one tells what the comma is.
        del found[_UNCLEAR]
    repeats = len(said) <= 2 * FEW and 3 * len(said) <= total
    if not found:
        # Digits come as words often enough, and are classes then.
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
    """What a single cell looks like, None for a word."""
    # The commonest words have no digit.
    if not any(character.isnumeric() for character in cell):
        return None
    return next((found for pattern, found in _PATTERNS if pattern.fullmatch(cell)), None)


def shown(cell: str) -> str:
    """A cell in a message, cut where it is long."""
    return cell if len(cell) <= LONGEST else f"{cell[: LONGEST - 3]}..."


def is_placeholder(cell: str) -> bool:
    """Whether a cell that is no number stands for a missing one, as a rule."""
    return cell.lower() in PLACEHOLDERS


_SPACE: Final = "[ \u00a0\u2007\u2009\u202f]"
_BETWEEN: Final = f"(?:{_SPACE}|[,.'’_])"
BETWEEN_THOUSANDS: Final = f"{_SPACE}|[.'’]"
# No number begins with a group of zeros: 0.123 is a decimal point where commas are expected.
_COMMA_NUMBER: Final = re.compile(
    rf"[-+]?([0-9]+|[1-9][0-9]{{0,2}}((\.[0-9]{{3}})+|(({_SPACE}|['’])[0-9]{{3}})+))?"
    r"(,[0-9]*)?(e[-+]?[0-9]+)?(?<=[0-9,])",
    re.IGNORECASE,
)
_SIGN: Final = "[-+\u2212\u2013]?"
# Digits with whatever may stand between and after them.
_DIGITS: Final = rf"[0-9](?:(?:{_SPACE}|[.,'’_])?[0-9])*(?:[eE][-+]?[0-9]+)?|[.,][0-9]+(?:[eE][-+]?[0-9]+)?"
_AMOUNT: Final = rf"{_SIGN}{_SPACE}?(?:{_DIGITS}){_SPACE}?"
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
# Whole names only: Marker 12 and Decoder 10 are no months.
_PERIOD: Final = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?[- /]'?(?:[0-9]{4}|[0-9]{2})|[0-9]{4}[- ]?q[1-4]|q[1-4][- /][0-9]{4}"
)

_PARTS: Final = "write a date as numbers, such as a year or days since the first one"
_NOTHING_BETWEEN: Final = "write numbers as 1500.5, with a decimal point and nothing between the thousands"
_DATE: Final = Disguise("dates", _PARTS)
_TEXT: Final = Disguise("numbers written as text", "make them numbers: astype(float)")
_COMMAS: Final = Disguise("decimal commas", "write decimal points and nothing between the thousands", "decimal: ','")
_POINTS: Final = Disguise("decimal points", "leave decimal: ',' out")
_UNCLEAR: Final = Disguise(
    "numbers with commas",
    "write 1500 if the comma stands between thousands, and 1.5 if it is a decimal comma",
    "decimal: ',' (a decimal comma)",
)
_GROUPED: Final = Disguise("numbers with signs between the thousands", _NOTHING_BETWEEN)
_CURRENCY: Final = Disguise("amounts of money", "write the number alone, and the currency in the name of the column")
_UNIT: Final = Disguise("numbers with a unit", "write the number alone, and the unit in the name of the column")
_PERCENT: Final = Disguise("percentages", "write the number alone, such as 56 or 0.56")
_ACCOUNTING: Final = Disguise("numbers with an accountant's sign", "write the sign before the number, such as -5")
_MINUS: Final = Disguise("numbers with a typographic minus", "write an ordinary hyphen, such as -5")
_VULGAR: Final = Disguise("fractions", "write decimals, such as 0.5")
_PHONE: Final = Disguise("telephone numbers", "leave the column out")
_OTHER_DIGITS: Final = Disguise("numbers in other digits", "write 0 to 9 and a decimal point")
_RATIO: Final = Disguise("ratios", "write decimals, such as 0.5")
_CLOCK: Final = Disguise("times of day", "write them as numbers, such as hours or minutes")
_BOUND: Final = Disguise("bounds of numbers", "write the number alone, such as 5 for <5")
_HEXADECIMAL: Final = Disguise("hexadecimal numbers", "write decimal numbers")
_SHORT: Final = Disguise("numbers shortened by a letter", "write them out, such as 5000 for 5K")
# What classes may be called too: asked about where there are many different ones.
_WEAK: Final = frozenset({_RATIO, _CLOCK, _BOUND, _HEXADECIMAL, _SHORT})

_PATTERNS: Final[tuple[tuple[re.Pattern[str], Disguise], ...]] = (
    (re.compile(rf"{_DAY}(?:[T ,]+{_TIME}(?:Z| ?[-+][0-9]{{2}}:?[0-9]{{2}}| [A-Z]{{3,4}})?)?", re.IGNORECASE), _DATE),
    (re.compile(rf"[0-9]{{4}}[-/](?:0[1-9]|1[0-2])|{_PERIOD}", re.IGNORECASE), _DATE),
    (re.compile(r"[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+"), _UNCLEAR),
    (re.compile(r"[-+]?(?:[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+),[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?,[0-9]+"), _COMMAS),
    (re.compile(rf"{_SIGN}[0-9]{{1,3}}(?:{_BETWEEN}[0-9]{{2,3}})*{_BETWEEN}[0-9]{{3}}(?:[.,][0-9]+)?"), _GROUPED),
    (re.compile(r"[-+]?[0-9]+(?:_[0-9]+)+(?:\.[0-9]+)?"), _GROUPED),
    (re.compile(rf"{_AMOUNT}(?:%|percent|pct\.?|‰)|%{_SPACE}?{_AMOUNT}"), _PERCENT),
    (
        re.compile(
            rf"[-+(]?{_SPACE}?(?:{_MONEY}{_SPACE}?{_AMOUNT}|{_AMOUNT}{_MONEY})(?:[kKmMbB]n?|mio\.?|mrd\.?)?[-)]?(?:\.-|,-|\.--)?"
            rf"|{_AMOUNT}(?:[kKmMbB]n?|mio\.?|mrd\.?)?{_SPACE}?{_MONEY}"
        ),
        _CURRENCY,
    ),
    (re.compile(rf"{_AMOUNT}(?:{'|'.join(_UNITS)})|[0-9]+' ?[0-9]{{1,2}}(?:\"|'')"), _UNIT),
    (re.compile(rf"\({_SPACE}?(?:{_DIGITS}){_SPACE}?\)|(?:{_DIGITS}){_SPACE}?-"), _ACCOUNTING),
    (re.compile(rf"[\u2212\u2013]{_SPACE}?(?:{_DIGITS})|[-+] (?:{_DIGITS})"), _MINUS),
    (re.compile(rf"{_SIGN}(?:[0-9]+{_SPACE}?)?[¼-¾⅐-⅞]"), _VULGAR),
    (re.compile(r"\+[0-9]{1,3}[ 0-9()/-]{5,}"), _PHONE),
    # \d is any digit there is: Arabic, Devanagari, full-width.
    (re.compile(r"(?=.*[^\x00-\x7f])[-+]?\d[\d.,\u066b\u066c\uff0e\uff0c]*"), _OTHER_DIGITS),
    (re.compile(r"[-+]?(?:[0-9]+ )?[0-9]+ ?/ ?[0-9]+"), _RATIO),
    (re.compile(_TIME), _CLOCK),
    (re.compile(rf"(?:[<>≤≥~≈±]=?|ca\.?|approx\.?){_SPACE}?{_AMOUNT}(?:{'|'.join(_UNITS)}|[kKMB])?"), _BOUND),
    (re.compile(r"0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+"), _HEXADECIMAL),
    (re.compile(rf"{_AMOUNT}(?:[kKMB]|mn|bn|[Mm]io\.?|[Mm]rd\.?)"), _SHORT),
)  # fmt: skip
