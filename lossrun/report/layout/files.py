"""What a command writes where the user says: figures, pages, tables."""

from pathlib import Path

from lossrun.errors import RunError
from lossrun.nearby import about_folder, joined
from lossrun.records.files import durable


def save(data: bytes, path: Path, option: str) -> None:
    """Give `path` this content, whole or not at all; an older file is replaced. `option`: that named the path.

    Raises RunError where the disk refuses.
    """
    remedy = joined(about_folder(path), f"name another file with {option}").removeprefix("; ")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a pipe, say, or /dev/stdout
        else:
            durable.replace(path, data, remedy=remedy)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error
