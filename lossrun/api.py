"""Offer the commands in Python: `lossrun.train`, `resume`, `compare`, `load`, and more.

Nothing is printed: errors are raised, and the command line's warnings and notes are UserWarnings.
"""

import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lossrun.analysis.comparison import compare as comparing
from lossrun.analysis.comparison.moments import Moment
from lossrun.analysis.comparison.requirements import Answer, Requirement, answer
from lossrun.analysis.comparison.verdicts import Over
from lossrun.analysis.sweep_result import SweepResult, sweep_records
from lossrun.config import Change, Override, SourcedConfig, from_mapping, plain, read
from lossrun.data import default_data_dir
from lossrun.errors import RunError, UsageError
from lossrun.experiment import load_experiment
from lossrun.records import recorded
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun
from lossrun.records.run_directory import find, find_all, is_pattern
from lossrun.records.sweep_directory import SweepDirectory

if TYPE_CHECKING:
    import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]

    from lossrun.analysis.rate_search import RateSearch
    from lossrun.inference.predicting import Predictions
    from lossrun.inference.scoring import Scores, Split
    from lossrun.training.session import Session

RunLike: TypeAlias = RecordedRun | str | PathLike[str]
Overrides: TypeAlias = str | Sequence[str] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunHistory(History):
    """history.jsonl as records.

    Attributes:
        rows: A sequence of dicts, one for each epoch and seed in the order of training, with epoch, step, seed,
            train_loss, val_loss, val_<name> ..., learning_rate, grad_norm, seconds (wall time of the epoch), and
            train_seconds. The numbers are those in the file, bit for bit; `list(rows)` gives plain lists and dicts.
    """

    def to_pandas(self) -> "pandas.DataFrame":
        """Return a DataFrame with a row for each record and a column for each key, with the same numbers bit for bit.

        Integers stay integers; missing values are NaN.

        Raises:
            UsageError: Without pandas, which lossrun itself does not need.
        """
        frame = _pandas().DataFrame
        columns = {name: self.rows.column(name) for name in self.rows.names}
        return frame({name: [math.nan if v is None else v for v in column] for name, column in columns.items()})


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError as error:
        raise UsageError(
            'to_pandas needs pandas, which is not installed: pip install "pandas>=2.2"; without it, `rows` and '
            "`records()` return the same values as plain dicts"
        ) from error


@dataclass(frozen=True, slots=True)
class Run(RecordedRun):
    """A run as it is on the disk. It does not change during training: `load` it again.

    Attributes:
        config: The effective config.
        history: The values of every epoch.
        ledger: What happened to the run.
        environment: The content of run.json.
        seeds: The seeds.
        finished: The test metrics of each seed; None before the end.
        warnings: What could not be read.
    """

    history: RunHistory

    def __repr__(self) -> str:
        epochs, seeds = max(self.history.rows.column("epoch"), default=0), len(self.seeds)
        many = f"{epochs} epoch{'' if epochs == 1 else 's'}, {seeds} seed{'' if seeds == 1 else 's'}"
        return f"<Run {str(self.path)!r}: {self.status}, {many}>"


@dataclass(frozen=True, slots=True)
class Comparison(comparing.ComparedRuns):
    """The result of `compare`. `print` shows what the command shows."""

    def answer(self, requirement: Requirement) -> Answer:
        """Say whether the second of two runs is "better" than the first, or "not-worse" by more than the margin.

        Returns:
            "yes", "the other", or "cannot tell".
        """
        return answer(self, requirement)

    def __str__(self) -> str:
        from lossrun.report.comparison.compare import print_comparison
        from lossrun.report.layout.console import in_memory

        console = in_memory()
        print_comparison(self, console, curves=False)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return text.rstrip()


