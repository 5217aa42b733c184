"""Read a whole file of a run, and say which one it was if that fails."""

from pathlib import Path

from lossrun.errors import RunError
from lossrun.files import LARGE, READABLE, read_regular


def content(path: Path, most: int = READABLE) -> bytes:
    """Return the content of a file.

    Raises:
        RunError: If it is missing, cannot be read, has more than `most` bytes, or is no regular file.
    """
    try:
        return read_regular(path, most)
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}; restore it from a copy") from error


def content_if_there(path: Path) -> bytes:
    """Return the content of a file, nothing if there is no such file or folder; otherwise as `content`."""
    try:
        return read_regular(path, LARGE)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}; restore it from a copy") from error


def length_of(path: Path) -> int:
    """Return the length of a file in bytes; 0 for what cannot be looked at."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
