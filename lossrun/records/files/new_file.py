"""Write a file that does not exist yet, without ever replacing one."""

import errno
from contextlib import suppress
from pathlib import Path
from typing import Final

from lossrun.records.files import durable

# Errors of file systems without hard links: FAT, and some network shares.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EMLINK})


def create(path: Path, data: bytes, remedy: str) -> None:
    """Write a new file in one step, as `durable.replace` does.

    Raises:
        FileExistsError: If there is something of this name; it is unchanged.
        RunError: If writing fails, with the `remedy`; nothing is left behind.
    """
    durable.check_fences(path)
    if path.is_symlink() or path.exists():
        raise FileExistsError(path)
    temporary = durable.hidden(path)
    try:
        with durable.refusals_of_the_disk(path, remedy):
            durable.write(temporary, data)
            linked = _linked(temporary, path)
            if linked is None:  # a file system without links: a file made since the check above would be replaced
                temporary.replace(path)
        if linked is False:
            raise FileExistsError(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    with durable.refusals_of_the_disk(path, remedy):
        durable.sync_directory(path.parent)


def _linked(old: Path, new: Path) -> bool | None:
    """Give a file a second, new name, and return whether that was free; None if the file system has no such names."""
    try:
        new.hardlink_to(old)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _NO_LINKS:
            return None
        raise
    return True
