"""The same commands from Python: `lossrun.train`, `resume`, `compare`, `load`. Silent; errors are raised."""

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from lossrun.analysis.compare import Comparison
from lossrun.analysis.compare import compare as _compare
from lossrun.config import Reading, from_mapping, read
from lossrun.data import default_data_dir
from lossrun.lint import examine
from lossrun.records import recorded
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import find

RunLike: TypeAlias = RecordedRun | str | PathLike[str]


def train(
    config: str | PathLike[str] | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> RecordedRun:
    """Train as a config file, or a mapping like one, says; the finished run, as `load` reads it.

    `overrides` are `KEY=VALUE` as for `--set`. Raises what `lossrun.errors` draws; Ctrl-C is
    KeyboardInterrupt and leaves the last checkpoint.
    """
    from lossrun.training.loop import train as run_loop
    from lossrun.training.start import begin, prepare

    examined = examine(_reading(config, overrides), _data_dir(data_dir))
    with begin(prepare(examined), Path(runs_dir)) as session:
        for _ in run_loop(session, lambda: None):
            pass
    return recorded.load(session.run.path)


def resume(
    run: RunLike,
    *,
    overrides: Sequence[str] = (),
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> RecordedRun:
    """Go on with a run from its newest good checkpoint. A finished run without changes is returned as it is.

    `data_dir`: left out, where the run last found its data. What the command line would note (a checkpoint skipped, a
    changed environment, a jump of the rate) is a UserWarning.
    """
    from lossrun.training.loop import train as run_loop
    from lossrun.training.resumable import find_resumable
    from lossrun.training.start import prepare, resume_at

    resumable = find_resumable(_path(run, runs_dir), overrides)
    if not resumable.finished or resumable.changes:
        default = resumable.data_dir(default_data_dir())
        examined = examine(resumable.reading, Path(data_dir) if data_dir is not None else default)
        for text in resumable.notes:
            warnings.warn(text, stacklevel=2)

        def skipped(_path: Path, reason: str) -> None:
            warnings.warn(f"checkpoint skipped: {reason}", stacklevel=2)

        with resume_at(prepare(examined, resumable), resumable, skipped, warnings.warn) as session:
            for _ in run_loop(session, lambda: None):
                pass
    return recorded.load(resumable.run.path)


def load(run: RunLike, *, runs_dir: str | PathLike[str] = "runs") -> RecordedRun:
    """A recorded run: config, history, ledger, status. Never locks, never writes. Raises RunError."""
    return run if isinstance(run, RecordedRun) else recorded.load(_path(run, runs_dir))


def compare(*runs: RunLike, metric: str | None = None, runs_dir: str | PathLike[str] = "runs") -> Comparison:
    """What differs between runs, and which is better by which yardstick."""
    return _compare([load(run, runs_dir=runs_dir) for run in runs], metric)


def _reading(config: str | PathLike[str] | Mapping[str, Any], overrides: Sequence[str]) -> Reading:
    if isinstance(config, Mapping):
        return from_mapping(config, Path.cwd(), overrides)
    return read(Path(config), overrides)


def _path(run: RunLike, runs_dir: str | PathLike[str]) -> Path:
    return run.path if isinstance(run, RecordedRun) else find(str(run), Path(runs_dir))


def _data_dir(given: str | PathLike[str] | None) -> Path:
    return Path(given) if given is not None else default_data_dir()
