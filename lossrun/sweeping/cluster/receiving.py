"""Write the files that the nodes of a cluster send (`carrying.py`) into the folder of the sweep.

The order is the same as in a run by itself: rows, events, checkpoints; at the end of a run its files, and last of all
the line in its ledger that says that it has ended. So the sweep can be resumed whenever this process is killed.

Only one node at a time may write a stack. A `Receiver` knows the files that its node was given, and takes the locks of
the stack before it writes anything. It refuses to write if another process holds the locks, or has changed the files
meanwhile. A node that was given up has no receiver any more.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from lossrun.errors import LockedError, RunError
from lossrun.records import checkpoints, run_directory
from lossrun.records.files import durable, strict_json
from lossrun.records.lock import writing
from lossrun.records.run_directory import RunDirectory, is_run
from lossrun.records.sweep_directory import STACKS, PlannedCell, holding_stack, remove_stack, stack_directory
from lossrun.sweeping.cluster.carrying import GROWING, MOST_BYTES, Delivery, Piece, files_of
from lossrun.sweeping.worker import read_ending

Times: TypeAlias = Mapping[str, tuple[int, int]]
ENDS: frozenset[str] = frozenset({"finished", "diverged"})


class Receiver:
    """Writes what one node sends of a stack.

    Attributes:
        steps: How many steps of the stack were done when the node was asked; more are progress.
    """

    def __init__(self, sweep: Path, stack: Sequence[PlannedCell]) -> None:
        self.sweep = sweep
        self.stack = stack
        self.steps = steps_done(sweep, stack)
        self._times = _times(sweep, stack)
        self._locks = ExitStack()
        self._runs: dict[str, ExitStack] = {}
        self._has_begun = False

    def state(self) -> dict[str, bytes] | None:
        """Return the files that the stack has, by their paths in the folder of the sweep; None if they are too large.

        If another process writes them meanwhile, `take` will notice.
        """
        if sum(size for size, _ in self._times.values()) > MOST_BYTES:
            return None
        found: dict[str, bytes] = {}
        for file in self._times:
            with suppress(FileNotFoundError):
                found[file] = (self.sweep / file).read_bytes()
        return found

    def take(self, delivery: Delivery) -> None:
        """Write what a node has sent.

        Raises:
            LockedError: If another process writes the stack, or has written it since this node was asked.
            RunError: If writing fails, if a file does not belong to this stack, or if a checkpoint is damaged.
        """
        self._check(delivery)
        if not self._has_begun:
            self._begin()
        pieces = dict(delivery.pieces)
        # A run that was started again has another id.
        new = [cell.directory for cell in self.stack if f"{cell.directory}/run.json" in pieces]
        if new:
            self._create({directory: _taken(pieces, directory) for directory in new})
        rows = {file: piece for file, piece in pieces.items() if PurePosixPath(file).name == "history.jsonl"}
        events = {file: piece for file, piece in pieces.items() if PurePosixPath(file).name == "ledger.jsonl"}
        last = {file: piece for file, piece in events.items() if _ends(piece)}
        others = {file: piece for file, piece in pieces.items() if file not in rows and file not in events}
        for group in (rows, {file: piece for file, piece in events.items() if file not in last}, others, last):
            self._write(group)
        self._remove_all_but(delivery.files)
        if delivery.endings and all(read_ending(self.sweep / cell.directory) for cell in self.stack):
            for name in self._stacks():
                remove_stack(self.sweep, name)

    def close(self) -> None:
        """Release the locks."""
        for locks in self._runs.values():
            locks.close()
        self._locks.close()

    def _check(self, delivery: Delivery) -> None:
        """Raise RunError for anything but files of this stack, and for damaged checkpoints."""
        folders = {(cell.directory,) for cell in self.stack} | {(STACKS, cell.stack) for cell in self.stack}
        for file in {*delivery.files, *delivery.pieces}:
            path = PurePosixPath(file)
            inside = any(path.parts[: len(folder)] == folder and len(path.parts) > len(folder) for folder in folders)
            if not inside or path.is_absolute() or ".." in path.parts:
                raise RunError(f"a node sent {file!r}, which is not a file of the runs that it trains")
        for file, piece in delivery.pieces.items():
            checkpoints.check_digest(PurePosixPath(file).name, piece.data)

    def _begin(self) -> None:
        for name in self._stacks():
            self._locks.enter_context(holding_stack(self.sweep, name))
        for cell in self.stack:
            if is_run(self.sweep / cell.directory):
                self._lock(cell.directory)
        if _times(self.sweep, self.stack) != self._times:
            raise LockedError(f"{self.stack[0].directory} was changed by another process in the meantime")
        self._has_begun = True

    def _lock(self, directory: str) -> None:
        locks = self._runs[directory] = ExitStack()
        locks.enter_context(writing(self.sweep / directory))

    def _stacks(self) -> set[str]:
        return {cell.stack for cell in self.stack if cell.stack}

    def _create(self, runs: Mapping[str, Mapping[str, bytes]]) -> None:
        for directory in runs:
            if (locks := self._runs.pop(directory, None)) is not None:
                locks.close()
            if (self.sweep / directory).exists():
                shutil.rmtree(self.sweep / directory)
        run_directory.create_together(self.sweep, runs)
        for directory in runs:
            self._lock(directory)

    def _write(self, pieces: Mapping[str, Piece]) -> None:
        added: list[tuple[Path, bytes]] = []
        replaced: list[tuple[Path, bytes]] = []
        for file, piece in pieces.items():
            path = self.sweep / file
            if piece.start and path.name in GROWING:
                if not path.is_file() or path.stat().st_size != piece.start:
                    raise LockedError(f"{path} was changed by another process in the meantime")
                added.append((path, piece.data))
            else:
                replaced.append((path, piece.data))
        for folder in {path.parent for path, _ in replaced}:
            with durable.refusals_of_the_disk(folder):
                durable.make_directory(folder)
        durable.replace_all(replaced)
        durable.append_all(added)

    def _remove_all_but(self, files: frozenset[str]) -> None:
        for file, path in files_of(self.sweep, self.stack).items():
            if file not in files:
                with suppress(OSError):
                    path.unlink()


def steps_done(sweep: Path, stack: Sequence[PlannedCell]) -> int:
    """Return the step of the newest checkpoint of a stack, or of its cells together, if they are trained alone."""
    folders = [RunDirectory(sweep / cell.directory).checkpoints for cell in stack]
    folders += [stack_directory(sweep, name) for name in {cell.stack for cell in stack if cell.stack}]
    found = [checkpoints.candidates(folder) for folder in folders]
    return sum(checkpoints.step_of(paths[0]) for paths in found if paths)


def _times(sweep: Path, stack: Sequence[PlannedCell]) -> Times:
    found: dict[str, tuple[int, int]] = {}
    for file, path in files_of(sweep, stack).items():
        with suppress(FileNotFoundError):
            found[file] = path.stat().st_size, path.stat().st_mtime_ns
    return found


def _taken(pieces: dict[str, Piece], directory: str) -> dict[str, bytes]:
    """Take the files of a run out of all pieces; return them by their paths in the run."""
    files = [file for file in pieces if PurePosixPath(file).parts[0] == directory]
    return {PurePosixPath(file).relative_to(directory).as_posix(): pieces.pop(file).data for file in files}


def _ends(piece: Piece) -> bool:
    """Return whether these lines of a ledger say that the run has ended."""
    lines = piece.data.splitlines()
    return bool(lines) and strict_json.loads(lines[-1].decode()).get("event") in ENDS
