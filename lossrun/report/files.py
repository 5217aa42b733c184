"""What a command writes where the user says: figures, pages, tables."""

from pathlib import Path

from lossrun.errors import RunError
from lossrun.records import durable


def save(data: bytes, path: Path, option: str) -> None:
    """Give `path` this content, whole or not at all; an older file is replaced. `option`: that named the path.

    Raises RunError where the disk refuses.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a pipe, say, or /dev/stdout
        else:
            durable.replace(path, data, remedy=f"name another file with {option}")
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}; name another file with {option}") from error
