"""Download a file whose digest is known: within limits of time and size, and never a wrong file under its name.

The server is not trusted. It may send something else, without an end, or a byte at a time.
"""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any, BinaryIO, Final
from urllib.parse import urljoin, urlsplit

from lossrun.output import harmless

MOST_BYTES: Final = 64 << 20  # the largest official file has 26 MB
CONNECTING: Final = 5.0  # seconds
SILENCE: Final = 30.0  # seconds to wait for the next piece
LONGEST: Final = 900.0  # seconds for one file from one server
SLOWEST: Final = 4096  # bytes per second, on average once SILENCE is over
MOST_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 14
_PARTIAL: Final = ".part"


class DownloadError(Exception):
    """Why a server's file is not to be had."""


def download(addresses: Sequence[str], digest: str, path: Path) -> list[str]:
    """Download `path` from the first address that gives the file with the `digest`, "sha256:..." or "md5:...".

    Returns:
        Nothing if the file is there; otherwise why each address failed.

    Raises:
        OSError: If writing fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path)
    failures: list[str] = []
    for address in addresses:
        try:
            with new_file(path) as file:
                _fetch(address, digest, file)
            return []
        except DownloadError as error:
            failures.append(f"{address}: {error}")
    return failures


def _fetch(address: str, digest: str, file: BinaryIO) -> None:
    algorithm, _, expected = digest.partition(":")
    found, size, start = hashlib.new(algorithm, usedforsecurity=False), 0, time.monotonic()
    for piece in _pieces(address):
        size += len(piece)
        seconds = time.monotonic() - start
        if size > MOST_BYTES:
            raise DownloadError(f"it sends more than {MOST_BYTES >> 20} MiB")
        if seconds > LONGEST or (seconds > SILENCE and size < SLOWEST * seconds):
            raise DownloadError(f"it is too slow: {size:,} bytes in {seconds:.0f} s")
        found.update(piece)
        file.write(piece)
    if found.hexdigest() != expected:
        raise DownloadError(f"it sends another file: {size:,} bytes with the {algorithm} {found.hexdigest()}")


def _pieces(address: str) -> Iterator[bytes]:
    """Yield what a server sends, as it is sent, with at most SILENCE seconds between two pieces.

    It is read in another thread, because a read may last as long as the server likes.
    """
    pieces: Queue[bytes | Exception | None] = Queue(maxsize=4)
    over = threading.Event()

    def put(piece: bytes | Exception | None) -> None:
        while not over.is_set():
            with suppress(Full):
                pieces.put(piece, timeout=0.1)
                break

    def read() -> None:
        try:
            _read(address, put, over)
            put(None)
        except Exception as error:
            put(error)

    threading.Thread(target=read, daemon=True).start()
    try:
        while (piece := pieces.get(timeout=SILENCE)) is not None:
            if isinstance(piece, Exception):
                raise DownloadError(_innermost(piece)) from piece
            yield piece
    except Empty:
        raise DownloadError(f"it sent nothing for {SILENCE:g} s") from None
    finally:
        over.set()


def _read(address: str, put: Callable[[bytes], None], over: threading.Event) -> None:
    import requests

    # As it is on the server: a compressed answer could become any number of bytes.
    with requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        with _answer(session, address) as answer:
            answer.raise_for_status()
            while not over.is_set() and (piece := answer.raw.read(_CHUNK, decode_content=False)):
                put(piece)
            length = answer.headers.get("Content-Length", "")
            if length.isdecimal() and answer.raw.tell() < int(length):
                raise DownloadError(f"it ended after {answer.raw.tell():,} of {int(length):,} bytes")


def _answer(session: Any, address: str) -> Any:
    """Follow redirects, but never to an address without encryption."""
    for _ in range(MOST_REDIRECTS):
        answer = session.get(address, stream=True, allow_redirects=False, timeout=(CONNECTING, SILENCE))
        if not answer.is_redirect:
            return answer
        address = urljoin(address, answer.headers["Location"])
        answer.close()
        if urlsplit(address).scheme != "https":
            raise DownloadError(f"it leads to {address}, which is not https")
    raise DownloadError(f"it redirects more than {MOST_REDIRECTS} times")


@contextmanager
def new_file(path: Path, *, synced: bool = True) -> Iterator[BinaryIO]:
    """Yield a file that becomes `path` if the block succeeds, and is removed otherwise.

    `synced`: it is on the disk before it gets its name. A file whose digest is checked when it is read needs that less.
    """
    partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}{_PARTIAL}")
    try:
        with partial.open("xb") as file:
            _lock(file)
            yield file
            file.flush()
            if synced:
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def remove_abandoned(path: Path) -> None:
    """Remove what processes that were killed have left of `path`: files that nobody holds the lock of."""
    for partial in path.parent.glob(f".{path.name}.*{_PARTIAL}"):
        with suppress(OSError), partial.open("rb") as file:
            if _lock(file):
                partial.unlink()


def _lock(file: BinaryIO) -> bool:
    """Take the lock of an open file, which the system frees however the process ends. Where there is none: False."""
    if os.name != "posix":
        return False
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _innermost(error: BaseException) -> str:
    """Return the reason at the bottom of the HTTP library's wrappings, which repeat the address three times."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return harmless(" ".join(str(error).split())[:300]) or type(error).__name__
