"""Write files that the user named: figures, pages, tables."""

import os
from pathlib import Path

from lossrun.errors import RunError, UsageError
from lossrun.nearby import about_folder, joined
from lossrun.records.files import durable, new_file


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


def save_new(text: str, path: Path) -> None:
    """Write a new file completely or not at all.

    Raises:
        UsageError: If it exists already; nothing is overwritten.
        RunError: If it cannot be written.
    """
    remedy = joined(about_folder(path), "choose another --output").removeprefix("; ")
    try:
        new_file.create(path, text.encode(), remedy)
    except FileExistsError as error:
        raise UsageError(already_exists(path)) from error


def already_exists(path: Path) -> str:
    return f"{path} already exists and was not changed; choose another --output, or remove it"
