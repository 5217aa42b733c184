"""Writes that survive a crash: a file is whole and on the disk, or it is as it was before."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from lossrun.errors import RunError

TEMPORARY_SUFFIX: Final = ".tmp"


def replace(path: Path, data: bytes) -> None:
    """Give `path` the content `data` in one step: temporary file beside it, fsync, rename, fsync of the directory.

    Raises RunError where the disk refuses; the old file is then untouched and the temporary one removed.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    with refusals_of_the_disk(path):
        try:
            write(temporary, data)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def append(path: Path, data: bytes) -> int:
    """Add `data` to the end of `path` in one write and fsync it; the file's length in bytes afterwards."""
    with refusals_of_the_disk(path), path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def truncate(path: Path, length: int) -> None:
    """Cut `path` to its first `length` bytes, and fsync it."""
    with refusals_of_the_disk(path), path.open("r+b") as file:
        file.truncate(length)
        os.fsync(file.fileno())


def write(path: Path, data: bytes) -> None:
    """Write a new file and fsync it. OSError passes through: the caller knows what to take back."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Make renames inside `directory` durable, where the platform can (Windows cannot open a directory)."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def refusals_of_the_disk(path: Path) -> Iterator[None]:
    """Turn an OSError into a RunError that names the file."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"cannot write {path}: {error.strerror or error}; "
            "a run needs a writable directory with space left: free some, or choose another with --runs-dir"
        ) from error
