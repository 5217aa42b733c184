"""Numbers in disguise: what is asked about, and what is a word whatever digits it has."""

import pytest

from lossrun.data.tables.cells import CellForm
from lossrun.data.tables.disguises import disguise, disguised, fix_in_csv

DISGUISES = {
    "percentages": ["56%", "56 %", "-3.5 %", "12,5%", "7 percent"],
    "amounts of money": ["$850", "-$5", "($5)", "€ 12", "0,99 €", "CHF 1'100.50", "USD 5", "₹1,50,000", "€110.5M"],
    "numbers with signs between the thousands": ["1,500.50", "1 234", "1\u202f234,5", "1'234", "1,50,000", "1_000"],
    "decimal commas": ["0,5", "1.500,50", "-1234,5", ",5", "2,5e-3"],
    "numbers with commas": ["1,500", "12,345,678"],
    "numbers with a unit": [
        *("12 km", "3.5kg", "7h", "20°C", "5 years", "3,5 m²"),
        *("100 km/h", "8GB", "90 mmHg", "5'10\""),
    ],
    "numbers with an accountant's sign": ["(123)", "(1,234.5)", "5-"],
    "numbers with a typographic minus": ["\u22125", "\u22120.5", "- 5"],
    "dates": [
        *("2024-01-05", "05.01.2024", "1/5/24", "2024-01-05T10:00:00Z", "5 Jan 2024"),
        *("Jan 5, 2024", "2024-01", "Jan-24", "2024Q1"),
    ],
    "fractions": ["½", "3½", "2 ¾"],
    "ratios": ["1/2", "3 1/2"],
    "times of day": ["12:30", "9:05:11", "9:05 pm"],
    "bounds of numbers": ["<5", ">100", "~3", "≤ 0.5", "<5 mg"],
    "hexadecimal numbers": ["0x1F"],
    "numbers shortened by a letter": ["5K", "1.5M", "2 bn"],
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
