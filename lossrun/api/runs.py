"""Read and compare recorded runs from Python."""

import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import overload

from lossrun.analysis.comparison import compare as comparing
from lossrun.analysis.comparison.across_datasets import By, compare_across_datasets
from lossrun.analysis.comparison.moments import Moment
from lossrun.analysis.comparison.verdicts import Over
from lossrun.api.checking import checked
from lossrun.api.given import RunLike, expanded, path_of, words_of
from lossrun.api.results import Comparison, DatasetComparison, Run, as_run, with_methods
from lossrun.errors import RunError
from lossrun.records import recorded
from lossrun.records.finding.runs import find_all, is_pattern
from lossrun.records.recorded import RecordedRun


@checked
def load(run: RunLike, *, runs_dir: str | PathLike[str] = "runs") -> Run:
    """Read a recorded run, without taking its lock and without writing.

    Args:
        run: A path, or what the command line takes for RUN: a name, its beginning, "last", or a pattern that matches
            one run.

    Raises:
        RunError: If there is no such run, or its files are damaged.
    """
    return as_run(run if isinstance(run, RecordedRun) else recorded.load(path_of(run, runs_dir)))


@overload
def compare(
    *runs: RunLike,
    metric: str | None = ...,
    at: Moment = ...,
    margin: float | None = ...,
    target: str | None = ...,
    plan: float | None = ...,
    over: Over | None = ...,
    by: None = ...,
    label: str | Sequence[str] = ...,
    runs_dir: str | PathLike[str] = ...,
) -> Comparison: ...


@overload
def compare(
    *runs: RunLike,
    metric: str | None = ...,
    at: Moment = ...,
    by: By,
    label: str | Sequence[str] = ...,
    runs_dir: str | PathLike[str] = ...,
) -> DatasetComparison: ...


@checked
def compare(
    *runs: RunLike,
    metric: str | None = None,
    at: Moment = "best",
    margin: float | None = None,
    target: str | None = None,
    plan: float | None = None,
    over: Over | None = None,
    by: By | None = None,
    label: str | Sequence[str] = (),
    runs_dir: str | PathLike[str] = "runs",
) -> Comparison | DatasetComparison:
    """Compare runs: what differs, which is better by which metric, and how sure that is (`verdicts`).

    Args:
        runs: Runs, as for `load`; a pattern such as "mnist-*" stands for all runs that match it.
        metric: Decides instead of the task's primary metrics.
        at: "best", "last", or the number of an epoch.
        margin: Differences surely smaller than this are equivalent.
        target: `val_accuracy=0.97` reports how soon each run gets there.
        plan: Take the runs as a pilot, and say in `plans` how many fresh seeds find a difference of this size.
        over: Intervals for new "seeds" on these test items, or for new "items" and these trained models; by default for
            new seeds and new test items, if the predictions on test data were kept.
        by: "dataset" compares methods over several datasets, by wins, mean ranks, and signed ranks (`records()`).
        label: What to call the runs, in their order, or `A=TEXT`.

    Raises:
        UsageError: For fewer than two runs.
        RunError: If there is no such run.
    """
    labels = [label] if isinstance(label, str) else label
    loaded, problems = _loaded(runs, expanded(runs_dir))
    if problems and len(loaded) < 2:
        raise problems[0]
    for problem in problems:
        warnings.warn(f"left out: {problem}", stacklevel=3)
    if by is not None:
        across = compare_across_datasets(loaded, metric, at=at, label=labels)
        return with_methods(DatasetComparison, across)
    found = comparing.compare(loaded, metric, at=at, margin=margin, target=target, plan=plan, over=over, label=labels)
    return with_methods(Comparison, found)


def _loaded(runs: Sequence[RunLike], runs_dir: Path) -> tuple[list[RecordedRun], list[RunError]]:
    """Return the runs, and why others of them cannot be read."""
    loaded: list[RecordedRun] = []
    problems: list[RunError] = []
    for run in runs:
        there = {one.path.resolve() for one in loaded}
        found: list[RunLike]
        if isinstance(run, str) and is_pattern(run):
            found = [path for path in find_all([words_of(run)], runs_dir) if path.resolve() not in there]
        else:
            found = [run if isinstance(run, RecordedRun) else path_of(run, runs_dir)]
        for one in found:
            try:
                loaded.append(load(one))
            except RunError as error:
                problems.append(error)
    return loaded, problems
