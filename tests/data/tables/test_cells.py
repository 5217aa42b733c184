"""What a cell is: a number, a missing value or a word."""

import math

import pytest

from lossrun.data.tables.cells import CellForm


@pytest.mark.parametrize(("cell", "number"), [("1e3", 1000), (" 5".strip(), 5), ("٣", 3), ("３", 3), (".5", 0.5)])
def test_a_number_is_read_as_it_is_written(cell: str, number: float) -> None:
    assert CellForm().number(cell) == number


@pytest.mark.parametrize("cell", ["NA", "nan", "N/A", "#N/A", "null", "None", "<NA>", ""])
def test_a_missing_number(cell: str) -> None:
    number = CellForm().number(cell)
    assert number is not None
    assert number != number


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("0,5", 0.5),
        ("1.234,5", 1234.5),
        ("1 234,5", 1234.5),
        ("-1.234.567", -1234567),
        ("7", 7),
        (",5", 0.5),
        ("2e3", 2000),
    ],
)
def test_decimal_commas_with_signs_between_the_thousands(cell: str, number: float) -> None:
    assert CellForm(",").number(cell) == number


@pytest.mark.parametrize("cell", ["1.5", "1,234.5", "1.23,4", "1,2,3", "0.123", "-0.500", "012.345"])
def test_what_is_no_number_with_a_decimal_comma(cell: str) -> None:
    assert CellForm(",").number(cell) is None


def test_a_number_that_stands_for_a_missing_one_is_read_with_its_decimal_comma() -> None:
    form = CellForm(",", frozenset({"-9,9"}))
    for cell in ("-9,9", "-9,90", "-09,9"):
        assert math.isnan(form.number(cell) or 0)
    assert form.number("-99") == -99


# The value of `thousands`, and numbers that it reads.
GROUPED = {
    ",": {"1,500.50": 1500.5, "12,345,678": 12345678, "-1,234": -1234, "1,50,000": 150000, "+1,000e3": 1e6},
    " ": {"1 234": 1234, "1\u202f234.5": 1234.5, "1\u00a0234\u00a0567": 1234567},
    "'": {"1'100.50": 1100.5, "1’234’567": 1234567},
    "_": {"1_000": 1000, "1_000_000.5": 1000000.5},
}
PLAIN = {"1500": 1500, "0.5": 0.5, ".5": 0.5, "-2e-3": -0.002, "7.": 7}


@pytest.mark.parametrize(
    ("thousands", "cell", "number"),
    [(sign, cell, number) for sign, cells in GROUPED.items() for cell, number in (cells | PLAIN).items()],
)
def test_numbers_with_signs_between_the_thousands(thousands: str, cell: str, number: float) -> None:
    assert CellForm(thousands=thousands).number(cell) == number
    if cell not in PLAIN:
        assert CellForm().number(cell) is None
    others = [sign for sign in GROUPED if sign != thousands]
    assert cell in PLAIN or all(CellForm(thousands=sign).number(cell) is None for sign in others)


@pytest.mark.parametrize("thousands", ["", ".", " ", "'", "_"])
@pytest.mark.parametrize(("cell", "number"), [("1{}234,5", 1234.5), ("1{}234{}567", 1234567), ("0,5", 0.5), ("7", 7)])
def test_decimal_commas_with_a_sign_between_the_thousands(thousands: str, cell: str, number: float) -> None:
    sign = thousands or "."
    assert CellForm(",", thousands=thousands).number(cell.replace("{}", sign)) == number


@pytest.mark.parametrize(
    ("thousands", "cell"),
    [
        *(
            (",", cell)
            for cell in ("1,5", "1,5000", "12,34", "0,500", ",500", "1,,500", "1.500,5", "1,234,56", "1 500")
        ),
        *((" ", cell) for cell in ("1  500", "1 50", "1,5", "Bern 5")),
        *(("_", cell) for cell in ("_500", "1__500", "1_5")),
    ],
)
def test_what_is_no_number_with_signs_between_the_thousands(thousands: str, cell: str) -> None:
    """A comma before other than three digits may well be a decimal comma: such cells are asked about."""
    assert CellForm(thousands=thousands).number(cell) is None


@pytest.mark.parametrize("thousands", [",", " ", "'", "_"])
def test_a_number_that_stands_for_a_missing_one_may_be_grouped(thousands: str) -> None:
    form = CellForm(missing=frozenset({"-9999"}), thousands=thousands)
    assert math.isnan(form.number(f"-9{thousands}999") or 0)
