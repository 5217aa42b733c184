"""The history as TensorBoard's event files, epoch by epoch or afterwards. The one place that imports TensorBoard."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from lossrun.errors import UsageError
from lossrun.records.recorded import RecordedRun

_PART: Final = re.compile("(train|val|test)_(?!seconds)")
_KEYS: Final = ("seed", "step")  # what a row is about; the rest is measured


class EventFiles:
    """Writes rows of the history: a value's step is the optimizer's updates done, its tag `train/loss`, `val/accuracy`,
    `learning_rate` and so on. Values are kept in single precision, as TensorBoard does.

    Each seed is a run of its own, `<folder>/seed<N>`, so that their curves lie in one picture; a lone one `<folder>`.
    """

    def __init__(self, folder: Path, seeds: Iterable[int]) -> None:
        """What older event files in the folder hold no longer counts: whoever goes on with a run adds its history.

        Raises UsageError where TensorBoard is not installed, or the folder cannot be written.
        """
        make = _summary_writer()
        several = list(seeds)
        try:
            self._writers = {
                seed: make(
                    log_dir=str(folder / f"seed{seed}" if len(several) > 1 else folder),
                    # TensorBoard forgets this step and all later ones of older files.
                    purge_step=0,
                )
                for seed in several
            }
        except OSError as error:
            raise _unwritable(folder, error) from error

    def add(self, rows: Iterable[Mapping[str, Any]], wall_time: float | None = None) -> None:
        """The rows of an epoch. `wall_time`: seconds since 1970; None for now."""
        for row in rows:
            for name, value in row.items():
                if name not in _KEYS:
                    self._writers[row["seed"]].add_scalar(tag(name), value, row["step"], walltime=wall_time)
        for writer in self._writers.values():
            writer.flush()

    def __enter__(self) -> "EventFiles":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()


def tag(column: str) -> str:
    """`val_accuracy` -> `val/accuracy`: TensorBoard draws what begins alike side by side."""
    return _PART.sub(r"\1/", column, count=1)


def require_tensorboard(folder: Path) -> None:
    """Find out before anything is trained: raises UsageError where it is not installed, or there can be no folder."""
    _summary_writer()
    if not str(folder).isprintable():
        raise UsageError(
            f"--tensorboard {folder}: TensorBoard's writer takes only printable text as a folder's name; choose another"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error


def write_history(run: RecordedRun, folder: Path) -> None:
    """The whole history of a run."""
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


def _unwritable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write event files into {folder}: {error.strerror or error}; choose another folder")


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            f'TensorBoard is not installed ({error}); it comes with: pip install "lossrun[tensorboard]"'
        ) from error
    return SummaryWriter
