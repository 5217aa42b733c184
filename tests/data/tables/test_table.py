import csv
import gzip
import tracemalloc
from pathlib import Path

import pytest

from lossrun.data.tables.cells import CellForm
from lossrun.data.tables.columns import check_names
from lossrun.data.tables.table_file import LONGEST_LINE, read_table
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
        ("a,b\n", "there is a header but no row"),
        ("1,2\n", "the first line holds only numbers"),
        ("a,b\n1,2\n1,2,3\n", r"table.csv:3: 3 cells, but the header has 2"),
        ("a,b,a\n1,2,3\n", "'a' names the columns 1 and 3"),
        ("a,b,\n1,2,\n", "column 3 has no name.* if every line ends with a delimiter, delete these"),
        ("a,b,,\n1,2,,\n", "column 3 has no name.* if every line ends with a delimiter, delete these"),
        (" , \n1,2\n", "column 1 has no name"),
        ("\ufeff\ufeffa,b\n1,2\n", r"table.csv:1: the column '\\ufeffa' has an invisible character"),
        (",a\n0,2\n", r"column 1 has no name.*index=False"),
        ("1,2\n3,4\n", "only numbers"),
        ("0,1,2\n3,4,5\n", r"numbers the columns from 0.*x0,x1"),
        ("5.1,3.5,setosa\n4.9,3,setosa\n6.1,2,virginica\n", r"table.csv:1: .* a row of data \(5.1, 3.5, setosa\)"),
        ("a;b\n1;2\n", "there is only one column, 'a;b'"),
        ('a,b\n"1"x,2\n', r"table.csv:2: "),
        ("a,b\n1,2\né,4\n".encode("latin-1"), r"table.csv:3: not UTF-8 text.* 'é,4'"),
        (b"a,b\n" + b"1,2\n" * 9999 + b"\xe9,2\n", r"table.csv:10001: not UTF-8 text"),  # not in the first block
        (b"PK\x03\x04" + bytes(99), r"a spreadsheet \(.xlsx, .ods\).*; save the table as CSV"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "compressed with gzip; unpack it first"),
        ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        read_table(table_of(tmp_path, text), ",")


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;"])
@pytest.mark.parametrize("header", [True, False])
def test_a_first_line_may_say_what_stands_between_cells(tmp_path: Path, first: str, header: bool) -> None:
    """As Excel reads it, and some programs write it."""
    path = table_of(tmp_path, f"{first}\r\n" + "a;b\r\n" * header + "1;2\r\n")
    table = read_table(path, ";", header=header)
    assert list(table.columns.values()) == [["1"], ["2"]]
    assert table.lines == [2 + header]
    with pytest.raises(DataError, match=r"(?i)table.csv:1: 'sep=;' .* set dataset.delimiter: ';'"):
        read_table(path, ",", header=header)


def test_names_are_no_row_of_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"table.csv:1: .* names of columns \(a, species\), but header is false"):
        read_table(table_of(tmp_path, "a,species\n4.9,setosa\n6.1,virginica\n"), ",", header=False)