@dataclass(frozen=True, slots=True)
class Sweep(SweepResult):
    """The result of a sweep.

    Attributes:
        tuning: How each pair was tuned.
        final: The final runs, best first, with their `labels` and their `comparison`.
    """

    path: Path

    def records(self) -> list[dict[str, Any]]:
        """Return one dict for each cell and seed: cell, phase, seed, changes, and the metrics at the best epoch."""
        return sweep_records(SweepDirectory(self.path))

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the records as a DataFrame.

        Raises:
            UsageError: Without pandas, which lossrun itself does not need.
        """
        return _pandas().DataFrame(self.records())

    def __str__(self) -> str:
        from lossrun.report.layout.console import in_memory
        from lossrun.report.sweep import print_sweep

        console = in_memory()
        print_sweep(console, self)
        text: str = console.file.getvalue()  # type: ignore[attr-defined]
        return text.rstrip()


def train(
    config: str | PathLike[str] | Mapping[str, Any],
    *,
    overrides: Overrides = (),
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> Run:
    """Train a config and return the finished run, as `load` reads it.

    Args:
        config: A config file, the name of a packaged config, or a mapping.
        overrides: `KEY=VALUE` as for `--set`, or a mapping from keys to values.
        runs_dir: The folder that the run's directory is made in.
        data_dir: The folder of the datasets.

    Raises:
        LossrunError: One of its kinds. Ctrl-C raises KeyboardInterrupt; the last checkpoint stays.
    """
    reading = _reading(config, overrides)
    with _apart(reading):
        experiment = load_experiment(reading, _data_dir(data_dir))
    for text in experiment.warnings:
        warnings.warn(text, stacklevel=2)

    # torch takes a second to import, so mistakes in the config are reported first.
    from lossrun.training.start import begin, prepare

    with begin(prepare(experiment), Path(runs_dir)) as session:
        _run(session)
    return load(session.run.path)


def resume(
    run: RunLike,
    *,
    overrides: Overrides = (),
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> Run:
    """Continue a run from its newest checkpoint that can be trusted.

    A finished run without changes is returned as it is. What the command line notes (a skipped checkpoint, a changed
    environment, a jump of the learning rate) is a UserWarning.

    Args:
        run: A run, as for `load`.
        overrides: Changes of the config, as in `train`.
        data_dir: The folder of the datasets; by default the one that the run last used.
    """
    from lossrun.training.resumable import resuming
    from lossrun.training.resume import resume_at
    from lossrun.training.start import prepare

    def skipped(_path: Path, reason: str) -> None:
        warnings.warn(f"checkpoint skipped: {reason}", stacklevel=2)

    def note(text: str) -> None:
        warnings.warn(text, stacklevel=2)

    where = Path(data_dir) if data_dir is not None else None
    with resuming(_path(run, runs_dir), _changes(overrides), where) as resumable:
        if not resumable.finished or resumable.changes:
            default = resumable.data_dir(default_data_dir())
            with _apart(resumable.reading):
                experiment = load_experiment(resumable.reading, where or default)
            for text in (*resumable.notes, *experiment.warnings):
                warnings.warn(text, stacklevel=2)
            with resume_at(prepare(experiment, resumable), resumable, skipped, note) as session:
                _run(session)
    return load(resumable.run.path)


def sweep(
    config: str | PathLike[str] | Mapping[str, Any],
    *,
    over: str | Sequence[str] = (),
    overrides: Overrides = (),
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
    jobs: int | None = None,
) -> Sweep:
    """Train every combination of the config's sweep block, or of `over`, and return what was found.

    Args:
        config: A config file, the name of a packaged config, or a mapping.
        over: Alternatives as for `--over`: `"loss=mse,mae"`, `"learning_rate=log:1e-4:1:7"`.
        overrides: Changes of the base config, as in `train`.
        runs_dir: The folder that the sweep's directory is made in.
        data_dir: The folder of the datasets.
        jobs: Worker processes of one thread each; None for one per core.

    Returns:
        The sweep: how each pair was tuned, and the final runs compared.

    Raises:
        LossrunError: One of its kinds, as in `train`. A cell that fails or diverges does not raise.
    """
    from lossrun.records.sweep_directory import create
    from lossrun.sweeping.course import run_sweep
    from lossrun.sweeping.plan import plan_sweep

    reading = _reading(config, overrides)
    options = [over] if isinstance(over, str) else over
    planned = plan_sweep(reading, options, Path(runs_dir), _data_dir(data_dir))
    made = create(Path(runs_dir), planned.name, planned.config, planned.cells, planned.facts)
    run_sweep(made, data_dir=_data_dir(data_dir), jobs=jobs)
    return load_sweep(made.path)


def find_lr(
    config: str | PathLike[str] | Mapping[str, Any],
    *,
    overrides: Overrides = (),
    steps: int | None = None,
    data_dir: str | PathLike[str] | None = None,
    jobs: int | None = None,
) -> "RateSearch":
    """Suggest a learning rate, from short trainings at many rates. Nothing is written.

    Args:
        config: A config file, the name of a packaged config, or a mapping.
        overrides: Changes of the config, as in `train`.
        steps: How long the longest trainings are; None for the whole run, at most 2000 steps.
        data_dir: The folder of the datasets.
        jobs: Worker processes of one thread each; None for one per core.

    Returns:
        What was found: `suggestion`, the range of rates that are `working`, and every score in `rounds`.

    Raises:
        LossrunError: One of its kinds; DivergedError if every rate diverged.
    """
    from lossrun.sweeping.rate_finder import find_rate

    return find_rate(_reading(config, overrides), _data_dir(data_dir), steps=steps, jobs=jobs)


def load_sweep(path: str | PathLike[str], *, runs_dir: str | PathLike[str] = "runs") -> Sweep:
    """Return what a sweep has found so far.

    Args:
        path: Its directory, its name in `runs_dir` or the beginning of it, or "last".

    Raises:
        RunError: If there is no such sweep, or its files are damaged.
    """
    from lossrun.analysis.sweep_result import result_of
    from lossrun.records.sweep_directory import SweepDirectory, find_sweep

    found = find_sweep(str(path), Path(runs_dir))
    result = result_of(SweepDirectory(found))
    return Sweep(**{field.name: getattr(result, field.name) for field in fields(result)}, path=found)


def load(run: RunLike, *, runs_dir: str | PathLike[str] = "runs") -> Run:
    """Read a recorded run, without taking its lock and without writing.

    Args:
        run: A path, or what the command line takes for RUN: a name, its beginning, "last", or a pattern that matches
            one run.

    Raises:
        RunError: If there is no such run, or its files are damaged.
    """
    found = run if isinstance(run, RecordedRun) else recorded.load(_path(run, runs_dir))
    if isinstance(found, Run):
        return found
    values = {field.name: getattr(found, field.name) for field in fields(found)}
    return Run(**values | {"history": RunHistory(found.history.rows, found.history.torn)})


def compare(
    *runs: RunLike,
    metric: str | None = None,
    at: Moment = "best",
    margin: float | None = None,
    target: str | None = None,
    plan: float | None = None,
    over: Over | None = None,
    label: str | Sequence[str] = (),
    runs_dir: str | PathLike[str] = "runs",
) -> Comparison:
    """Compare runs: what differs, which is better by which metric, and how sure that is (`verdicts`).

    Args:
        runs: Runs, as for `load`; a pattern such as "mnist-*" stands for all runs that match it.
        metric: Decides instead of the task's primary metrics.
        at: "best", "last", or the number of an epoch.
        margin: Differences surely smaller than this are equivalent.
        target: `val_accuracy=0.97` reports how soon each run gets there.
        plan: Take the runs as a pilot, and say in `plans` how many fresh seeds find a difference of this size.
        over: Intervals for new "seeds" on these test items, or for new "items" and these trained models; by default for
            new seeds and new test items, where the predictions on test data were kept.
        label: What to call the runs, in their order, or `A=TEXT`.

    Raises:
        UsageError: For fewer than two runs.
        RunError: If there is no such run.
    """
    labels = [label] if isinstance(label, str) else label
    loaded, problems = _loaded(runs, Path(runs_dir))
    if problems and len(loaded) < 2:
        raise problems[0]
    for problem in problems:
        warnings.warn(f"left out: {problem}", stacklevel=2)
    found = comparing.compare(loaded, metric, at=at, margin=margin, target=target, plan=plan, over=over, label=labels)
    return Comparison(**{field.name: getattr(found, field.name) for field in fields(found)})


def evaluate(
    run: RunLike,
    *,
    split: "Split | None" = None,
    checkpoint: str | int = "best",
    per_sample: bool = False,
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> "Scores":
    """Score a run again. Nothing is written.

    Args:
        split: "train", "validation", or "test"; by default test, if there is one.
        checkpoint: "best", "last", or a step.
        per_sample: Whether to return `rows` too, one for each sample and seed.
        data_dir: The folder of the datasets; by default the one that the run last used.

    Returns:
        The scores: `seeds` has the loss and every metric by name for each seed.

    Raises:
        DataError: If the data are no longer the same.
    """
    from lossrun.inference.scoring import score

    where = Path(data_dir) if data_dir is not None else None
    path = _path(run, runs_dir)
    return score(path, split=split, checkpoint=str(checkpoint), data_dir=where, per_sample=per_sample)


def predict(
    run: RunLike,
    inputs: Any,
    *,
    checkpoint: str | int = "best",
    seed: int | None = None,
    header: bool | None = None,
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> "Predictions":
    """Predict new samples with a run's model.

    Args:
        inputs: A csv, npz, or IDX file, or an array of samples in original units; they are prepared like the training
            data.
        seed: Whose model to use; by default the first seed's.
        header: Whether the first line of a table names its columns; by default as in the training table.

    Returns:
        The predictions: `arrays` and `columns`, in original units, with classes by name.

    Raises:
        DataError: For samples that do not fit the training data.
    """
    from lossrun.inference.predicting import predict as predicted

    where = Path(data_dir) if data_dir is not None else None
    given = Path(inputs) if isinstance(inputs, str | PathLike) else inputs
    path = _path(run, runs_dir)
    return predicted(path, given, checkpoint=str(checkpoint), seed=seed, data_dir=where, header=header)


def export(
    run: RunLike,
    folder: str | PathLike[str],
    formats: Sequence[str] = ("safetensors",),
    *,
    checkpoint: str | int = "best",
    seed: int | None = None,
    runs_dir: str | PathLike[str] = "runs",
    data_dir: str | PathLike[str] | None = None,
) -> list[Path]:
    """Write a run's model or history for other programs, and return the files written.

    What the command line notes is a UserWarning.

    Args:
        formats: safetensors, torch, onnx, csv, or tensorboard.

    Raises:
        RunError: If a file already exists; nothing is overwritten.
    """
    from lossrun.inference.exporting import export as exported

    where = Path(data_dir) if data_dir is not None else None
    path = _path(run, runs_dir)
    written = exported(path, Path(folder), formats, checkpoint=str(checkpoint), seed=seed, data_dir=where)
    for text in written.notes:
        warnings.warn(text, stacklevel=2)
    return list(written.files)


def _run(session: "Session") -> None:
    """Train to the end. What the screen notes is a UserWarning."""
    from lossrun.training.events import EpochRecord
    from lossrun.training.loop import train as run_loop

    for event in run_loop(session, lambda: None):
        for text in event.notes if isinstance(event, EpochRecord) else ():
            warnings.warn(text, stacklevel=3)


def _apart(reading: SourcedConfig) -> AbstractContextManager[object]:
    """Return a context in which to read data, so that it cannot disturb torch's random numbers.

    A dataset of the user's own may draw from torch's generator, or seed it. If nothing has imported torch, there is
    nothing to disturb.
    """
    if "torch" not in sys.modules and not reading.config.dataset.is_plugin:
        return nullcontext()
    from lossrun.training.isolation import isolated

    return isolated()


def _loaded(runs: Sequence[RunLike], runs_dir: Path) -> tuple[list[RecordedRun], list[RunError]]:
    """Return the runs, and why others of them cannot be read."""
    loaded: list[RecordedRun] = []
    problems: list[RunError] = []
    for run in runs:
        there = {one.path.resolve() for one in loaded}
        found: list[RunLike]
        if isinstance(run, str) and is_pattern(run):
            found = [path for path in find_all([run], runs_dir) if path.resolve() not in there]
        else:
            found = [run if isinstance(run, RecordedRun) else _path(run, runs_dir)]
        for one in found:
            try:
                loaded.append(load(one))
            except RunError as error:
                problems.append(error)
    return loaded, problems


def _reading(config: str | PathLike[str] | Mapping[str, Any], overrides: Overrides) -> SourcedConfig:
    changes = _changes(overrides)
    if isinstance(config, Mapping):
        return from_mapping(plain(config), Path.cwd(), changes)
    return read(Path(config), changes)


def _changes(overrides: Overrides) -> list[Override]:
    if isinstance(overrides, str):
        return [overrides]
    if isinstance(overrides, Mapping):
        return [Change(str(key), plain(value), f"overrides[{key!r}]") for key, value in overrides.items()]
    return list(overrides)


def _path(run: RunLike, runs_dir: str | PathLike[str]) -> Path:
    return run.path if isinstance(run, RecordedRun) else find(str(run), Path(runs_dir))


def _data_dir(given: str | PathLike[str] | None) -> Path:
    return Path(given) if given is not None else default_data_dir()
