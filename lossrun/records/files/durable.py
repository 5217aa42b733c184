"""Write files so that they survive a crash: a file is complete and on the disk, or as it was before."""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from lossrun.errors import RunError
from lossrun.files import kind

TEMPORARY_SUFFIX: Final = ".tmp"
RUN_REMEDY: Final = "a run needs a writable directory with space left: free some, or choose another with --runs-dir"
# Errors of file systems that cannot open or sync a directory: network shares, folders shared with a virtual machine.
# The files themselves are still synced. EIO, the error of a failing disk, is never ignored.
NO_DIRECTORY_SYNC: Final = frozenset(
    {errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EISDIR}
)
# Bytes of a name that every file system takes: encrypted home folders (eCryptfs) allow 143, most others 255.
_LONGEST_NAME: Final = 143
MOST_OPEN: Final = 64  # files at a time; more are not faster, and macOS allows a process only 256

# Folders, each with what raises once this process may no longer write there.
_fences: Final[list[tuple[Path, Callable[[], object]]]] = []


@contextmanager
def fenced(folder: Path, check: Callable[[], object]) -> Iterator[None]:
    """Call `check` before each change below `folder` in the block. It raises if somebody else writes there."""
    fence = (folder.absolute(), check)
    _fences.append(fence)
    try:
        yield
    finally:
        _fences.remove(fence)


def check_fences(path: Path) -> None:
    """Let the checks of all folders that hold `path` raise, before it is changed or removed."""
    if _fences:
        whole = path.absolute()
        for folder, check in _fences:
            if whole.is_relative_to(folder):
                check()


def hidden(path: Path) -> Path:
    """Return an unused name next to `path`, for a file that is not complete yet.

    A long name is cut, so that the result is valid wherever the name of `path` is.
    """
    ending = f".{os.urandom(4).hex()}{TEMPORARY_SUFFIX}"
    name, most = os.fsencode(path.name), _LONGEST_NAME - len(ending) - 1
    kept = path.name if len(name) <= most else name[:most].decode(errors="ignore")  # never cut a character in half
    return path.with_name(f".{kept}{ending}")


def replace(path: Path, data: bytes, *, remedy: str = RUN_REMEDY) -> None:
    """Give `path` the content `data` in one step: temporary file, fsync, rename, fsync of the directory.

    Raises:
        RunError: If writing fails, with the `remedy`; the old file is unchanged and the temporary one removed.
    """
    replace_all([(path, data)], remedy=remedy)


def replace_all(files: Iterable[tuple[Path, bytes]], *, remedy: str = RUN_REMEDY) -> None:
    """Replace many files: each is complete or as before, and all are on the disk when this returns.

    This takes about half as long as one file at a time, because the disk gets all contents before the program waits,
    and each directory is synced once. Nothing is renamed before all contents are durable; a crash between the renames
    leaves some files new and others old.

    Raises:
        RunError: If writing fails; no temporary file is left behind.
    """
    renames: list[tuple[Path, Path]] = []
    opened: list[tuple[Path, BinaryIO]] = []
    try:
        for path, data in files:
            check_fences(path)
            temporary = hidden(path)
            renames.append((temporary, path))
            with refusals_of_the_disk(path, remedy):
                if opened:
                    _begin_writing_out(opened[-1][1])
                file: BinaryIO = temporary.open("xb")
                opened.append((path, file))
                file.write(data)
                file.flush()
            if len(opened) == MOST_OPEN:
                _finish_writing_out(opened, remedy)
        _finish_writing_out(opened, remedy)
        for temporary, path in renames:
            check_fences(path)
            with refusals_of_the_disk(path, remedy):
                temporary.replace(path)
    except BaseException:
        for _, file in opened:
            with suppress(OSError):
                file.close()
        for temporary, _ in renames:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        raise
    for directory in {path.parent: None for _, path in renames}:
        with refusals_of_the_disk(directory, remedy):
            sync_directory(directory)


def append(path: Path, data: bytes) -> int:
    """Add `data` to the end of `path` in one write with fsync, and return the file's length in bytes."""
    (length,) = append_all([(path, data)])
    return length


