"""Check whether the first line of a table holds the names of its columns."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from lossrun.data.tables.cells import CellForm, is_placeholder, shown
from lossrun.data.tables.disguises import UNSEEN
from lossrun.errors import DataError


def without_header(key: str) -> str:
    """Return how to say that a table of a dataset, or a file to predict, has no header."""
    return "--no-header" if key == "input" else "header: false"


def check_header(path: Path, line: int, names: list[str], form: CellForm, key: str) -> None:
    """Raise DataError if names of columns are numbers, empty or repeated."""
    if all(name and form.number(name) is not None for name in names):
        if names == [str(number) for number in range(len(names))]:
            raise DataError(
                f"{path}:{line}: the first line numbers the columns from 0, as pandas does for columns without "
                f"names; write names instead: x0,x1,... (or, if it is a row of data, say so: {without_header(key)})"
            )
        given = ",".join(f"x{number}" for number in range(1, len(names))) + ",y"
        raise DataError(
            f"{path}:{line}: the first line holds only numbers; expected the names of the columns: put a line like "
            f"{given if len(names) <= 6 else 'x1,x2,...,y'} before it, or say that there is no such line: "
            f"{without_header(key)}"
        )
    if "" in names:
        place = names.index("") + 1
        more = ", or, if it numbers the rows, write the file without it: to_csv(..., index=False)" * (place == 1)
        more = more or ", or, if every line ends with a delimiter, delete these" * (not any(names[place:]))
        raise DataError(f"{path}:{line}: column {place} has no name; give it one{more}")
    # Within a name, such a character may belong to the language.
    if unseen := next((name for name in names if re.search(rf"\A{UNSEEN}|{UNSEEN}\Z", name)), ""):
        raise DataError(
            f"{path}:{line}: the column {unseen!a} has an invisible character at the beginning or end of its "
            "name; delete it"
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            f"{path}:{line}: {repeated[0]!r} names the columns {_places(names, repeated[0])}; expected different names"
        )


def _places(names: list[str], name: str) -> str:
    return " and ".join(str(place) for place, other in enumerate(names, 1) if other == name)


def check_first_row(
    path: Path, line: int, columns: Mapping[str, Sequence[str]], form: CellForm, key: str, *, header: bool
) -> None:
    """Raise DataError if the first line is data but `header` says names, or the other way round.

    Otherwise a sample would be lost, or made of names.
    """
    if header and _is_row_of_data(columns, form):
        raise DataError(
            f"{path}:{line}: the first line looks like a row of data ({_some(list(columns))}), not like names of "
            f"columns; put a line of names before it, or say that there is no such line: {without_header(key)}"
        )
    cells = [column[0] for column in columns.values()]
    if not header and _is_header(columns, form):
        told = "it is read as a row of data; add --header"
        told = told if key == "input" else "header is false; leave header: false out"
        raise DataError(
            f"{path}:{line}: the first line looks like names of columns ({_some(cells)}), but {told}, or delete the "
            "line"
        )


def _is_row_of_data(columns: Mapping[str, Sequence[str]], form: CellForm) -> bool:
    """Return whether the names of columns are a row of data: numbers, and words that also occur in the columns."""
    numbers = [form.number(name) is not None for name in columns]
    return any(numbers) and all(
        is_number or name in cells for is_number, (name, cells) in zip(numbers, columns.items(), strict=True)
    )


def _is_header(columns: Mapping[str, Sequence[str]], form: CellForm) -> bool:
    """Return whether the first row holds only words, even in columns of numbers."""
    if any(form.number(cells[0]) is not None or is_placeholder(cells[0]) for cells in columns.values()):
        return False
    return any(
        len(cells) > 1 and all(form.number(cell) is not None for cell in cells[1:]) for cells in columns.values()
    )


def _some(cells: Sequence[str]) -> str:
    return ", ".join(shown(cell) for cell in cells[:6]) + (", ..." if len(cells) > 6 else "")
