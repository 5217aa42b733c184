"""The results of the functions, with methods for a notebook.

`print` shows a result as the command prints it, and a run in one line; a notebook's cell shows tables.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lossrun.analysis.comparison.across_datasets import AcrossDatasets
from lossrun.analysis.comparison.compare import ComparedRuns
from lossrun.analysis.comparison.requirements import Answer, Requirement, answer
from lossrun.analysis.rate_search import RateSearch
from lossrun.analysis.sweeps.result import SweepResult, sweep_records
from lossrun.analysis.values.readings import epochs_done, primary_scores
from lossrun.analysis.verification import Verification
from lossrun.errors import UsageError
from lossrun.records.history import History
from lossrun.records.recorded import RecordedRun
from lossrun.records.sweep_directory import SweepDirectory
from lossrun.report.shown import Shown

if TYPE_CHECKING:
    import pandas  # type: ignore[import-not-found,import-untyped,unused-ignore]

Result = TypeVar("Result")
_LAST_ROWS: Final = 10  # of a history in a notebook


@dataclass(frozen=True, slots=True, repr=False)
class RunHistory(Shown, History):
    """history.jsonl as records.

    Attributes:
        rows: A sequence of dicts, one for each epoch and seed in the order of training, with epoch, step, seed,
            train_loss, val_loss, val_<name> ..., learning_rate, grad_norm, seconds (wall time of the epoch), and
            train_seconds. The numbers are those in the file, bit for bit; `list(rows)` gives plain lists and dicts.
    """

    def draw(self, console: Any) -> None:
        """Print the last rows."""
        from lossrun.report.layout.rows import rows_table
        from lossrun.report.layout.text_table import print_table

        rows = self.rows[-_LAST_ROWS:]
        title = f"last {len(rows)} of {len(self.rows):,} rows" if len(rows) < len(self.rows) else ""
        print_table(console, rows_table(rows, title))

    def __repr__(self) -> str:
        return f"<History of {len(self.rows)} rows: {', '.join(self.rows.names)}>"

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
    """Return a result as an instance of the subclass that adds methods."""
    return kind(**{field.name: getattr(found, field.name) for field in fields(found)} | more)


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError as error:
        raise UsageError(
            'to_pandas needs pandas, which is not installed: pip install "pandas>=2.2"; without it, `rows` and '
            "`records()` return the same values as plain dicts"
        ) from error


@dataclass(frozen=True, slots=True, repr=False)
class Run(Shown, RecordedRun):
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

    def draw(self, console: Any) -> None:
        """Print the state and the results, as the first part of `lossrun show`."""
        from lossrun.analysis.run_facts import facts
        from lossrun.report.run_facts import print_results

        print_results(facts(self), console)

    def __repr__(self) -> str:
        from lossrun.report.layout.numbers import format_spread

        epochs, seeds = epochs_done(self), len(self.seeds)
        many = f"{epochs} epoch{'' if epochs == 1 else 's'}, {seeds} seed{'' if seeds == 1 else 's'}"
        scores = [f"{name} {format_spread(value, '±')}" for name, value in primary_scores(self).items()]
        return f"<Run {str(self.path)!r}: {', '.join([self.status, many, *scores])}>"


def as_run(found: RecordedRun) -> Run:
    """Return a run with the methods for a notebook."""
    if isinstance(found, Run):
        return found
    return with_methods(Run, found, history=with_methods(RunHistory, found.history))


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Shown, ComparedRuns):
    """The result of `compare`.

    Attributes:
        runs: The runs, each with its `letter`, `label`, `seeds`, `best_epochs` and `remarks`.
        metrics: The metrics: `name`, `goal`, whether it `decides`, and the values of each run in `measured`.
        verdicts: Each run against the first, by each deciding metric: `word`, `difference`, `corrected_p_value`.
        comparable: Whether the runs have the same task and held-out data; if not, `reasons` says why.
        differences: The keys of the config that differ.
        notes: What to keep in mind, as sentences; so are `warnings` and `refusals`.
        plans: With `plan`, how many fresh seeds to train; then there are no verdicts.
    """

    def answer(self, requirement: Requirement) -> Answer:
        """Say whether the second of two runs is "better" than the first, or "not-worse" by more than the margin.

        Returns:
            "yes", "the other", or "cannot tell".
        """
        return answer(self, requirement)

    def draw(self, console: Any) -> None:
        """Print the result."""
        from lossrun.report.comparison.compare import print_comparison

        print_comparison(self, console, curves=False)


@dataclass(frozen=True, slots=True, repr=False)
class DatasetComparison(Shown, AcrossDatasets):
    """The result of `compare(..., by="dataset")`.

    Attributes:
        methods: The compared methods, the baseline first; `datasets`: the datasets.
        values: For each dataset, each method's mean over its seeds, by `metric`; `ranks`: its rank, 1 for the best.
        mean_ranks: Each method's mean rank over the datasets.
        against: Every other method against the baseline, by signed ranks.
        comparisons: The comparison on each dataset.
    """

    def draw(self, console: Any) -> None:
        """Print the result."""
        from lossrun.report.comparison.across_datasets import print_across_datasets

        print_across_datasets(self, console)


@dataclass(frozen=True, slots=True, repr=False)
class Sweep(Shown, SweepResult):
    """The result of a sweep.

    Attributes:
        tuning: How each pair was tuned.
        final: The final runs, the one that did best in tuning first, with their `labels` and their `comparison`.
    """

    path: Path

    @property
    def final(self) -> tuple[Run, ...]:
        """All final runs that have ended, board by board."""
        return tuple(as_run(run) for board in self.boards for run in board.runs)

    @property
    def comparison(self) -> Comparison | None:
        """The comparison of the final runs; None for fewer than two, or if they do not share their held-out data."""
        found = self.boards[0].comparison if len(self.boards) == 1 else None
        return None if found is None else with_methods(Comparison, found)

    def records(self) -> list[dict[str, Any]]:
        """Return one dict for each cell and seed: cell, phase, seed, changes, and the metrics at the best epoch."""
        return sweep_records(SweepDirectory(self.path))

    def to_pandas(self) -> "pandas.DataFrame":
        """Return the records as a DataFrame.

        Raises:
            UsageError: Without pandas, which lossrun itself does not need.
        """
        return _pandas().DataFrame(self.records())

    def draw(self, console: Any) -> None:
        """Print the result."""
        from lossrun.report.sweep import print_sweep

        print_sweep(console, self)


@dataclass(frozen=True, slots=True, repr=False)
class FoundRate(Shown, RateSearch):
    """The result of `find_lr`."""

    def draw(self, console: Any) -> None:
        """Print the result."""
        from lossrun.report.rate_search import print_search

        print_search(console, self)


@dataclass(frozen=True, slots=True, repr=False)
class Verified(Shown, Verification):
    """The result of `verify`."""

    def draw(self, console: Any) -> None:
        """Print the checks, and a line for each mismatch."""
        from lossrun.report.verification import print_verification

        print_verification(console, self)
        for problem in self.problems:
            console.print(problem, markup=False, soft_wrap=True)
