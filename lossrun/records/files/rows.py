"""Keep rows of numbers by column: a million dicts would take ten times the memory, and most of the time."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from struct import error as struct_error
from struct import pack
from typing import Any, Final, TypeAlias, overload

from lossrun.records.files import strict_json

Row: TypeAlias = dict[str, Any]
# With more changes of keys in some hundred rows, columns save nothing.
MOST_GROUPS: Final = 16
Column: TypeAlias = "array[int] | array[float] | list[Any]"
_KINDS: Final[dict[type, str]] = {int: "q", float: "d"}


class _Uniform:
    """Consecutive rows with the same keys in the same order."""

    def __init__(self, names: tuple[str, ...], start: int) -> None:
        self.names = names
        self.start = start
        self.length = 0
        self.columns: list[Column] = []

    def extend(self, rows: Sequence[Row]) -> None:
        more = [_column(values) for values in zip(*map(dict.values, rows), strict=True)]
        self.columns = list(map(_joined, self.columns, more)) if self.columns else more
        self.length += len(rows)

    def column(self, name: str) -> Sequence[Any]:
        return self.columns[self.names.index(name)] if name in self.names else [None] * self.length

    def places(self, name: str) -> list[range]:
        return [range(self.start, self.start + self.length)] if name in self.names else []

    def rows(self) -> Iterator[Row]:
        if not self.names:
            return ({} for _ in range(self.length))
        return (dict(zip(self.names, values, strict=True)) for values in zip(*self.columns, strict=True))

    def row(self, place: int) -> Row:
        return {name: column[place] for name, column in zip(self.names, self.columns, strict=True)}


class _Mixed:
    """Rows with different keys, kept as dicts."""

    def __init__(self, rows: Sequence[Row], start: int) -> None:
        self.kept = [strict_json.restored(row) for row in rows]
        self.start = start
        self.length = len(self.kept)
        self.names = tuple(dict.fromkeys(name for row in self.kept for name in row))

    def column(self, name: str) -> Sequence[Any]:
        return [row.get(name) for row in self.kept]

    def places(self, name: str) -> list[range]:
        return [range(place, place + 1) for place, row in enumerate(self.kept, self.start) if name in row]

    def rows(self) -> Iterator[Row]:
        return map(dict, self.kept)

    def row(self, place: int) -> Row:
        return dict(self.kept[place])


class Rows(Sequence[Row]):
    """A sequence of rows. They are dicts that are made when read, so changing one has no effect here.

    Integers may become floats in a column of floats. NaN and infinity may be given as strings, as in a file.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._blocks: list[_Uniform | _Mixed] = []
        self._length = 0
        self.extend(list(rows))

    @classmethod
    def from_dicts(cls, rows: Sequence[Row]) -> "Rows":
        """Return a few rows, which are kept as dicts because columns would take longer."""
        found = cls()
        found._blocks, found._length = [_Mixed(rows, 0)], len(rows)
        return found

    def extend(self, rows: Sequence[Row]) -> None:
        groups = [(names, list(members)) for names, members in groupby(rows, key=tuple)]
        if len(groups) > MOST_GROUPS:
            self._blocks.append(_Mixed(rows, self._length))
        else:
            for names, members in groups:
                self._extend_with(names, members)
        self._length = self._blocks[-1].start + self._blocks[-1].length if self._blocks else 0

    def _extend_with(self, names: tuple[str, ...], rows: Sequence[Row]) -> None:
        last = self._blocks[-1] if self._blocks else None
        if not isinstance(last, _Uniform) or last.names != names:
            last = _Uniform(names, last.start + last.length if last else 0)
            self._blocks.append(last)
        last.extend(rows)

    @property
    def names(self) -> list[str]:
        """The names of all columns, in the order in which they first occur."""
        return list(dict.fromkeys(name for block in self._blocks for name in block.names))

    def column(self, name: str) -> Sequence[Any]:
        """Return a value for each row; None for a row without one."""
        parts = [block.column(name) for block in self._blocks]
        return parts[0] if len(parts) == 1 else [value for part in parts for value in part]

    def places(self, name: str) -> list[range]:
        """Return the places of the rows that have the column, in order."""
        return [places for block in self._blocks for places in block.places(name)]

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> "Rows": ...
    def __getitem__(self, place: int | slice) -> "Row | Rows":
        if isinstance(place, slice):
            return Rows(self[number] for number in range(*place.indices(self._length)))
        number = range(self._length)[place]
        block = self._blocks[bisect_right(self._blocks, number, key=lambda block: block.start) - 1]
        return block.row(number - block.start)

    def __iter__(self) -> Iterator[Row]:
        return (row for block in self._blocks for row in block.rows())

    def __eq__(self, other: object) -> bool:
        """Compare number by number; NaN equals NaN."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(map(_same, self, other))

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"Rows({list(self)!r})"


def _column(values: Sequence[Any]) -> Column:
    kind = _KINDS.get(type(values[0]))
    # A double would silently round an integer beyond 2^53.
    if kind and (kind != "d" or int not in set(map(type, values))):
        # Packing first is twice as fast. It fails for a float after an integer, an integer beyond 64 bits, None, or
        # text.
        with suppress(struct_error, OverflowError):
            return array(kind, pack(f"{len(values)}{kind}", *values))
    restored = [strict_json.restored(value) for value in values]
    return array("d", restored) if set(map(type, restored)) == {float} else restored


def _joined(column: Column, more: Column) -> Column:
    if isinstance(column, list):
        column.extend(more)
        return column
    if isinstance(more, array) and column.typecode == more.typecode:
        column.extend(more)  # type: ignore[arg-type]  # of the same type, by the line above
        return column
    return [*column, *more]


def _same(mine: Row, its: object) -> bool:
    if mine == its:
        return True
    return isinstance(its, Mapping) and mine.keys() == its.keys() and all(_equal(mine[key], its[key]) for key in mine)


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))
