"""Read files that a user names: regular ones, or a limited number of bytes of anything else, with a time limit."""

import errno
import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final

# Seconds to wait for a pipe or a device that sends nothing.
PATIENCE: Final = 10.0
_CHUNK: Final = 1 << 16
# The most bytes of a file that is read as a whole: of one that people could read, and of weights or a history. A file
# is held up to five times while it is parsed: its bytes, and text of up to four bytes for a character.
READABLE: Final = 1 << 24
LARGE: Final = 1 << 38
PIECE: Final = 1 << 20  # bytes that are held of a file that is read in pieces


def named_path(text: str | os.PathLike[str]) -> Path:
    """Return the path that somebody names. `~` at its beginning is the home directory, also where no shell has read it.

    As in a shell, it stays where there is no home directory, and so does `~name` if there is no such user.
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111  # Path.expanduser raises RuntimeError instead


def is_there(path: Path | str) -> bool:
    """Return whether something has this name, even if it is a broken link.

    What cannot be examined counts as there. A failing disk, a stale handle of a file server, or a folder that this
    process may not read must not make a run disappear from a listing, or a file look as if it had never been written.
    Reading it then says what is wrong.
    """
    try:
        os.lstat(path)
    except PermissionError:
        return os.path.lexists(os.path.dirname(path))  # noqa: PTH120  # false if the folder may not exist either
    except OSError as error:
        return error.errno not in _ABSENT
    except ValueError:  # a NUL in a name
        return False
    return True


def is_file(path: Path | str) -> bool:
    """Return whether a file is there, for searches: unlike `Path.is_file`, False where nobody lets us look."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path | str) -> bool:
    """Return whether a folder is there, for searches: unlike `Path.is_dir`, False where nobody lets us look."""
    return os.path.isdir(path)  # noqa: PTH112


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading bytes.

    Raises:
        OSError: If it cannot be opened, or is a pipe, a device, or a folder, which could block forever.
    """
    descriptor = _opened(path)
    try:
        _check_regular(os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path | str, most: int = READABLE) -> bytes:
    """Read a regular file of at most `most` bytes.

    Raises:
        OSError: If it cannot be read, or is longer, or is a pipe, a device, or a folder.
    """
    descriptor = _opened(path)
    try:
        facts = os.fstat(descriptor)
        _check_regular(facts.st_mode)
        if facts.st_size > most:
            raise OSError(None, f"{facts.st_size} bytes; expected at most {most}")
        content = os.read(descriptor, facts.st_size + 1)
        if len(content) == facts.st_size:
            return content
        # It has grown since, or it is so large that the system gives it in pieces.
        pieces = [content]
        while sum(map(len, pieces)) <= most and (more := os.read(descriptor, max(facts.st_size, _CHUNK))):
            pieces.append(more)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def read_pieces(path: Path | str) -> Iterator[bytes]:
    """Read a regular file of any length in pieces, so that it does not matter how long it is.

    Raises:
        OSError: If it cannot be read, or is a pipe, a device, or a folder.
    """
    descriptor = _opened(path)
    try:
        _check_regular(os.fstat(descriptor).st_mode)
        while piece := os.read(descriptor, PIECE):
            yield piece
    finally:
        os.close(descriptor)


def read_at_most(path: Path, most: int) -> bytes:
    """Read the content, but at most `most` + 1 bytes: a longer result means that there is more.

    A pipe is read too, as `<(...)` in a shell creates one.

    Raises:
        OSError: If nothing can be read, or a pipe sends nothing for PATIENCE seconds.
    """
    descriptor = _opened(path)
    try:
        mode = os.fstat(descriptor).st_mode
        _check_no_folder(mode)
        deadline = time.monotonic() + PATIENCE
        content = bytearray()
        while len(content) <= most:
            try:
                chunk = os.read(descriptor, min(_CHUNK, most + 1 - len(content)))
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                    raise OSError(None, f"{kind(mode)} that sent nothing for {PATIENCE:g} s") from None
                continue
            if not chunk:
                break
            content += chunk
        return bytes(content)
    finally:
        os.close(descriptor)


# Errors that say that there is nothing.
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})
# Without waiting for a pipe; O_BINARY is of Windows.
_FLAGS: Final = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))


def kind(mode: int) -> str:
    """Return what a file is, by its mode: "a pipe", "a link" ..."""
    return next((name for name, is_one in _KINDS.items() if is_one(mode)), "a file")


_KINDS: Final[dict[str, Callable[[int], bool]]] = {
    "a folder": stat.S_ISDIR,
    "a link": stat.S_ISLNK,
    "a pipe": stat.S_ISFIFO,
    "a socket": stat.S_ISSOCK,
    "a device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
}


def _opened(path: Path | str) -> int:
    """Open a file without waiting. A broken link exists, so it is not reported as a missing file."""
    try:
        return os.open(path, _FLAGS)
    except FileNotFoundError:
        if Path(path).is_symlink():
            raise OSError(None, "a broken link; expected a file") from None
        raise


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        _check_no_folder(mode)
        raise OSError(None, f"{kind(mode)}; expected a file")


def _check_no_folder(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
