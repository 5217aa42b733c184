"""Read files that a user names: regular ones, or a limited number of bytes of anything else, with a time limit."""

import errno
import os
import select
import stat
import time
from io import BufferedReader
from pathlib import Path
from typing import Final

# Seconds to wait for a pipe or a device that sends nothing.
PATIENCE: Final = 10.0
_CHUNK: Final = 1 << 16
# The most bytes of a file that is read as a whole: of one that people could read, and of weights or a history.
READABLE: Final = 1 << 26
LARGE: Final = 1 << 38


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading bytes.

    Raises:
        OSError: If it cannot be opened, or is a pipe, a device, or a folder, which could block for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | _BINARY)
    try:
        mode = os.fstat(descriptor).st_mode
        _check_no_folder(mode)
        if not stat.S_ISREG(mode):
            raise OSError(None, f"{_kind(mode)}; expected a file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, most: int = READABLE) -> bytes:
    """Read a regular file of at most `most` bytes.

    Raises:
        OSError: If it cannot be read, or is longer, or is a pipe, a device, or a folder.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(None, f"{size} bytes; expected at most {most}")
        content = file.read(size + 1)
        while len(content) > size and len(content) <= most:  # it has grown since
            size = len(content)
            content += file.read(size)
        return content


def read_at_most(path: Path, most: int) -> bytes:
    """Read the content, but at most `most` + 1 bytes: a longer result means that there is more.

    A pipe is read too, as `<(...)` in a shell creates one.

    Raises:
        OSError: If nothing can be read, or a pipe sends nothing for PATIENCE seconds.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | _BINARY)
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
                    raise OSError(None, f"{_kind(mode)} that sent nothing for {PATIENCE:g} s") from None
                continue
            if not chunk:
                break
            content += chunk
        return bytes(content)
    finally:
        os.close(descriptor)


_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows


def _check_no_folder(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a file"
