"""Read text tables strictly: one header line, rows of the same length, every error with its line."""

import csv
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Final, Protocol

from lossrun.data.tables.cells import PLAIN, CellForm, shown
from lossrun.data.tables.table import Table
from lossrun.data.tables.table_header import check_first_row, check_header
from lossrun.errors import DataError
from lossrun.files import open_regular
from lossrun.nearby import about, joined

TABLES: Final = (".csv", ".tsv", ".txt")  # endings of tables

# Other signs between cells.
_DELIMITERS: Final = (";", "\t", "|", ",")
# How other files begin, what they are, and what to do.
_OTHER_FILES: Final = {
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "a spreadsheet (.xlsx, .ods) or another zip archive; save the table as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet (.xls); save the table as CSV",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"PAR1": "a Parquet file; save the table as CSV, as pandas does: to_csv(..., index=False)",
    b"version https://git-lfs": "a pointer of Git LFS; get the file itself: git lfs pull",
    b"<!DOCTYPE": "a web page; download the file itself",
    b"<html": "a web page; download the file itself",
}
_COMMENT: Final = "; if this line is a comment, delete it"
# Characters of a line and of a cell. The header of a million columns has fewer. Without a limit, a file without line
# breaks would take several times its size in memory before it is refused.
LONGEST_LINE: Final = 2**24
# The limit of the csv module is valid for the whole process.
_LIMIT = threading.Lock()


def read_table(
    path: Path,
    delimiter: str,
    form: CellForm = PLAIN,
    *,
    header: bool = True,
    key: str = "path",
    may_be_one_column: bool = False,
) -> Table:
    """Read the cells of a text file.

    Args:
        key: The key of the dataset that names the file.
        header: Whether the first line names the columns; otherwise they are x1, x2, ...
        may_be_one_column: Whether a single column is allowed; it is often the sign of a wrong delimiter.

    Raises:
        DataError: If the file is unreadable or not a rectangular table.
    """
    delimiter = "\t" if delimiter == "\\t" else delimiter
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(f"dataset.delimiter: {delimiter!r}; expected one character, such as , or ; or '\\t'")
    rows, lines = _rows(path, delimiter, key)
    if declares := bool(rows) and _is_declaration(path, rows[0], delimiter, key):
        del rows[0], lines[0]
    if header and len(rows) == 1:
        check_header(path, lines[0], rows[0], form, key)  # a single row of data is no header
    if header and len(rows) < 2:
        raise DataError(
            f"{path}: {'there is a header but no row' if rows else 'the file is empty'}; expected a header line and "
            "rows"
        )
    if not rows:
        raise DataError(f"{path}: the file is empty; expected rows")
    if header:
        names = rows.pop(0)
        if _is_comment(names) and len(names) != len(rows[-1]):
            raise DataError(f"{path}:{lines[0]}: the first line begins with {names[0][0]!r}{_COMMENT}")
        check_header(path, lines[0], names, form, key)
    else:
        names = [f"x{number}" for number in range(1, len(rows[0]) + 1)]
    first, first_line = names if header else rows[0], lines[0]
    if len(first) == 1 and not (may_be_one_column and not any(sign in first[0] for sign in _DELIMITERS)):
        raise DataError(_one_column(path, first_line, first[0], delimiter, key))
    if header:
        del lines[0]
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(names):
            what = "the header has" if header else f"the first row (line {lines[0]}) has"
            fix = _fix_of_row(row, len(names), delimiter, form)
            raise DataError(
                f"{path}:{line}: {_cells(len(row))}, but {what} {len(names)}; expected the same number{fix}"
            )
    columns = {name: list(cells) for name, cells in zip(names, zip(*rows, strict=True), strict=True)}
    check_first_row(path, first_line, columns, form, key, header=header)
    return Table(path, columns, lines, form, declares_delimiter=declares, is_new=key == "input")


def _is_comment(row: list[str]) -> bool:
    """Return whether a line of the file seems to be a comment, if its number of cells is not that of the others."""
    return row[0][:1] in ("#", "%")


def _fix_of_row(row: list[str], expected: int, delimiter: str, form: CellForm) -> str:
    """Return what to do about a row with another number of cells; "" if its cells do not show it."""
    if _is_comment(row):
        return _COMMENT
    if len(row) < expected:
        return ""
    if not any(row[expected:]):
        return f"; delete the {delimiter!r} at the end of the line"
    if any(cell[:1] == '"' for cell in row):
        return "; leave out the blank before a quote, or it does not begin a cell in quotes"
    if delimiter in (form.decimal, form.thousands):
        return f'; put cells that hold the delimiter in quotes, such as "1{delimiter}500"'
    return ""


