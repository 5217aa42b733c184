"""history.jsonl: one row per (epoch, seed), appended while training and cut back on resume.

A row is a plain dict: epoch, step, seed, train_loss, val_loss, val_<name> ..., learning_rate, grad_norm (of the last
step), seconds (wall time of the epoch), train_seconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossrun.errors import CheckpointError, RunError
from lossrun.records.files import durable, json_lines
from lossrun.records.files.digests import Beginning, Marked, PrefixDigest, with_unix_lines
from lossrun.records.files.rows import Rows


@dataclass(frozen=True, slots=True)
class History:
    """`torn`: the file ended in an incomplete line, which is left out."""

    rows: Rows = field(default_factory=Rows)
    torn: bool = False
    content: Marked = field(default_factory=lambda: Marked(()), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.rows, Rows):
            object.__setattr__(self, "rows", Rows(self.rows))


def append(path: Path, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add all rows of an epoch in one durable write; the file's length in bytes afterwards.

    Keys whose value is None are left out. Raises RunError where the disk refuses.
    """
    return durable.append(path, _lines(rows))


class Written:
    """history.jsonl as its writer keeps it: `length` in bytes, and `mark`, the digest of what is there so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = Beginning()
        if path.exists():
            self._content.add(path.read_bytes())

    @property
    def length(self) -> int:
        return self._content.length

    @property
    def mark(self) -> PrefixDigest:
        return self._content.mark()

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """As the function of that name."""
        data = _lines(rows)
        durable.append(self.path, data)
        self._content.add(data)


def read(path: Path, marks: Iterable[PrefixDigest] = ()) -> History:
    """All rows, in file order. Raises RunError, with the line's number, for a damaged line before the last.

    `marks`: what the history's `content` can be asked about.
    """
    rows, content = Rows(), Marked(marks)
    torn = json_lines.read_plain(path, rows.extend, content.add)
    for name in ("seed", "epoch"):
        if sum(map(len, rows.places(name))) < len(rows):
            number = next(number for number, row in enumerate(rows, 1) if name not in row)
            raise RunError(f"{path}, line {number}: no row of a history; the file is damaged: restore it from a copy")
    return History(rows, torn, content)


def restore_line_ends(path: Path) -> None:
    """Undo what an editor, or git on Windows, made of the line ends: lengths and digests count LF."""
    if path.exists() and (content := path.read_bytes()) != (original := with_unix_lines(content)):
        durable.replace(path, original)


def cut(path: Path, length: int) -> int:
    """Cut the file to its first `length` bytes, the length noted in a checkpoint; how many bytes went.

    Raises CheckpointError where the file is shorter: rows that the checkpoint counts on are gone.
    """
    size = path.stat().st_size if path.exists() else 0
    if size < length:
        raise CheckpointError(
            f"{path} holds {size} bytes, but the checkpoint was written when it held {length}: "
            "the history is damaged; resume from an older checkpoint"
        )
    if size > length:
        durable.truncate(path, length)
    return size - length


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return json_lines.dumps([{key: item for key, item in row.items() if item is not None} for row in rows])
