"""Split as the data define: by a column of parts, by groups that must stay together, or by an order in time."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from lossrun.data.samples.dataset import SplitColumn
from lossrun.data.samples.streams import DataStream, generator
from lossrun.data.tables.table import Table
from lossrun.errors import DataError

# Names of the parts, in upper or lower case.
SPELLINGS: Final = {
    **dict.fromkeys(("train", "training", "tr", "learn"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev", "development", "validate", "eval"), "validation"),
    **dict.fromkeys(("test", "testing", "te", "heldout", "held-out", "held_out", "holdout"), "test"),
}
# Up to this number of groups, all sums of their sizes are considered; with more, the groups drawn first are enough.
MOST_SUMS: Final = 20_000_000
ISO: Final = "ISO"
_DAYS: Final = (
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y", "%d-%m-%y"),
    *("%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y", "%m-%d-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%d %B %Y"),
    *("%B %d, %Y", "%Y-%m-%d"),
)
FORMS: Final = (
    *(ISO, "%Y-%m", "%Y/%m", "%b %Y", "%B %Y", "%b-%y", *_DAYS),
    *(f"{day} {clock}" for clock in ("%H:%M", "%H:%M:%S") for day in _DAYS),
)


def split_column(parameters: Mapping[str, Any], table: Table, names: list[str], keep: np.ndarray) -> SplitColumn:
    """Return the column of a table that decides the split. Raises DataError for the first cell without a value."""
    name, way = names[0], next(way for way in ("column", "groups", "order") if parameters["split"][way] is not None)
    rows = np.flatnonzero(keep).tolist()
    missing = table.is_missing(name)
    for row in rows:
        if missing[row] or not table.columns[name][row]:
            raise DataError(f"{table.place(row, name)}: the cell is empty; the split needs a value in every row")

    def place(index: int) -> str:
        return table.place(rows[index], name)

    cells = [table.columns[name][row] for row in rows]
    if way != "order" or table.is_words(name):
        return SplitColumn(way, name, np.array(cells), place)
    whole = whole_numbers(cells)
    return SplitColumn(way, name, table.numbers(name)[keep] if whole is None else whole, place)


def whole_numbers(cells: Sequence[str]) -> np.ndarray | None:
    """Return int64, (N,), if all cells are whole numbers, because float64 cannot distinguish nanoseconds since 1970."""
    if not all(cell.isascii() and cell.lstrip("+-").isdecimal() for cell in cells):
        return None
    try:
        return np.array([int(cell) for cell in cells], np.int64)
    except (ValueError, OverflowError):
        return None


def parts_of(given: SplitColumn) -> dict[str, np.ndarray]:
    """Return the rows of each part that a column names, bool, (N,). Raises DataError for other words."""
    words = np.char.lower(np.char.strip(given.values.astype(str)))
    parts: np.ndarray = np.array([SPELLINGS.get(word, "") for word in words.tolist()])
    if (parts == "").any():
        row = int((parts == "").argmax())
        raise DataError(
            f"{given.place(row)}: {str(given.values[row])!r} is not the name of a part; expected train, validation or "
            "test (or training, val, dev, testing)"
        )
    if not (parts == "train").any():
        raise DataError(f"dataset.split: no row of column {given.name} says train, so there is nothing to train on")
    return {part: parts == part for part in ("train", "validation", "test") if (parts == part).any()}


def last_rows(given: SplitColumn, rows: np.ndarray, size: int) -> np.ndarray:
    """Return the last of the `rows` (bool), about `size` of them, bool, (N,). Rows of the same time stay together."""
    held: np.ndarray = np.zeros(len(given.values), bool)
    times = times_of(given)
    order = np.flatnonzero(rows)[np.argsort(times[rows], kind="stable")]
    borders = np.flatnonzero(np.diff(times[order]) != 0) + 1  # where another time begins
    if size and not len(borders):
        raise DataError(
            f"dataset.split.order: column {given.name} holds only one value, so there is no order to split by"
        )
    if size:
        held[order[borders[np.abs(len(order) - borders - size).argmin()] :]] = True
    return held


def times_of(given: SplitColumn) -> np.ndarray:
    """Return numbers that ascend with time, (N,): float64, or integers as they are.

    Raises:
        DataError: For a cell that is neither a number nor a date.
    """
    if given.values.dtype.kind != "U":
        return given.values if given.values.dtype.kind in "iu" else given.values.astype(np.float64)
    form = date_form(given)
    different, inverse = np.unique(given.values, return_inverse=True)
    times = np.array([_seconds(cell, form) for cell in different.tolist()], np.float64)
    return times[inverse]


def date_form(given: SplitColumn) -> str:
    """Return the format of the dates of a column for `strptime`; ISO if `fromisoformat` reads them.

    Raises:
        DataError: If there are several formats, or if it is ambiguous which number is the day.
    """
    different, first = np.unique(given.values, return_index=True)
    cells = different.tolist()
    found: dict[str, list[float]] = {}
    # A format that does not fit the first cell cannot fit the column, which may be long.
    for form in FORMS:
        with suppress(ValueError):
            _seconds(cells[0], form)
            found[form] = [_seconds(cell, form) for cell in cells]
    if not found:
        wrong = next((place for place, cell in enumerate(cells) if not _is_date(cell)), len(cells) - 1)
        raise DataError(
            f"{given.place(int(first[wrong]))}: {cells[wrong]!r} is not a date, or is written differently from the "
            "others; expected numbers, or dates such as 2024-01-31 or 31.1.2024"
        )
    orders = [np.argsort(np.array(times), kind="stable").tolist() for times in found.values()]
    if any(order != orders[0] for order in orders[1:]):
        raise DataError(
            f"{given.place(0)}: {str(given.values[0])!r}: the first number could be the day or the month; write dates "
            "as 2024-01-31"
        )
    return next(iter(found))


def _is_date(cell: str) -> bool:
    for form in FORMS:
        with suppress(ValueError):
            _seconds(cell, form)
            return True
    return False


def _seconds(cell: str, form: str) -> float:
    """Return the seconds since the year 1, with the time zone considered. Raises ValueError for another format."""
    found = datetime.fromisoformat(cell) if form == ISO else datetime.strptime(cell, form)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return (found - datetime(1, 1, 1, tzinfo=UTC)).total_seconds()


def whole_groups(given: SplitColumn, rows: np.ndarray, size: int, seed: int, purpose: DataStream) -> np.ndarray:
    """Return the rows of whole groups, drawn by the seed, in total as near to `size` as possible, as bool, (N,).

    Raises:
        DataError: If the `rows` (bool) belong to a single group.
    """
    held: np.ndarray = np.zeros(len(given.values), bool)
    if not size:
        return held
    names, index, counts = np.unique(given.values[rows], return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise DataError(
            f"dataset.split.groups: {len(names)} group is left in column {given.name}, too few for another part; hold "
            "out fewer parts, or choose a column with more groups"
        )
    held[np.flatnonzero(rows)[np.isin(index, choose_groups(counts, size, generator(seed, purpose)))]] = True
    return held


def choose_groups(counts: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Return which groups to hold out: random ones, with a total as near to `size` as possible, but never all."""
    order = rng.permutation(len(counts))
    most = min(int(counts.sum() - counts.min()), 2 * size + int(counts.min()))
    if len(counts) * most > MOST_SUMS:
        ends = np.cumsum(counts[order])[:-1]
        return order[: np.abs(ends - size).argmin() + 1]
    # In reached[k], bit s is set if some of the first k groups have s rows together.
    reached = [1]
    for count in counts[order].tolist():
        reached.append((reached[-1] | reached[-1] << count) & ((1 << most + 1) - 1))
    sums = [total for total in range(1, most + 1) if reached[-1] >> total & 1]
    left = min(sums, key=lambda total: abs(total - size))
    chosen = []
    for k in range(len(order), 0, -1):
        if not reached[k - 1] >> left & 1:
            chosen.append(order[k - 1])
            left -= int(counts[order[k - 1]])
    return np.array(chosen)
