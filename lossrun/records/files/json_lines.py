"""Files of one JSON object per line, appended to while others read: only the last line may be incomplete."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError
from lossrun.records.files import durable, strict_json
from lossrun.records.files.digests import with_unix_lines

BLOCK_BYTES: Final = 131_072  # read at a time: larger ones are slower, being fresh memory each


def append(path: Path, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add the rows in one durable write; the file's length in bytes afterwards."""
    return durable.append(path, dumps(rows))


def dumps(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(strict_json.dumps(dict(row)) + "\n" for row in rows).encode()


def read(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """All complete rows, and whether an incomplete last line was left out. A missing file has no rows.

    Raises RunError where a complete line is no JSON object, naming the line.
    """
    rows: list[dict[str, Any]] = []
    return rows, read_plain(path, lambda more: rows.extend(map(strict_json.restored, more)))


def read_plain(
    path: Path, take: Callable[[list[dict[str, Any]]], object], raw: Callable[[bytes], object] | None = None
) -> bool:
    """As `read`, but some hundred rows at a time are handed to `take`, with non-finite numbers still strings.

    `raw` is given the bytes of all complete lines as well, with LF line ends.
    """
    count = 0
    rest = b""
    try:
        with path.open("rb", buffering=0) as file, _collector_paused():
            # Block by block, because memory is dearer than parsing; a line longer than a block is met by doubling.
            while block := file.read(max(BLOCK_BYTES, len(rest))):
                lines, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    if raw is not None:
                        raw(with_unix_lines(lines + newline))
                    rows = _rows(path, lines, count + 1)
                    count += len(rows)
                    take(rows)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    return bool(rest)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Rows are in no cycles, and a million of them are looked through by Python's collector again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def whole_lines(path: Path) -> bytes:
    """The complete lines; an incomplete last one, left by a write that was cut short, is removed from the file."""
    if not path.exists():
        return b""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        durable.truncate(path, whole)
    return content[:whole]


def _rows(path: Path, lines: bytes, first: int) -> list[dict[str, Any]]:
    """The rows of complete lines, of which the first has the number `first`; without the last one's line end."""
    try:
        # One call for many lines is several times faster than one per line.
        rows: list[dict[str, Any]] = strict_json.loads_plain(b"[" + lines.replace(b"\n", b",") + b"]")
    except ValueError:
        rows = []
    if len(rows) != lines.count(b"\n") + 1 or set(map(type, rows)) != {dict}:
        return [_parsed(path, number, line) for number, line in enumerate(lines.split(b"\n"), first)]
    return rows


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = strict_json.loads_plain(line)
    except ValueError as error:
        column = f" from column {error.colno} on" if isinstance(error, JSONDecodeError) else ""
        raise RunError(
            f"{path}, line {number}: not JSON{column}; the file is damaged: restore it from a copy"
        ) from error
    if not isinstance(row, dict):
        raise RunError(
            f"{path}, line {number}: a JSON object was expected; the file is damaged: restore it from a copy"
        )
    return row
