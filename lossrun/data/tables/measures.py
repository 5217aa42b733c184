"""How people write what they measure: currencies, units, months and times, as parts of regular expressions."""

from typing import Final

from lossrun.data.tables.cells import SPACE

SIGN: Final = "[-+\u2212\u2013]?"
# Digits with the signs that may be between and after them.
DIGITS: Final = rf"[0-9](?:(?:{SPACE}|[.,'’_])?[0-9])*(?:[eE][-+]?[0-9]+)?|[.,][0-9]+(?:[eE][-+]?[0-9]+)?"
AMOUNT: Final = rf"{SIGN}{SPACE}?(?:{DIGITS}){SPACE}?"
# What multiplies a number: 1.5M, 3 million, 2 crore.
_NAMED: Final = "mio\\.?|mrd\\.?|(?:thousand|million|billion|trillion|lakh|lac|crore)s?|cr\\.?"
MULTIPLE: Final = rf"(?:[kKMB]|[mb]n|{SPACE}?(?i:{_NAMED})|[万萬億亿])"
_SIGNS_OF_MONEY: Final = "[$¢£¤¥֏؋৳฿₠-⃀﷼＄￠￡￥￦]"
# ISO 4217.
_CODES: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL BTC ETH RMB"
)
MONEY: Final = (
    rf"(?:[A-Z]{{0,2}}{_SIGNS_OF_MONEY}|{'|'.join(_CODES.split())}|RM|Rp\.?|Rs\.?|S/\.?|Fr\.?|[kK]r\.?|zł|Kč|Ft|[lL]ei"
    r"|лв\.?|руб\.?|р\.|грн\.?|円|元|원)"
)
# Only in the cases given, because 4G and 2D are not weights and lengths.
_SHORT_UNITS: Final = (
    "%", "‰", "m", "l", "L", "g", "t", "s", "h", "V", "W", "J", "N", "°", "º", "Ω", "°C", "°F", "ºC", "℃", "℉", "PS",
    "Hz", "Pa", "pp", "in", "mi", "px", "[kKMGT]B", "[kKMGT]iB", "[kMG]bps", "[mM]ol",
)  # fmt: skip
_UNITS: Final = (
    # Shares, lengths, areas, volumes, weights.
    "percent", "per cent", "pct", "prozent", "bps", "nm", "[µμu]m", "mm", "cm", "dm", "kms?", "miles?", "ft", "feet",
    "foot", "inch(?:es)?", "yd", "yards?", "m2", "m²", "km2", "km²", "sqm", "sq\\.? ?m", "sqft", "sq\\.? ?ft", "ha",
    "acres?", "m3", "m³", "ml", "cl", "dl", "hl", "gal", "gallons?", "lit(?:er|re)s?", "[µμu]g", "mcg", "mg", "kgs?",
    "lbs?", "pounds?", "oz", "tons?", "tonnes?", "iu",
    # Times and speeds.
    "ns", "[µμu]s", "ms", "secs?", "seconds?", "mins?", "minutes?", "hrs?", "hours?", "days?", "weeks?", "months?",
    "years?", "yrs?", "y/o", "km/?h", "kmph", "kph", "mph", "m/s", "kn", "knots", "rpm", "fps",
    # Everything else that is measured.
    "mv", "kv", "ma", "mah", "kw", "mw", "wh", "kwh", "mwh", "hp", "bhp", "cc", "ccm", "khz", "mhz", "ghz", "ohms?",
    "kΩ", "hpa", "kpa", "mpa", "m?bar", "psi", "mmhg", "kj", "k?cal", "mmol", "ppm", "ppb", "db", "bpm", "pts?",
    "points?", "stars?", "kmpl", "km/kg", "mpg", "l/100 ?km", "mg/dl", "mmol/l", "kg/m2", "kg/m²", "[µμu]g/m³", "m³/s",
    "g/l", "g/dl", "nm", "bytes",
)  # fmt: skip
UNIT: Final = rf"(?:{'|'.join(_SHORT_UNITS)}|(?i:{'|'.join(_UNITS)})\.?)"
# Whole names in English, otherwise their first letters in some languages: Marker 12 is not a month.
_ENGLISH: Final = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_OTHER: Final = (
    "jän|mär|mai|okt|dez|janv|févr?|fév|mars|avr|juin|juil|aoû|déc|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|fev|out|mrt"
    "|mei"
)
_MONTH: Final = rf"(?:{_ENGLISH}|(?:jan|feb|apr|jun|jul|aug|sep|oct|nov|dec|mar|{_OTHER})[^\W\d_]*)\.?"
TIME: Final = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?: ?[aApP]\.?[mM]\.?)?"
_WEEKDAY: Final = "(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? +)?"
_DAY: Final = (
    rf"{_WEEKDAY}(?:[0-9]{{4}}[-/.][0-9]{{1,2}}[-/.][0-9]{{1,2}}"
    rf"|[0-9]{{1,2}}[-/.][0-9]{{1,2}}[-/.](?:[0-9]{{4}}|[0-9]{{2}})"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th|º)?(?: de |[- .]{{0,2}}){_MONTH}(?: de |[- ,]{{0,2}})[0-9]{{2,4}}"
    rf"|{_MONTH}[- ]{{0,2}}[0-9]{{1,2}}(?:st|nd|rd|th)?,? [0-9]{{4}}|[0-9]{{4}}[- ]{_MONTH}[- ][0-9]{{1,2}}"
    r"|[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日)"
)
_ZONE: Final = r"(?:Z| ?[-+][0-9]{2}:?[0-9]{2}| [A-Z]{3,4})?"
DATE: Final = rf"(?i:{_DAY}(?:[T ,]+{TIME}{_ZONE})?|{TIME}{_ZONE}[ ,]+{_DAY})"
# A month, a quarter, a week, or a day without a year.
PERIOD: Final = (
    rf"(?i:[0-9]{{4}}[-/](?:0[1-9]|1[0-2])|(?:{_ENGLISH})\.?[- /]'?(?:[0-9]{{4}}|[0-9]{{1,2}})|[0-9]{{4}}[- ]?q[1-4]"
    r"|q[1-4][- /][0-9]{4}|[0-9]{4}-?W[0-5][0-9])"
)
_PART: Final = rf"[0-9]+(?:[.,][0-9]+)?{SPACE}?(?i:weeks?|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)"
DURATION: Final = (
    rf"[-+]?[0-9]+ days?,? [-+]?{TIME}|{_PART}(?:(?:,?{SPACE})?{_PART})+|[0-9]{{1,2}}h[0-9]{{2}}"
    r"|P(?:[0-9.]+[YMWD])*(?:T(?:[0-9.]+[HMS])+)?(?<=[YMWDHS])"
)