def _rows(path: Path, delimiter: str, key: str) -> tuple[list[list[str]], list[int]]:
    """Return the rows that are not empty, and the line where each ends."""
    try:
        with open_regular(path) as file, _cells_as_long_as_lines():
            beginning = file.peek(64)
            if other := next((told for first, told in _OTHER_FILES.items() if beginning.startswith(first)), ""):
                raise DataError(f"{path}: {other}")
            # utf-8-sig, because spreadsheets write a byte order mark first.
            with TextIOWrapper(file, encoding="utf-8-sig", newline="") as stream:
                return _rows_of(csv.reader(_text_lines(stream, path), delimiter=delimiter, strict=True), path)
    except OSError as error:
        raise DataError(_unreadable(path, key, error)) from error
    except UnicodeDecodeError as error:
        raise DataError(_not_unicode(path)) from error


def _is_declaration(path: Path, row: list[str], delimiter: str, key: str) -> bool:
    """Return whether the first row only says what stands between cells: `sep=;`, as Excel reads and writes it.

    Raises:
        DataError: If that is not the delimiter.
    """
    match = re.fullmatch("sep=(.)", delimiter.join(row), re.IGNORECASE)
    if match and match[1] != delimiter:
        fix = "delete the line" if key == "input" else f"set dataset.delimiter: {match[1]!r}"
        raise DataError(f"{path}:1: {match[0]!r} says that cells end with {match[1]!r}, not with {delimiter!r}; {fix}")
    return match is not None


def _unreadable(path: Path, key: str, error: OSError) -> str:
    there = about(path, error, TABLES, "table")
    if key == "input":
        return f"--input {path}: cannot be read: {error.strerror}{there}"
    told = f"dataset.{key}: {path} cannot be read: {error.strerror}{there}"
    return joined(told, "the path is relative to the config")


def _text_lines(stream: TextIOWrapper, path: Path) -> Iterator[str]:
    for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE + 1), ""), 1):
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"{path}:{number}: a line of more than {LONGEST_LINE} characters; expected a row of a table"
            )
        if "\0" in line:
            raise DataError(f"{path}:{number}: there is a NUL byte, so this is not text; save the table as UTF-8 text")
        yield line


def _not_unicode(path: Path) -> str:
    """Name the first line that is not UTF-8; the decoder only knows the place in the block that it read."""
    with open_regular(path) as file:
        # It is not further behind in its line, which has not been refused for its length.
        for number, line in enumerate(iter(partial(file.readline, 4 * LONGEST_LINE), b""), 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                told = shown(line[max(0, error.start - 20) : error.start + 20].decode("cp1252", "replace").strip())
                return f"{path}:{number}: not UTF-8 text, perhaps Windows-1252 or Latin-1: {told!r}; save it as UTF-8"
    return f"{path}: not UTF-8 text; save it as UTF-8"


class _Reader(Protocol):
    @property
    def line_num(self) -> int: ...

    def __iter__(self) -> Iterator[list[str]]: ...


def _rows_of(reader: _Reader, path: Path) -> tuple[list[list[str]], list[int]]:
    rows: list[list[str]] = []
    lines: list[int] = []
    start = 0
    try:
        for row in reader:
            # Not an empty line, or a line of blanks.
            if row and (len(row) > 1 or row[0].strip()):
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
            start = reader.line_num
    except csv.Error as error:
        raise DataError(_broken_row(path, start + 1, reader, error)) from error
    return rows, lines


def _broken_row(path: Path, start: int, reader: _Reader, error: csv.Error) -> str:
    """Explain a broken row. An open quote includes all rows up to the next quote, so name where it opens."""
    end = reader.line_num
    if end > start or "unexpected end" in str(error):
        return (
            f'{path}:{start}: a quote (") opened in this row is not closed before line {end}: close it, or write a '
            'quote inside a cell twice ("")'
        )
    return f"{path}:{end}: {error}; put quotes around whole cells, as spreadsheets do"


@contextmanager
def _cells_as_long_as_lines() -> Iterator[None]:
    """Allow long cells, because unused columns may hold long texts; restore the limit afterwards."""
    with _LIMIT:
        before = csv.field_size_limit(LONGEST_LINE)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


def _one_column(path: Path, line: int, first: str, delimiter: str, key: str) -> str:
    other = max(_DELIMITERS, key=first.count)
    hint = f"did you mean dataset.delimiter: {other!r}?" if other in first else f"is {delimiter!r} right?"
    hint = f"expected {delimiter!r} between cells, as in the training table" if key == "input" else hint
    return f"{path}:{line}: there is only one column, {first!r}; {hint}"
