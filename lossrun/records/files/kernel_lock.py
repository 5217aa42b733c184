"""Take a lock of the kernel on a file, which the kernel frees when its holder ends, in whatever way."""

import errno
import os
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Final

from lossrun.records.files import durable

# Errors of file systems without locks.
NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
_HELD: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})

_descriptors: Final[set[int]] = set()  # of the locks that this process holds


def take(path: Path) -> Callable[[], object] | None:
    """Take the lock of the file, which is created if need be, and return what releases it.

    The result is None if the file system has no locks.

    Raises:
        BlockingIOError: If it is held, by this process or another one.
        OSError: If the file system refuses.
    """
    if sys.platform == "win32":
        from filelock import FileLock, Timeout

        lock = FileLock(path)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise BlockingIOError from None
        return lock.release
    import fcntl

    durable.refuse_other_than_files(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in _HELD:
            raise BlockingIOError from None
        if error.errno in NO_LOCKS:
            return None
        raise
    _close_in_forks()
    _descriptors.add(descriptor)
    return partial(_close, descriptor)


def _close(descriptor: int) -> None:
    if descriptor in _descriptors:  # not in a fork, which has closed it
        _descriptors.remove(descriptor)
        os.close(descriptor)


@cache
def _close_in_forks() -> None:
    """Let forks of this process close the descriptors: one that outlives it would go on holding its locks."""

    def close_all() -> None:
        for descriptor in list(_descriptors):
            _close(descriptor)

    os.register_at_fork(after_in_child=close_all)
