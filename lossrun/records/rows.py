"""Rows of numbers kept by column: as dicts a million of them take ten times the memory and most of the time."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, repeat
from struct import error as struct_error
from struct import pack
from typing import Any, TypeAlias, overload

from lossrun.records import strict_json

Row: TypeAlias = dict[str, Any]
Column: TypeAlias = "array[int] | array[float] | list[Any]"


class _Block:
    """Rows in a row that have the same keys, in the same order."""

    def __init__(self, names: tuple[str, ...], start: int) -> None:
        self.names = names
        self.start = start
        self.length = 0
        self.columns: list[Column] = []

    def extend(self, rows: Sequence[Row]) -> None:
        more = [_column(values) for values in zip(*map(dict.values, rows), strict=True)]
        self.columns = list(map(_joined, self.columns, more)) if self.columns else more
        self.length += len(rows)

    def rows(self) -> Iterator[Row]:
        if not self.names:
            return ({} for _ in range(self.length))
        return (dict(zip(self.names, values, strict=True)) for values in zip(*self.columns, strict=True))

    def same(self, other: "_Block") -> bool:
        """To the bit: what is no number equals itself."""
        return self.length == other.length and all(map(_same, self.columns, other.columns))

    def row(self, place: int) -> Row:
        return {name: column[place] for name, column in zip(self.names, self.columns, strict=True)}


class Rows(Sequence[Row]):
    """A sequence of rows, which are dicts made on demand: changing one changes nothing here.

    In a column with a fraction whole numbers are floats as well. Non-finite numbers may come as strings, as a file
    has them.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._blocks: list[_Block] = []
        self._length = 0
        self.extend(rows)

    def extend(self, rows: Iterable[Row]) -> None:
        for names, alike in groupby(rows, key=tuple):
            if not self._blocks or self._blocks[-1].names != names:
                self._blocks.append(_Block(names, self._length))
            self._blocks[-1].extend(list(alike))
            self._length = self._blocks[-1].start + self._blocks[-1].length

    @property
    def names(self) -> list[str]:
        """Of all columns, in the order in which they first occur."""
        return list(dict.fromkeys(name for block in self._blocks for name in block.names))

    def column(self, name: str) -> Sequence[Any]:
        """A value for each row; None where a row has none."""
        parts = [
            block.columns[block.names.index(name)] if name in block.names else list(repeat(None, block.length))
            for block in self._blocks
        ]
        return parts[0] if len(parts) == 1 else [value for part in parts for value in part]

    def places(self, name: str) -> list[range]:
        """Where the rows are that have the column, in order."""
        return [range(block.start, block.start + block.length) for block in self._blocks if name in block.names]

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...
    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(self._length))]
        number = range(self._length)[place]
        block = self._blocks[bisect_right(self._blocks, number, key=lambda block: block.start) - 1]
        return block.row(number - block.start)

    def __iter__(self) -> Iterator[Row]:
        return (row for block in self._blocks for row in block.rows())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Rows) and [block.names for block in self._blocks] == [b.names for b in other._blocks]:
            return all(map(_Block.same, self._blocks, other._blocks))
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"Rows({list(self)!r})"


def _column(values: Sequence[Any]) -> Column:
    kind = "q" if type(values[0]) is int else "d"
    try:
        # Packed first: an array takes twice as long over one value after another.
        return array(kind, pack(f"{len(values)}{kind}", *values))
    except struct_error:  # a fraction after a whole number, none, whole numbers beyond 64 bits, text
        restored = [strict_json.restored(value) for value in values]
        numbers = float in set(map(type, restored)) <= {float, int}
        return array("d", restored) if numbers else restored


def _same(one: Column, other: Column) -> bool:
    if isinstance(one, array) and isinstance(other, array) and one.typecode == other.typecode:
        return one.tobytes() == other.tobytes()
    return list(one) == list(other)


def _joined(column: Column, more: Column) -> Column:
    if isinstance(column, array) and isinstance(more, array) and column.typecode == more.typecode:
        column.extend(more)  # type: ignore[arg-type]  # of the same type, by the line above
        return column
    return [*column, *more]
