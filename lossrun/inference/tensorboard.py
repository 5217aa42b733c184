"""Write the history as TensorBoard's event files, during a run or afterwards. Only this module imports TensorBoard."""

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

from lossrun.errors import RunError, UsageError
from lossrun.records.recorded import RecordedRun

_PART: Final = re.compile("(train|val|test)_(?!seconds)")
_NAME: Final = re.compile(r"events\.out\.tfevents\.(\d+)\.")
_KEYS: Final = ("seed", "step")  # these identify a row; its other columns are values


class EventFiles:
    """Event files of a history.

    The step of a value is the number of optimizer updates; its tag is `train/loss`, `val/accuracy`, `learning_rate` and
    so on. TensorBoard stores values in single precision. Each seed is a separate run, `<folder>/seed<N>`, so that their
    curves are in one picture; a single seed is in `<folder>`.
    """

    def __init__(self, folder: Path, seeds: Iterable[int]) -> None:
        """Open the files. They replace older event files in the folder: to continue a run, add its history first.

        Raises:
            UsageError: If TensorBoard is not installed, or a file is in the place of the folder.
            RunError: If the folder cannot be written.
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
        """Add the rows of an epoch; `wall_time` is in seconds since 1970, None for now."""
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
    file was made. torch's SummaryWriter takes that second from the clock. If two files are made within one second, or
    the clock was set back, the older file may be read last and replace the values of the newer one. Here the second is
    at least one more than that of the newest file in the folder, even if it is in the future. This concerns only the
    name; events have the time of the clock.
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
        # From this step on, TensorBoard forgets the values of older files.
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
    """Return the tag of a column, such as `val/accuracy`: TensorBoard groups curves by the part before the slash."""
    return _PART.sub(r"\1/", column, count=1)


def require_tensorboard(folder: Path) -> None:
    """Make the folder before training.

    Raises:
        UsageError: If TensorBoard is not installed, or a file is in the place of the folder.
        RunError: If the folder cannot be made.
    """
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
    """Add the rows of a run. The time of an epoch is the start of the run plus the seconds of training."""
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
        kind = UsageError if isinstance(error, FileExistsError | NotADirectoryError) else RunError
        raise kind(
            f"cannot write event files into {folder}: {error.strerror or error}; choose another folder"
        ) from error


def _require_package() -> None:
    try:
        import tensorboard.summary.writer.record_writer  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f'TensorBoard is not installed ({error}); it comes with: pip install "lossrun[tensorboard]"'
        ) from error
