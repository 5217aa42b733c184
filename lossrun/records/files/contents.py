"""Read a whole file of a run, and say which one it was if that fails."""

from collections.abc import Iterator
from pathlib import Path

from lossrun.errors import RunError
from lossrun.files import LARGE, READABLE, is_there, read_pieces, read_regular


def content(path: Path, most: int = READABLE) -> bytes:
    """Return the content of a file.

    Raises:
        RunError: If it is missing, cannot be read, has more than `most` bytes, or is not a regular file.
    """
    try:
        return read_regular(path, most)
    except OSError as error:
        raise RunError(unreadable(path, error)) from error


def content_if_there(path: Path) -> bytes:
    """Return the content of a file as `content` does, but no bytes if the file or its folder does not exist."""
    try:
        return read_regular(path, LARGE)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise RunError(unreadable(path, error)) from error


def unreadable(path: Path, error: OSError) -> str:
    """Say that a file of a run cannot be read, and what to do about it."""
    if isinstance(error, FileNotFoundError | NotADirectoryError) and not is_there(path.parent):
        return gone(path.parent)
    fix = "ask its owner to let you read it" if isinstance(error, PermissionError) else "restore it from a copy"
    return f"cannot read {path}: {error.strerror or error}; {fix}"


def pieces_if_there(path: Path) -> Iterator[bytes]:
    """Return the content of a file as `content_if_there` does, in pieces, for one that may be long."""
    try:
        yield from read_pieces(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise RunError(unreadable(path, error)) from error


def incomplete(path: Path) -> str:
    """Say that a file of a run does not begin as it was written, or that the run itself is gone."""
    if not is_there(path.parent):
        return gone(path.parent)
    return f"{path} is missing or has lost its beginning; restore it from a copy"


def gone(folder: Path) -> str:
    """Say that the folder of a run or a sweep is no longer there."""
    return f"{folder} does not exist; it was perhaps renamed or removed meanwhile: name the folder that it is now"


def length_of(path: Path) -> int:
    """Return the length of a file in bytes; 0 if it cannot be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
