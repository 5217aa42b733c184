"""Train on a node that does not see the folder of the sweep: in a temporary folder, whose changes are sent.

The node trains from the state that it is given. At most once a second it sends what has changed in its files since the
last time; of a file that grows, only what was added. The process that runs the sweep writes this (`receiving.py`), so
that another node can continue from there.
"""

import os
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from lossrun.errors import LockedError, RunError
from lossrun.records.files import durable
from lossrun.records.files.digests import of_bytes
from lossrun.records.files.scratch import scratch_folder
from lossrun.records.lock import writing
from lossrun.records.run_directory import RunDirectory
from lossrun.records.sweep_directory import PlannedCell, stack_directory
from lossrun.sweeping.worker import Ended, stack_training

MOST_BYTES: Final = 256 * 2**20  # in one delivery; Ray holds it in memory on both sides
SENT_EVERY: Final = 1.0  # seconds; what the loss of a node may cost
# A node spends at most one part in so many of its time on sending.
LEAST_OF_A_SENDING: Final = 10
YOUNG: Final = 60.0  # seconds; of a folder that a task may not have locked yet
_SCRATCH: Final = "lossrun-node-"
# Files of these names only grow while one process writes them.
GROWING: Final = ("history.jsonl", "ledger.jsonl")


class Piece(NamedTuple):
    """What a file holds from byte `start` on. What it holds before was sent earlier."""

    start: int
    data: bytes


@dataclass(frozen=True)
class Delivery:
    """What has changed in the files of a stack.

    Attributes:
        pieces: By the path of their file in the folder of the sweep.
        files: The paths of all files that there are: any other file of the stack is gone.
        endings: How the cells have ended, by their directories; None while the stack is being trained.
    """

    pieces: Mapping[str, Piece]
    files: frozenset[str]
    endings: Mapping[str, Ended] | None = None


def files_of(sweep: Path, stack: Sequence[PlannedCell]) -> dict[str, Path]:
    """Return all files of a stack by their paths in the folder of the sweep, except locks and temporary files."""
    folders = [sweep / cell.directory for cell in stack]
    folders += [stack_directory(sweep, name) for name in {cell.stack for cell in stack if cell.stack}]
    own = {RunDirectory(folder).lock_path.name for folder in folders}
    own |= {RunDirectory(folder).owner_path.name for folder in folders}
    return {
        path.relative_to(sweep).as_posix(): path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in own and path.suffix != durable.TEMPORARY_SUFFIX
    }


def size_of(paths: Iterable[Path]) -> int:
    """Return how many bytes files take."""
    return sum(path.stat().st_size for path in paths)


def trained_elsewhere(
    name: str,
    stack: Sequence[PlannedCell],
    config_dir: Path,
    data_dir: Path,
    state: Mapping[str, bytes] | None,
    node: str = "",
) -> Iterator[Delivery]:
    """Train the stack of a sweep of this name in a temporary folder; yield what to send, in the end with the endings.

    Args:
        state: The files that the stack has so far, by their paths in the folder of the sweep; None if they are
            too large.
        node: The name of this machine, for messages.
    """
    node = node or socket.gethostname()
    if state is None:
        yield _too_large(stack, node)
        return
    with _scratch() as folder:
        sweep = folder / name
        for file, data in state.items():
            (sweep / file).parent.mkdir(parents=True, exist_ok=True)
            (sweep / file).write_bytes(data)
        sweep.mkdir(exist_ok=True)
        for cell in stack:
            if (sweep / cell.directory).is_dir():
                RunDirectory(sweep / cell.directory).checkpoints.mkdir(exist_ok=True)
        sender = _Sender(sweep, stack)
        training = stack_training(sweep, stack, config_dir, data_dir)
        sent, took = (
            0.0,
            0.0,
        )  # the first event is sent at once: from then on, the stack never starts from the beginning
        endings: dict[str, Ended] | None = None
        while endings is None:
            try:
                next(training)
            except StopIteration as over:
                endings = {
                    name: ended._replace(problem=f"on {node}: {ended.problem}") if ended.problem else ended
                    for name, ended in over.value.items()
                }
            now = time.perf_counter()
            if endings is None and now - sent < max(SENT_EVERY, LEAST_OF_A_SENDING * took):
                continue
            delivery = sender.news(endings)
            if delivery is None:
                training.close()
                yield _too_large(stack, node)
                return
            yield delivery
            sent = time.perf_counter()
            took = sent - now


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yield a temporary folder, after removing those of tasks that were killed, which could not remove theirs."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*"):
        _remove_if_left(folder)
    with scratch_folder(_SCRATCH) as made, writing(made):
        yield made


def _remove_if_left(folder: Path) -> None:
    """Remove a temporary folder of a task of this user that has ended.

    A task holds the lock of its folder. A young folder may be one whose task is about to lock it.
    """
    with suppress(OSError, LockedError, RunError):
        facts = folder.lstat()
        is_ours = stat.S_ISDIR(facts.st_mode) and (not hasattr(os, "getuid") or facts.st_uid == os.getuid())
        if is_ours and time.time() - facts.st_mtime > YOUNG:
            with writing(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _too_large(stack: Sequence[PlannedCell], node: str) -> Delivery:
    problem = (
        f"on {node}: its stack takes more than {MOST_BYTES:,} bytes, and this machine does not see the folder of the "
        "sweep; give --runs-dir a folder that all nodes share"
    )
    return Delivery({}, frozenset(), {cell.directory: Ended("blocked", problem) for cell in stack})


class _Sent(NamedTuple):
    """A file as it was sent. `digest`: of its content, if it grows."""

    size: int
    changed: int
    number: int
    digest: str


class _Sender:
    """Remembers what was sent of each file."""

    def __init__(self, sweep: Path, stack: Sequence[PlannedCell]) -> None:
        self.sweep = sweep
        self.stack = stack
        self._sent: dict[str, _Sent] = {}
        for file, path in files_of(sweep, stack).items():
            self._remember(file, path)

    def news(self, endings: Mapping[str, Ended] | None) -> Delivery | None:
        """Return the next delivery; None if it would be larger than one may be."""
        files = files_of(self.sweep, self.stack)
        changed = [file for file, path in files.items() if not self._is_sent(file, path)]
        if size_of(files[file] for file in changed if Path(file).name not in GROWING) > MOST_BYTES:
            return None
        pieces = {file: self._remember(file, files[file]) for file in changed}
        if sum(len(piece.data) for piece in pieces.values()) > MOST_BYTES:
            return None
        self._sent = {file: sent for file, sent in self._sent.items() if file in files}
        return Delivery(pieces, frozenset(files), endings)

    def _is_sent(self, file: str, path: Path) -> bool:
        state, sent = path.stat(), self._sent.get(file)
        return sent is not None and sent[:3] == (state.st_size, state.st_mtime_ns, state.st_ino)

    def _remember(self, file: str, path: Path) -> Piece:
        """Note that the present content of a file is sent; return the part that has changed."""
        state, data, sent = path.stat(), path.read_bytes(), self._sent.get(file)
        grows = path.name in GROWING
        new = _Sent(state.st_size, state.st_mtime_ns, state.st_ino, of_bytes(data) if grows else "")
        self._sent[file] = new
        # A resumed run has cut its history, and may have written other rows since.
        goes_on = grows and sent is not None and len(data) >= sent.size and of_bytes(data[: sent.size]) == sent.digest
        start = sent.size if goes_on and sent is not None else 0
        return Piece(start, data[start:])
