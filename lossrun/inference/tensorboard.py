"""Writes the history as TensorBoard's event files, epoch by epoch or afterwards. Only this imports TensorBoard."""

import os
import re
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from lossrun.errors import UsageError
from lossrun.records.recorded import RecordedRun

_PART: Final = re.compile("(train|val|test)_(?!seconds)")
_NAME: Final = re.compile(r"events\.out\.tfevents\.(\d+)\.")
_KEYS: Final = ("seed", "step")  # what a row is about; the rest is measured


class EventFiles:
    """Writes rows of the history: a value's step is the optimizer's updates done, its tag `train/loss`, `val/accuracy`,
    `learning_rate` and so on. Values are kept in single precision, as TensorBoard does.

    Each seed is a run of its own, `<folder>/seed<N>`, so that their curves lie in one picture; a lone one `<folder>`.
    """

    def __init__(self, folder: Path, seeds: Iterable[int]) -> None:
        """Open the files. TensorBoard ignores what older event files in the folder hold: to go on with a run, add its
        history first.

        Raises UsageError where TensorBoard is not installed, or the folder cannot be written.
        """
        _require_package()
        several = list(seeds)
        with ExitStack() as opened, _refusals_of_the_disk(folder):
            self._files = {
                seed: opened.enter_context(_EventFile(folder / f"seed{seed}" if len(several) > 1 else folder))
                for seed in several
            }
            self._opened = opened.pop_all()

    def add(self, rows: Iterable[Mapping[str, Any]], wall_time: float | None = None) -> None:
        """The rows of an epoch. `wall_time`: seconds since 1970; None for now."""
        now = time.time() if wall_time is None else wall_time
        for row in rows:
            for name, value in row.items():
                if name not in _KEYS:
                    self._files[row["seed"]].add_scalar(tag(name), value, row["step"], now)
        for file in self._files.values():
            file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()


class _EventFile:
    """An event file that TensorBoard reads after all event files already in its folder, and that replaces their values.

    TensorBoard reads the files of a folder in the order of their names, and a name begins with the second in which the
    file was made. torch's SummaryWriter takes that second from the clock alone, so of two files made within one second
    either may be read last, and so may a file made before the clock was set back. The older file would then replace
    the values of the newer one. Here the second is at least one more than that of the newest file in the folder, even
    if this lies in the future: only the name says so, and the events bear the time of the clock.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        seconds = [int(found[1]) for path in folder.iterdir() if (found := _NAME.match(path.name))]
        second = max([int(time.time()), *(second + 1 for second in seconds)])
        name = f"events.out.tfevents.{second:010d}.{socket.gethostname()}.{os.getpid()}.0"
        self._file = (folder / name).open("xb")
        self._records = RecordWriter(self._file)
        self._add(wall_time=time.time(), file_version="brain.Event:2")
        # Has TensorBoard forget the values of older files from this step on.
        self._add(wall_time=time.time(), step=0, session_log=SessionLog(status=SessionLog.START))
        self.flush()

    def add_scalar(self, tag: str, value: float, step: int, wall_time: float) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalar = Summary.Value(tag=tag, simple_value=value)
        self._add(wall_time=wall_time, step=step, summary=Summary(value=[scalar]))

    def _add(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records.write(Event(**fields).SerializeToString())

    def flush(self) -> None:
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what could not be written was reported when it was flushed
            self._file.close()


def tag(column: str) -> str:
    """`val_accuracy` -> `val/accuracy`: TensorBoard groups curves by what comes before the slash."""
    return _PART.sub(r"\1/", column, count=1)


def require_tensorboard(folder: Path) -> None:
    """Check before training: raises UsageError if TensorBoard is not installed or the folder cannot be made."""
    _require_package()
    if not str(folder).isprintable():
        raise UsageError(
            f"--tensorboard {folder}: TensorBoard takes only printable text as a folder's name; choose another"
        )
    with _refusals_of_the_disk(folder):
        folder.mkdir(parents=True, exist_ok=True)


def write_history(run: RecordedRun, folder: Path) -> None:
    """Write the whole history of a run."""
    with EventFiles(folder, run.seeds) as files:
        add_history(files, run.history.rows, run.ledger)


def add_history(files: EventFiles, rows: Iterable[Mapping[str, Any]], events: Iterable[Mapping[str, Any]]) -> None:
    """The rows of a run. The time of an epoch is the run's start, by its ledger's events, and the seconds trained until
    then."""
    started = next((event["time"] for event in events if event["event"] == "started"), None)
    now = datetime.fromisoformat(started).timestamp() if started else 0.0
    epochs: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        epochs.setdefault(row["epoch"], []).append(row)
    for alike in epochs.values():
        now += max(row.get("seconds", 0.0) for row in alike)
        files.add(alike, now)


@contextmanager
def _refusals_of_the_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"cannot write event files into {folder}: {error.strerror or error}; choose another folder"
        ) from error


def _require_package() -> None:
    try:
        import tensorboard.summary.writer.record_writer  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f'TensorBoard is not installed ({error}); it comes with: pip install "lossrun[tensorboard]"'
        ) from error
