"""Files of one JSON object per line, appended to while others read: only the last line may be incomplete."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lossrun.errors import RunError
from lossrun.records import durable, strict_json


def append(path: Path, rows: Sequence[Mapping[str, Any]]) -> int:
    """Add the rows in one durable write; the file's length in bytes afterwards."""
    return durable.append(path, "".join(strict_json.dumps(dict(row)) + "\n" for row in rows).encode())


def read(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """All complete rows, and whether an incomplete last line was left out. A missing file has no rows.

    Raises RunError where a complete line is no JSON object, naming the line.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return [], False
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}") from error
    end = content.rfind(b"\n") + 1
    lines, torn = content[:end], end < len(content)
    try:
        # One call for the whole file is several times faster than one per line.
        rows = strict_json.loads_plain(b"[" + lines[:-1].replace(b"\n", b",") + b"]")
    except ValueError:
        rows = []
    if len(rows) != lines.count(b"\n") or set(map(type, rows)) - {dict}:
        return [_parsed(path, number, line) for number, line in enumerate(lines.splitlines(), 1)], torn
    if b'nan"' in lines or b'inf"' in lines:
        rows = [strict_json.restored(row) for row in rows]
    return rows, torn


def drop_torn_line(path: Path) -> None:
    """Remove an incomplete last line, left by a write that was cut short, before more is appended."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        durable.truncate(path, whole)


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = strict_json.loads(line)
    except ValueError as error:
        raise RunError(
            f"{path}, line {number}: not JSON ({error}); the file is damaged: restore it from a copy"
        ) from error
    if not isinstance(row, dict):
        raise RunError(
            f"{path}, line {number}: a JSON object was expected; the file is damaged: restore it from a copy"
        )
    return row
