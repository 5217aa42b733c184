"""Text of somebody else does nothing in a spreadsheet, and nothing on a terminal."""

import csv
import io
import json

import pytest

from lossrun.report.layout.for_programs import csv_text, json_text


# How a spreadsheet begins a formula: https://owasp.org/www-community/attacks/CSV_Injection
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\\r=1"),
        # Labels of classes that are often met, and numbers, are what they are.
        ("-", "-"),
        ("+", "+"),
        ("-1", "-1"),
        ("+1.5e-3", "+1.5e-3"),
        ("-inf", "-inf"),
        ("loss=mse", "loss=mse"),
        ("a\x1b[31m\u202eb", "a\\x1b[31m\\u202eb"),
    ],
)
def test_cells(text: str, expected: str) -> None:
    rows = list(csv.reader(io.StringIO(csv_text((text,), [(text,)]), newline="")))
    assert rows == [[expected], [expected]]


def test_numbers_stay_numbers() -> None:
    assert csv_text(("a", "b"), [(-1.5, None)]) == "a,b\n-1.5,\n"


def test_json_keeps_its_values() -> None:
    value = {"a\u202e": "\x7f\x9b\u2028\U000e0001\x1b", "é\U0001f600": [1, "\u200d"]}
    text = json_text(value)
    assert json.loads(text) == value
    assert {sign for sign in text if not sign.isprintable()} == {"\n", "\u200d"}  # the joiner of emoji stays
