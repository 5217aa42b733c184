from pathlib import Path

import pytest

from lossrun.data.table import read_table
from lossrun.errors import DataError


def table_of(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_byte_order_mark_blanks_quotes_and_blank_lines(tmp_path: Path) -> None:
    table = read_table(table_of(tmp_path, '\ufeffa , b\r\n\r\n1,"x, y"\r\n2, z \r\n\r\n'), ",")
    assert table.columns == {"a": ["1", "2"], "b": ["x, y", "z"]}
    assert table.lines == [3, 4]


@pytest.mark.parametrize("delimiter", ["\t", "\\t"])
def test_a_tab_may_be_written_out(tmp_path: Path, delimiter: str) -> None:
    assert read_table(table_of(tmp_path, "a\tb\n1\t2\n"), delimiter).columns == {"a": ["1"], "b": ["2"]}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ("a,b\n", "a header but no rows"),
        ("a,b\n1,2\n1,2,3\n", r"table.csv:3: 3 cells, but the header has 2"),
        ("a,b,a\n1,2,3\n", "'a' names the columns 1 and 3"),
        ("a,\n1,2\n", "column 2 has no name"),
        ("1,2\n3,4\n", "only numbers"),
        ("a;b\n1;2\n", "only one column, 'a;b'"),
        ('a,b\n"1"x,2\n', r"table.csv:2: "),
        (b"a,b\n\xff,2\n", "not UTF-8 text"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        read_table(table_of(tmp_path, text), ",")


def test_a_missing_file_and_a_long_delimiter_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^dataset.path: .* relative to the config"):
        read_table(tmp_path / "none.csv", ",")
    with pytest.raises(DataError, match="expected one character"):
        read_table(tmp_path / "none.csv", ", ")


def test_a_word_among_numbers_is_named_with_its_place(tmp_path: Path) -> None:
    table = read_table(table_of(tmp_path, "a,b\n1,2\nx1,2\n3,2\n"), ",")
    assert not table.is_words("a")
    with pytest.raises(DataError, match=r"table.csv:3: column a: 'x1' is not a number"):
        table.numbers("a")


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["0,5", "-1,25", "3", "NA"], "0,5"),
        (["3", "1.234,5", "+2,5e-3"], "1.234,5"),
        (["0,5"] * 9 + ["broken"], "0,5"),
        (["0,5"] * 8 + ["broken"] * 2, None),
        (["0,5", "3", "4"], None),  # most are numbers: the cell is the mistake
        (["1,2,3", "Bern, 5"], None),
        (["", "NA"], None),
    ],
)
def test_words_that_are_numbers_with_decimal_commas(tmp_path: Path, cells: list[str], found: str | None) -> None:
    table = read_table(table_of(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells)), ";")
    asked = table.disguised("a")
    assert (asked.cell if asked else None) == found