def append_all(additions: Iterable[tuple[Path, bytes]], *, remedy: str = RUN_REMEDY) -> list[int]:
    """Add to the ends of many files, one write each, and return their lengths; all are on the disk when this returns.

    Raises:
        RunError: If writing fails; some files may have grown already.
    """
    lengths: list[int] = []
    opened: list[tuple[Path, BinaryIO]] = []
    new: dict[Path, None] = {}
    try:
        for path, data in additions:
            check_fences(path)
            with refusals_of_the_disk(path, remedy):
                if opened:
                    _begin_writing_out(opened[-1][1])
                _make_ours(path)
                file: BinaryIO = path.open("ab")
                opened.append((path, file))
                file.write(data)
                file.flush()
                lengths.append(file.tell())
            if lengths[-1] == len(data):
                new[path.parent] = None
            if len(opened) == MOST_OPEN:
                _finish_writing_out(opened, remedy)
        _finish_writing_out(opened, remedy)
    finally:
        for _, file in opened:
            with suppress(OSError):
                file.close()
    for directory in new:
        with refusals_of_the_disk(directory, remedy):
            sync_directory(directory)
    return lengths


def write_all(files: Iterable[tuple[Path, bytes]]) -> None:
    """Write many new files, in folders that exist; all are on the disk when this returns.

    An OSError is passed on, because the caller knows what to undo.
    """
    opened: list[BinaryIO] = []
    try:
        for path, data in files:
            check_fences(path)
            if opened:
                _begin_writing_out(opened[-1])
            opened.append(path.open("xb"))
            opened[-1].write(data)
            opened[-1].flush()
            if len(opened) == MOST_OPEN:
                _sync_and_close(opened)
        _sync_and_close(opened)
    finally:
        for file in opened:
            with suppress(OSError):
                file.close()


def put(path: Path, data: bytes) -> None:
    """Give `path` the content `data` in one step, without waiting for the disk. For notes of no use after a crash."""
    check_fences(path)
    temporary = hidden(path)
    with refusals_of_the_disk(path):
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def truncate(path: Path, length: int) -> None:
    """Cut `path` to its first `length` bytes, with fsync."""
    check_fences(path)
    with refusals_of_the_disk(path):
        _make_ours(path)
        with path.open("r+b") as file:
            file.truncate(length)
            os.fsync(file.fileno())


def write(path: Path, data: bytes) -> None:
    """Write a new file with fsync. An OSError is passed on, because the caller knows what to undo."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def refuse_other_than_files(path: Path) -> None:
    """Raise OSError for a link, which would lead the writing elsewhere, and for a pipe, a folder or a device."""
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode):
            raise OSError(None, f"{kind(mode)}; expected a file")


def _make_ours(path: Path) -> None:
    """Make sure that writing into `path` changes no other file: a copy by `cp -l` has the same file by another name.

    Raises:
        OSError: As `refuse_other_than_files`.
    """
    refuse_other_than_files(path)
    with suppress(FileNotFoundError):
        if path.lstat().st_nlink > 1:
            replace(path, path.read_bytes())


def make_directory(path: Path) -> None:
    """Create a directory, and those above it that are missing; each is durable. An OSError is passed on."""
    missing = [directory for directory in (path, *path.parents) if not directory.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for directory in missing:
        sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Make renames in `directory` durable, if platform and file system can; Windows cannot."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_DIRECTORY_SYNC:
            raise


def _begin_writing_out(file: BinaryIO) -> None:
    """Ask Linux to start writing to the disk without waiting."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_and_close(opened: list[BinaryIO]) -> None:
    for file in opened:
        os.fsync(file.fileno())
        file.close()
    opened.clear()


def _finish_writing_out(opened: list[tuple[Path, BinaryIO]], remedy: str) -> None:
    for path, file in opened:
        with refusals_of_the_disk(path, remedy):
            os.fsync(file.fileno())
            file.close()
    opened.clear()


@contextmanager
def refusals_of_the_disk(path: Path, remedy: str = RUN_REMEDY) -> Iterator[None]:
    """Turn an OSError into a RunError that names the file and the remedy."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError) and remedy == RUN_REMEDY:
            remedy = "its folder was renamed or removed meanwhile"
        raise RunError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error
