"""Numbers in disguise: what is asked about, and what is a word whatever digits it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossrun.data.tables.cells import CellForm
from lossrun.data.tables.disguises import FEW, disguise, disguised, fix_in_csv

DISGUISES = {
    "percentages": ["56%", "56 %", "-3.5 %", "12,5%", "7 percent", "7 per cent", "(3.5%)", "56％", "4 % p.a."],
    "amounts of money": [
        *("$850", "-$5", "($5)", "€ 12", "0,99 €", "CHF 1'100.50", "USD 5", "₹1,50,000", "€110.5M", "$(5.00)"),
        *("5円", "₱33", "RM 3.50", "Rp 32.000", "500 руб.", "400,- Kč", "20 THB", "$1.2 million", "£3.8m", "₹7.0 Cr"),
        *("$13/hr", "24 €/m²", "$1,200 / month"),
    ],
    "numbers with signs between the thousands": ["1,500.50", "1 234", "1\u202f234,5", "1'234", "1,50,000", "1_000"],
    "decimal commas": ["0,5", "1.500,50", "-1234,5", ",5", "2,5e-3"],
    "numbers with commas": ["1,500", "12,345,678"],
    "numbers with a unit": [
        *("12 km", "3.5kg", "7h", "20°C", "5 years", "3,5 m²"),
        *("100 km/h", "8GB", "90 mmHg", "5'10\"", "37 KG", "30LBS", "5 Inches", "6.2 l/100km", "23 Nm", "4.2-inch"),
        *("5 mins.", "5,000 kms", "3.2 mmol/L", "4 µg/m³"),
    ],
    "numbers with an accountant's sign": ["(123)", "(1,234.5)", "5-"],
    "numbers with a typographic minus": ["\u22125", "\u22120.5", "\u22120.037", "\u20133.628", "- 5"],
    "dates": [
        *("2024-01-05", "05.01.2024", "1/5/24", "2024-01-05T10:00:00Z", "5 Jan 2024"),
        *("Jan 5, 2024", "2024-01", "Jan-24", "2024Q1", "2024-Jan-05", "05JAN2024", "5th January 2024", "2024-W05"),
        *("Mon, 05 Jan 2024 10:00:00 GMT", "5 de enero de 2024", "5 févr. 2024", "2024年1月5日", "10:00 05/01/2024"),
    ],
    "durations": ["0 days 04:00:00", "1 day, 2:03:04", "2h13m", "2h 13min", "14h30", "PT1H30M", "PT3M", "P2D"],
    "numbers in quotes": ["'13", "'1.8'", '"6.6"', "“3.6”", '="6"'],
    "numbers with invisible characters": ["\u200b4.9", "\u200e5", "\ufeff1.1", "3.9\u00ad"],
    "powers of ten": ["3.9D+03", "8.3x10^3", "2.2×10³", "1.2*10^5", "1.2 x 10**5"],
    "ratings": ["4.1/5", "4.5 out of 5"],
    "fractions": ["½", "3½", "2 ¾"],
    "ratios": ["1/2", "3 1/2"],
    "times of day": ["12:30", "9:05:11", "9:05 pm"],
    "bounds of numbers": ["<5", ">100", "~3", "≤ 0.5", "<5 mg", "about 8", "10,000+", "100+"],
    "hexadecimal numbers": ["0x1F"],
    "numbers shortened by a letter": ["5K", "1.5M", "2 bn", "4.4 million", "3 Lakh", "5.2万"],
    "telephone numbers": ["+49 170 1234567"],
    "numbers in other digits": ["٣٫٥"],
}
WORDS = [
    *("class 1", "3+", "0-5", "18-25", "A4", "AB-12", "1st", "3A"),
    *("2D", "v1.2", "1.2.3", "10115-2", "4x4", "B12", "Marker 12", "Decoder 24"),
]


@pytest.mark.parametrize(("looks_like", "cell"), [(kind, cell) for kind, cells in DISGUISES.items() for cell in cells])
def test_a_number_in_disguise(looks_like: str, cell: str) -> None:
    found = disguise(cell)
    assert found is not None
    assert found.looks_like == looks_like
    assert CellForm().number(cell) is None


@pytest.mark.parametrize("cell", [*WORDS, "", "NA", "red", "inf and nan"])
def test_a_word_is_no_number_in_disguise(cell: str) -> None:
    assert disguise(cell) is None


@pytest.mark.parametrize("cells", [[word] * 3 for word in WORDS] + [["<=50K", ">50K"] * 20, ["9:00", "14:00"] * 9])
def test_classes_are_not_asked_about(cells: list[str]) -> None:
    assert disguised(cells) is None


numbers = st.lists(st.integers(1, 9999), min_size=FEW + 1, max_size=30, unique=True)
text = st.text(st.characters(categories=["L", "P", "S", "Zs"]), min_size=1, max_size=8).map(str.strip)


@given(numbers, text.filter(lambda after: after and after[0] not in ".,"), st.booleans())
def test_different_numbers_before_the_same_text_are_asked_about(found: list[int], after: str, spaced: bool) -> None:
    cells = [f"{number}{' ' * spaced}{after}" for number in found]
    assert all(CellForm().number(cell) is not None for cell in cells) or disguised(cells)


@pytest.mark.parametrize(
    ("written", "looks_like"),
    [
        *(("tensor({}.5)", "one"), ("tensor({}.5, device='cuda:0')", "one"), ("np.float64({}.5)", "one")),
        *(("np.int64({})", "one"), ("[{}.5]", "one"), ("pH {}.5", "one"), ("{} dogs", "one"), ("{}★", "one")),
        *(("({}+2j)", "one"), ("{}.5 ± 0.1", "one"), ("{}[1]", "one"), ("{} months ago", "one"), ("5 ft {} in", "one")),
        *(("{0}x1{0}", "several"), ("{0}-3{0}", "several"), ("{0}:1{0}", "several"), ("[{0}.5, {0}]", "several")),
        *(("A{}", None), ("class {}", None), ("SKU {}", None), ("#{}", None), ("FY{}", None), ("10.0.0.{}", None)),
        *(("Marker {}", None), ("n0144{}", None), ("{}", None)),
    ],
)
def test_numbers_in_the_same_text_are_asked_about_and_codes_are_not(written: str, looks_like: str | None) -> None:
    found = disguised([written.format(number) for number in range(11, 31)])
    kinds = {"one": "numbers with text around them", "several": "several numbers in one cell"}
    if written == "{}":
        kinds, looks_like = {"text": "numbers written as text"}, "text"
    assert (found.disguise.looks_like if found else None) == (kinds[looks_like] if looks_like else None)
    # Categories may be written like that, and so few of them surely are.
    assert disguised([written.format(number) for number in range(11, 11 + FEW)] * 9) is None
    assert found is None or found.may_be_categories == (looks_like != "text")


@pytest.mark.parametrize("words", [["Varies with device"], ["sold", "out"]])
def test_one_or_two_words_may_stand_between_the_numbers(words: list[str]) -> None:
    cells = [f"{number}M" for number in range(20)]
    assert disguised([*cells, *words * 4])
    assert disguised([*cells, *words * 4, "another", "and more", "and more"]) is None


def test_the_column_is_asked_about_by_its_commonest_kind() -> None:
    found = disguised(["?", "1,500", "n/a", "1,500.50", "2,750.25", "12"])
    assert found is not None
    assert (found.place, found.cell, found.disguise.looks_like) == (
        3,
        "1,500.50",
        "numbers with signs between the thousands",
    )
    assert not found.repeats


def test_numbers_written_as_text_are_asked_about_unless_they_repeat() -> None:
    """Labels such as those of OpenML's MNIST are the words "0" to "9"."""
    assert disguised([str(i % 10) for i in range(60)]) is None
    for cells in ([str(i) for i in range(30)], ["0.5", "1.5"] * 30):
        found = disguised(cells)
        assert found is not None
        assert found.disguise.looks_like == "numbers written as text"


