"""What the functions return: runs, comparisons and sweeps with methods for a notebook."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lossrun.analysis.comparison.across_datasets import AcrossDatasets
from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.requirements import Answer, Requirement, answer
from lossrun.analysis.sweep_result import SweepResult, sweep_records
from lossrun.errors import UsageError
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import SweepDirectory

if TYPE_CHECKING:
    import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]

Result = TypeVar("Result")


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


def with_methods(kind: Callable[..., Result], found: Any, **more: Any) -> Result:
    """Return what was found as the class that adds methods to its own."""
    return kind(**{field.name: getattr(found, field.name) for field in fields(found)} | more)


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
class Comparison(ComparedRuns):
    """The result of `compare`. `print` shows what the command shows."""

    def answer(self, requirement: Requirement) -> Answer:
        """Say whether the second of two runs is "better" than the first, or "not-worse" by more than the margin.

        Returns:
            "yes", "the other", or "cannot tell".
        """
        return answer(self, requirement)

    def __str__(self) -> str:
        from lossrun.report.comparison.compare import print_comparison
        from lossrun.report.layout.console import printed

        return printed(lambda console: print_comparison(self, console, curves=False))


@dataclass(frozen=True, slots=True)
class DatasetComparison(AcrossDatasets):
    """The result of `compare(..., by="dataset")`. `print` shows what the command shows."""

    def __str__(self) -> str:
        from lossrun.report.comparison.across_datasets import print_across_datasets
        from lossrun.report.layout.console import printed

        return printed(lambda console: print_across_datasets(self, console))


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
        from lossrun.report.layout.console import printed
        from lossrun.report.sweep import print_sweep

        return printed(lambda console: print_sweep(console, self))
