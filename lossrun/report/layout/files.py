"""Write files that the user named: figures, pages, tables."""

import os
from pathlib import Path

from lossrun.errors import RunError
from lossrun.nearby import about_folder, joined
from lossrun.records.files import durable


def save(data: bytes, path: Path, option: str) -> None:
    """Write a file completely or not at all; an older file is replaced. A link stays, and its file is written.

    Args:
        option: The option that named the path.

    Raises:
        RunError: If the file cannot be written.
    """
    remedy = joined(about_folder(path), f"name another file with {option}").removeprefix("; ")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a pipe, say, or /dev/stdout
        else:
            durable.replace(Path(os.path.realpath(path)) if path.is_symlink() else path, data, remedy=remedy)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error
