"""Write and read files with one JSON object per line, where only what was written last may be incomplete.

After a power failure the last line may lack its end, or hold NUL bytes if the disk had only recorded the file's length.
"""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError
from lossrun.files import open_regular
from lossrun.records.files import durable, strict_json
from lossrun.records.files.contents import content_if_there, unreadable
from lossrun.records.files.digests import with_unix_lines

# More than one: a single NUL byte is a blank with one bit flipped.
_NUL: Final = b"\0\0"
# Bytes. Reading a line takes several times its memory; the longest are the end of a run with thousands of seeds, at
# 1 kB for each, and its start, which holds a config of at most 256 KiB.
LONGEST_LINE: Final = 1 << 23
TORN: Final = "ends in an incomplete line, which is ignored"  # said of a file
BLOCK_BYTES: Final = 131_072  # read at a time; larger blocks are slower, because each needs new memory


def append(path: Path, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add the rows in one durable write, and return the file's length in bytes."""
    return durable.append(path, dumps(rows))


def dumps(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(strict_json.dumps(dict(row)) + "\n" for row in rows).encode()


def read(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """Return all complete rows, and whether an incomplete last line was left out. A missing file has no rows.

    Raises:
        RunError: For a complete line that is not a JSON object, with its number.
    """
    rows: list[dict[str, Any]] = []
    return rows, read_plain(path, lambda more: rows.extend(map(strict_json.restored, more)))


def read_plain(
    path: Path, take: Callable[[list[dict[str, Any]]], object], raw: Callable[[bytes], object] | None = None
) -> bool:
    """Read rows and pass some hundred at a time to `take`, with NaN and infinity still as strings.

    Args:
        raw: Called with the bytes of all lines that have an end, with LF line ends.

    Returns:
        Whether something incomplete was left out: a last line without an end, or the lines after the first NUL byte.
    """
    count = held = 0
    pieces: list[bytes] = []  # of a line that has not ended yet
    torn = False
    try:
        with open_regular(path) as file, collector_paused():
            while block := file.raw.read(BLOCK_BYTES):
                lines, newline, rest = block.rpartition(b"\n")
                if newline:
                    lines = b"".join((*pieces, lines))
                    pieces, held = [], 0
                pieces.append(rest)
                held += len(rest)
                if newline and raw is not None:
                    raw(with_unix_lines(lines + newline))
                if newline and not torn:
                    torn = _NUL in lines
                    whole = lines[: lines.index(_NUL)].rpartition(b"\n")[0] if torn else lines
                    if whole or not torn:
                        count += _taken(path, whole, count + 1, take)
                if held > LONGEST_LINE:
                    raise RunError(
                        f"{path}, line {count + 1}: longer than {LONGEST_LINE} bytes; the file is damaged: restore it "
                        "from a copy"
                    )
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunError(unreadable(path, error)) from error
    return torn or held > 0


def _taken(path: Path, lines: bytes, first: int, take: Callable[[list[dict[str, Any]]], object]) -> int:
    """Pass the rows of complete lines to `take`, and return how many they are."""
    rows = _rows(path, lines, first)
    try:
        take(rows)
    except ValueError as error:
        raise RunError(f"{path}: {error}; the file is damaged: restore it from a copy") from error
    return len(rows)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's garbage collector: rows have no cycles, and it would check them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def whole_lines(path: Path) -> bytes:
    """Return the complete lines; what is incomplete after them is removed from the file."""
    content = content_if_there(path)
    whole = content.rfind(b"\n") + 1
    start_of_last = content.rfind(b"\n", 0, max(0, whole - 1)) + 1
    if _NUL in content[start_of_last:whole]:
        whole = start_of_last
    if whole < len(content):
        durable.truncate(path, whole)
    return content[:whole]


def _rows(path: Path, lines: bytes, first: int) -> list[dict[str, Any]]:
    """Return the rows of complete lines, where `first` is the number of the first one."""
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
        raise RunError(f"{path}, line {number}: expected a JSON object; the file is damaged: restore it from a copy")
    return row