@pytest.mark.parametrize(
    ("cells", "form", "ways"),
    [
        (["0,5", "1,25", "3"], CellForm(), ["add decimal: ','"]),
        (["1.234.567,5", "0,5"], CellForm(), ["add decimal: ','"]),
        (["1,500.50", "2,750"], CellForm(), ["add thousands: ','"]),
        (["1,50,000", "20"], CellForm(), ["add thousands: ','"]),
        (["1 500", "20"], CellForm(), ["add thousands: ' '"]),  # decimal: ',' would read the same numbers
        (["1'500.5", "20"], CellForm(), ['add thousands: "\'"']),
        (["1_500", "20"], CellForm(), ["add thousands: '_'"]),
        (["1,500", "2,750"], CellForm(), ["add thousands: ',' (1,500 is 1500)", "add decimal: ',' (1,500 is 1.5)"]),
        (["1.5", "2.75"], CellForm(","), ["leave decimal: ',' out"]),
        (["1,500.5", "2,750"], CellForm(","), ["add thousands: ',' and leave decimal: ',' out"]),
        (["1,5", "2,75"], CellForm(thousands=","), ["add decimal: ',' and leave thousands: ',' out"]),
        (["1,500.5", "0,5"], CellForm(), []),  # not one form
        (["56%", "7%"], CellForm(), []),
    ],
)
def test_the_keys_that_read_a_column_as_it_is(cells: list[str], form: CellForm, ways: list[str]) -> None:
    found = disguised([*cells, "NA"] * 4, form)
    assert found is not None
    fix = fix_in_csv(found.disguise, [*cells, "NA"], form)
    offered = [part for part in fix.partition(", or ")[2].split(" or ") if part.startswith(("add ", "leave "))]
    assert offered == ways


def test_how_to_write_numbers_follows_the_form() -> None:
    for form, written in (
        (CellForm(","), "1234,5 or 1.234,5"),
        (CellForm(thousands=","), "1234.5 or 1,234.5"),
        (CellForm(",", thousands=" "), "1234,5 or 1 234,5"),
    ):
        assert form.examples == written
        kind = disguise("0.225,25")
        assert kind is None or written in fix_in_csv(kind, ["0.225,25"], form)
        for cell in written.split(" or "):
            assert form.number(cell) == 1234.5