@pytest.mark.parametrize(
    ("text", "header"),
    [("land,2019,2020\nDE,1,2\nFR,3,4\n", True), ("?,setosa\n6.1,virginica\n", False), ("x,a\no,b\n", False)],
)
def test_first_lines_that_may_be_either_are_taken_as_said(tmp_path: Path, text: str, header: bool) -> None:
    assert len(read_table(table_of(tmp_path, text), ",", header=header)) == 2


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a,b\r1,2\r3,4\r", {"a": ["1", "3"], "b": ["2", "4"]}),  # line ends of old Macs
        ("a,b\n\n1,2\n   \n3,4\n\n", {"a": ["1", "3"], "b": ["2", "4"]}),
        ("\ufeffa,b\r\n1,2", {"a": ["1"], "b": ["2"]}),
        ('a,b\n"x\ny",2\n', {"a": ["x\ny"], "b": ["2"]}),
        ("a,b\n5'' pipe,2\n", {"a": ["5'' pipe"], "b": ["2"]}),
        ("a,b\n" + "x" * 200_000 + ",2\n", {"a": ["x" * 200_000], "b": ["2"]}),
    ],
)
def test_a_table_is_read_in_every_dialect(tmp_path: Path, text: str, columns: dict[str, list[str]]) -> None:
    limit = csv.field_size_limit()
    assert read_table(table_of(tmp_path, text), ",").columns == columns
    assert csv.field_size_limit() == limit, "it belongs to the whole process"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"a,b\n1,2\n3,\x004\n", r"table.csv:3: there is a NUL byte"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        ('a,b\n1,2\n"3,4\n5,6\n7,8\n', r"table.csv:3: a quote \(\"\) opened in this row is not closed before line 5"),
        ('a,b\n1,2\n"3,4\n5,6\n7,"8\n', r"table.csv:3: a quote \(\"\) opened in this row is not closed before line 5"),
        ("a,b\n1,2\n3,4,\n", r"table.csv:3: 3 cells, but the header has 2.* delete the ',' at the end of the line"),
        ("a,b\n1,2\n# end\n", r"table.csv:3: 1 cell, but the header has 2.* a comment"),
        ("# made in 2024\na,b\n1,2\n", r"table.csv:1: the first line begins with '#'; if .* a comment, delete it"),
        ("% one, two, three\n% more\na,b\n1,2\n", r"table.csv:1: the first line begins with '%'; if .* a comment"),
        ('a,b\n1, "2, 3"\n', r"table.csv:2: 3 cells, but the header has 2.* blank before a quote"),
        ("a,b\n1,2\n3\n", r"table.csv:3: 1 cell, but the header has 2"),
    ],
)
def test_damaged_text_is_named_with_the_line_where_it_begins(tmp_path: Path, text: str | bytes, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        read_table(table_of(tmp_path, text), ",")


def test_missing_values_are_words_in_a_column_of_words(tmp_path: Path) -> None:
    path = table_of(tmp_path, "n,w,q\n1,NA,?\nNA,DE,2\n?,,3\n4,?,-\n5,FR,n/a\n")
    table = read_table(path, ",", CellForm(missing=frozenset("?-")))
    assert table.is_missing("n").tolist() == [False, True, True, False, False]
    assert table.is_missing("q").tolist() == [True, False, False, True, True]
    assert table.is_missing("w").tolist() == [False, False, True, True, False]
    assert table.words("w") == ["NA", "DE", "", "", "FR"]
    with pytest.raises(DataError, match=r"table.csv:2: column q: '\?' is not a number.*missing_values: \[\"\?\"\]"):
        read_table(path, ",").numbers("q")


def test_no_decimal_comma_is_proposed_where_there_is_one(tmp_path: Path) -> None:
    table = read_table(table_of(tmp_path, "n;m\n1.5,25;1\n2,5;1\n3,5;1\n"), ";", CellForm(","))
    with pytest.raises(
        DataError, match=r"column n: '1.5,25' is not a number, although most of the column is"
    ) as raised:
        table.numbers("n")
    assert "decimal:" not in str(raised.value)
    table = read_table(table_of(tmp_path, "n;m\n0.225,25;1\n2,5;1\n3,5;1\n"), ";", CellForm(","))
    with pytest.raises(DataError, match=r"write numbers as 1234,5 or 1\.234,5$"):
        table.numbers("n")


def test_a_number_that_stands_for_a_missing_value_in_any_spelling(tmp_path: Path) -> None:
    path = table_of(tmp_path, "n,m\n-999,1\n-999.0,2\n5,-999\n")
    table = read_table(path, ",", CellForm(missing=frozenset({"-999"})))
    assert table.is_missing("n").tolist() == [True, True, False]


def test_a_table_without_a_header(tmp_path: Path) -> None:
    table = read_table(table_of(tmp_path, "1,red\n2,blue\n"), ",", header=False)
    assert table.columns == {"x1": ["1", "2"], "x2": ["red", "blue"]}
    with pytest.raises(DataError, match=r"table.csv:3: 1 cell, but the first row \(line 1\) has 2"):
        read_table(table_of(tmp_path, "1,red\n2,blue\n3\n"), ",", header=False)


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
    ("cells", "words"),
    [
        (["0", "1", "2", "3+"] * 6, True),
        (["0", "1", "2"] * 6 + ["3+"] * 2, True),
        (["0", "1", "2"] * 6 + ["3+"], False),  # once: a slip of the pen
        (["0", "1", "2"] * 6 + ["?"] * 2, False),  # a missing value, as a rule
        ([*map(str, range(30)), "other", "other"], False),  # too many for categories
    ],
)
def test_few_cells_that_come_again_are_categories_with_a_word_among_them(
    tmp_path: Path, cells: list[str], words: bool
) -> None:
    table = read_table(table_of(tmp_path, "a,b\n" + "".join(f"{cell},1\n" for cell in cells)), ",")
    assert table.is_words("a") == words


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["0,5", "-1,25", "3", "NA"], "0,5"),
        (["3", "1.234,5", "+2,5e-3"], "1.234,5"),
        (["0,5"] * 9 + ["broken"], "0,5"),
        (["0,5"] * 7 + ["sold", "out", "sold out"], None),
        (["0,5"] * 7 + ["sold out", "broken"], "0,5"),  # one or two words stand for missing numbers
        (["0,5", "3", "4"], None),  # most are numbers: the cell is the mistake
        (["1,2,3", "Bern, 5"], None),
        (["", "NA"], None),
    ],
)
def test_words_that_are_numbers_with_decimal_commas(tmp_path: Path, cells: list[str], found: str | None) -> None:
    table = read_table(table_of(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells)), ";")
    asked = table.disguised("a")
    assert (asked.cell if asked else None) == found


def test_a_header_that_comes_again_is_named(tmp_path: Path) -> None:
    """As where files were written one after the other."""
    table = read_table(table_of(tmp_path, "a,b\n1,2\n3,4\na,b\n5,6\n"), ",")
    with pytest.raises(DataError, match=r"table.csv:4: column a: .* repeats the names of the columns: delete it"):
        table.numbers("a")


@pytest.mark.parametrize(("known", "told"), [("a\xa0b", r"'a\\xa0b'"), ("'a b'", "\"'a b'\"")])
def test_a_name_that_looks_like_another_is_shown_as_it_is(known: str, told: str) -> None:
    with pytest.raises(DataError, match=f"did you mean {told}|there are: {told}"):
        check_names(["a b"], [known], "target", "the table")


def test_names_with_commas_that_are_columns_are_told_as_a_list() -> None:
    with pytest.raises(DataError, match=r"has no 'a, b'; write several as a list: \[a, b\]"):
        check_names(["a, b"], ["a", "b", "c"], "target", "the table")


def test_a_file_without_line_breaks_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as file:
        file.truncate(10 * LONGEST_LINE)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=rf"t\.csv:1: a line of more than {LONGEST_LINE} characters"):
            read_table(path, ",")
        assert tracemalloc.get_traced_memory()[1] < 4 * LONGEST_LINE
    finally:
        tracemalloc.stop()


def test_the_longest_cell_is_read(tmp_path: Path) -> None:
    longest = "x" * (LONGEST_LINE - 3)  # 1, before it and the line break behind it
    (tmp_path / "t.csv").write_text(f"a,b\n1,{longest}\n")
    assert read_table(tmp_path / "t.csv", ",").columns["b"] == [longest]
