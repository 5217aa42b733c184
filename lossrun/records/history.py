"""Write and read history.jsonl: one row for each epoch and seed, appended in training, and cut on resume.

A row is a plain dict: epoch, step, seed, train_loss, val_loss, val_<name> ..., learning_rate, grad_norm (of the last
step), seconds (wall time of the epoch), train_seconds.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Final

from lossrun.errors import CheckpointError, RunError
from lossrun.files import open_regular
from lossrun.records.files import durable, json_lines, strict_json
from lossrun.records.files.contents import content_if_there, length_of, pieces_if_there
from lossrun.records.files.digests import DAMAGED, DigestsAt, GrowingDigest, PrefixDigest, with_unix_lines
from lossrun.records.files.rows import Rows
from lossrun.records.files.shapes import LARGEST, Shape, number, or_none, whole

_END: Final = 1 << 16  # bytes at the end of the file with the last row
_KEYS: Final = frozenset({"seed", "epoch", "step"})  # of every row
# The columns that hold something else than any number.
_COLUMNS: Final[dict[str, Shape]] = {
    "epoch": whole(1, LARGEST),
    "step": whole(0, LARGEST),
    "seed": whole(0, LARGEST),
    "seconds": number(at_least=0),
    "train_seconds": number(at_least=0),
}


@dataclass(frozen=True, slots=True)
class History:
    """The rows of a run.

    Attributes:
        torn: Whether the file ended in an incomplete line, which is left out.
    """

    rows: Rows = field(default_factory=Rows)
    torn: bool = False
    content: DigestsAt = field(default_factory=lambda: DigestsAt(()), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.rows, Rows):
            object.__setattr__(self, "rows", Rows(self.rows))


def append(path: Path, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add all rows of an epoch in one durable write, and return the file's length in bytes.

    Keys with the value None are left out.

    Raises:
        RunError: If writing fails.
    """
    return durable.append(path, _lines(rows))


class Written:
    """history.jsonl as its writer sees it.

    Attributes:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = GrowingDigest()
        for piece in pieces_if_there(path):
            self._content.add(piece)

    @property
    def length(self) -> int:
        """The length in bytes."""
        return self._content.length

    @property
    def mark(self) -> PrefixDigest:
        """The digest of the content so far."""
        return self._content.mark()

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add all rows of an epoch in one durable write."""
        append_all([(self, rows)])

    def appended(self, data: bytes) -> None:
        """Update length and digest with what was added to the file."""
        self._content.add(data)


def append_all(additions: Sequence[tuple[Written, Sequence[Mapping[str, Any]]]]) -> None:
    """Add rows to several histories; all are on the disk when this returns."""
    each = [(written, _lines(rows)) for written, rows in additions]
    durable.append_all([(written.path, data) for written, data in each])
    for written, data in each:
        written.appended(data)


def read(path: Path, marks: Iterable[PrefixDigest] = ()) -> History:
    """Return all rows, in file order.

    Args:
        marks: Digests that the history's `content` can be checked against.

    Raises:
        RunError: For a damaged line before the last, with its number.
    """
    rows, content = Rows(), DigestsAt(marks)

    def take(more: list[dict[str, Any]]) -> None:
        # Before they are kept: rows of another kind may be many.
        for place, row in enumerate(more, len(rows) + 1):
            if not row.keys() >= _KEYS:
                raise RunError(
                    f"{path}, line {place}: not a row of a history; the file is damaged: restore it from a copy"
                )
        rows.extend(more)

    torn = json_lines.read_plain(path, take, content.add)
    _check(path, rows)
    return History(rows, torn, content)


def last_epoch(path: Path) -> int:
    """Return the epoch of the last complete row, from the end of the file; 0 if there is none that can be read."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _END))
            *lines, _torn = file.read(_END).split(b"\n")
        return int(strict_json.loads(lines[-1])["epoch"])
    except (OSError, IndexError, KeyError, TypeError, ValueError):
        return 0


def mark_after(path: Path, epoch: int) -> PrefixDigest:
    """Return the mark of the file as it was after an epoch, before the rows of later ones."""
    content = GrowingDigest()
    for line in content_if_there(path).splitlines(keepends=True):
        if strict_json.loads(line)["epoch"] > epoch:
            break
        content.add(line)
    return content.mark()


def restore_line_ends(path: Path) -> None:
    """Undo changed line ends (by an editor, or git on Windows): lengths and digests count LF."""
    content = content_if_there(path)
    if content != (original := with_unix_lines(content)):
        durable.replace(path, original)


def cut(path: Path, length: int) -> int:
    """Cut the file to the length recorded in a checkpoint, and return how many bytes were removed.

    Raises:
        CheckpointError: If the file is shorter, so that rows of the checkpoint are lost.
    """
    size = length_of(path)
    if size < length:
        raise CheckpointError(
            f"{path} has {size} bytes, but it had {length} when the checkpoint was written: "
            "the history is damaged; resume from an older checkpoint"
        )
    if size > length:
        durable.truncate(path, length)
    return size - length


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return json_lines.dumps([{key: item for key, item in row.items() if item is not None} for row in rows])


def _check(path: Path, rows: Rows) -> None:
    """Check all rows, column by column.

    Raises:
        RunError: For a column that holds something else than its numbers.
    """
    for name in rows.names:
        column = rows.column(name)
        if isinstance(column, list):
            shape = or_none(_COLUMNS.get(name, number()))
            problem = next(filter(None, (shape(value, name) for value in column)), "")
            # A row may lack a key, but where it has one it has a value.
            if sum(map(len, rows.places(name))) > len(column) - column.count(None):
                problem = f"{name} is null"
        elif name in _COLUMNS:
            problem = _odd_value(name, column)
        else:
            problem = ""
        if problem:
            raise RunError(f"{path}: {problem}; {DAMAGED}")


def _odd_value(name: str, column: Sequence[int | float]) -> str:
    """Describe a value that does not fit, without a call for each: columns may have millions of values."""
    fits = _COLUMNS[name]
    # If all are finite and the least one fits, all do.
    suspects = () if isfinite(sum(column)) else (value for value in column if not isfinite(value))
    return next(filter(None, (fits(value, name) for value in (min(column), *suspects))), "")
