"""Compare the same methods on several datasets: wins, ranks, signed ranks, and Friedman's test over the datasets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from lossrun.analysis.comparison.compare import ComparedRuns, compare
from lossrun.analysis.comparison.differences import config_differences
from lossrun.analysis.comparison.labels import labels, named_by_user
from lossrun.analysis.comparison.metrics import ComparedMetric
from lossrun.analysis.comparison.moments import Moment
from lossrun.analysis.given_runs import check_different
from lossrun.analysis.values.evidence import LEAST_FOR_VERDICT, LEVEL, holm
from lossrun.analysis.values.friedman import Friedman, friedman
from lossrun.analysis.values.groups import experiment_of, grouped
from lossrun.analysis.values.paired_differences import difference
from lossrun.analysis.values.signed_ranks import SignedRanks, ranked, signed_ranks
from lossrun.catalog.metric_names import Goal, sign
from lossrun.errors import UsageError
from lossrun.records.files import strict_json
from lossrun.records.recorded import RecordedRun

By: TypeAlias = Literal["dataset"]


@dataclass(frozen=True, slots=True)
class AgainstFirst:
    """One method against the first, over the datasets.

    Attributes:
        method: Its number.
        wins: On how many datasets its mean is better; ties and losses likewise.
        ranks: Wilcoxon's signed ranks of the differences, method minus first, above 0 if the method is better.
        corrected_p_value: The p-value, corrected by Holm's method for all methods.
        word: The verdict.
    """

    method: int
    wins: int
    ties: int
    losses: int
    ranks: SignedRanks
    corrected_p_value: float
    word: Literal["better", "worse", "no clear difference"]


@dataclass(frozen=True, slots=True)
class AcrossDatasets:
    """Methods compared over datasets.

    Attributes:
        goal: Whether lower ("min") or higher ("max") values are better.
        methods: What distinguishes the methods; the first is the baseline.
        values: For each dataset, each method's mean over its seeds.
        ranks: For each dataset, each method's rank; 1 is the best.
        mean_ranks: Each method's mean rank over the datasets.
        against: Every other method against the first.
        together: Friedman's test of all methods; None for two, which the signed ranks compare.
        comparisons: The comparison on each dataset.
    """

    metric: str
    goal: Goal
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    ranks: tuple[tuple[float, ...], ...]
    mean_ranks: tuple[float, ...]
    against: tuple[AgainstFirst, ...]
    comparisons: tuple[ComparedRuns, ...]
    together: Friedman | None = None

    def records(self) -> list[dict[str, Any]]:
        """Return one dict for each dataset and method: dataset, method, metric, value, rank."""
        return [
            {"dataset": dataset, "method": method, "metric": self.metric, "value": value, "rank": rank}
            for dataset, values, ranks in zip(self.datasets, self.values, self.ranks, strict=True)
            for method, value, rank in zip(self.methods, values, ranks, strict=True)
        ]


def compare_across_datasets(
    runs: Sequence[RecordedRun],
    metric: str | None = None,
    *,
    at: Moment = "best",
    label: Sequence[str] = (),
    specs: Mapping[str, Path] = MappingProxyType({}),
) -> AcrossDatasets:
    """Compare methods over the datasets that all of them were trained on.

    Runs are one method if their configs differ only in the dataset and the seeds; where they differ in more (a rate
    tuned for each dataset), if they have the same name.

    Args:
        metric: Decides instead of the first of the task's primary metrics.
        at: As in `compare`.
        label: What to call the methods, as for `compare`, by a run on the first dataset.
        specs: {what a run was called on the command line: its directory}.

    Raises:
        UsageError: For fewer than two datasets or methods, a method that a dataset lacks, or runs of a dataset that
            cannot be compared.
    """
    check_different(runs, "compare")
    by_dataset: dict[str, list[RecordedRun]] = {}
    for group in grouped(runs):
        key = strict_json.dumps({"dataset": group.run.config["dataset"]})
        by_dataset.setdefault(key, []).extend(group.members)
    if len(by_dataset) < 2:
        raise UsageError("by dataset: all these runs are on one dataset; compare them without --by")
    tables = _methods(list(by_dataset.values()))
    first = list(tables[0].values())
    if len(first) < 2:
        raise UsageError(
            "by dataset: these runs are one method on several datasets; give the runs of another method, too"
        )
    datasets = _dataset_names([next(iter(table.values()))[0] for table in tables])
    comparisons = []
    for name, table in zip(datasets, tables, strict=True):
        ordered = [run for key in tables[0] for run in table[key]]
        comparison = compare(ordered, metric, at=at, over="seeds")
        if comparison.reasons:
            raise UsageError(f"by dataset: on {name}, {'; '.join(comparison.reasons)}")
        unfinished = next((run for run in comparison.runs if run.status != "finished"), None)
        if unfinished and not isinstance(at, int):
            raise UsageError(
                f"by dataset: on {name}, the status of {unfinished.label} is {unfinished.status}, so it has no final "
                "value; leave this dataset out, or train it again"
            )
        if len(comparison.runs) != len(first):
            raise UsageError(
                f"by dataset: on {name}, {len(comparison.runs)} runs make {len(first)} methods: some are unfinished or "
                "repeat a seed; leave these out"
            )
        comparisons.append(comparison)
    column = _column(comparisons, datasets)
    chosen = [next(one for one in comparison.metrics if one.name == column) for comparison in comparisons]
    goal = chosen[0].goal
    assert goal is not None
    values = tuple(_means(one, name) for one, name in zip(chosen, datasets, strict=True))
    ranks = tuple(_ranks(row, goal) for row in values)
    found = [run.label for run in comparisons[0].runs]
    methods = named_by_user(label, first, found, specs)
    return AcrossDatasets(
        metric=column,
        goal=goal,
        methods=methods,
        datasets=datasets,
        values=values,
        ranks=ranks,
        mean_ranks=tuple(sum(column) / len(column) for column in zip(*ranks, strict=True)),
        against=_against(values, goal),
        comparisons=tuple(comparisons),
        together=friedman(ranks, LEVEL) if len(methods) > 2 else None,
    )


def _methods(datasets: Sequence[Sequence[RecordedRun]]) -> list[dict[str, list[RecordedRun]]]:
    """Return {method: its runs} for each dataset, with the same methods in all of them."""
    by_config = [_keyed(runs, lambda run: strict_json.dumps(_without_dataset(run))) for runs in datasets]
    if all(set(table) == set(by_config[0]) for table in by_config):
        return by_config
    by_name = [_keyed(runs, lambda run: str(run.config.get("name"))) for runs in datasets]
    named = all(run.config.get("name") for runs in datasets for run in runs)
    if named and all(set(table) == set(by_name[0]) for table in by_name):
        return by_name
    counts = " and ".join(str(len(table)) for table in by_config[:2])
    raise UsageError(
        f"by dataset: the datasets do not have the same methods ({counts} on the first two); train every method on "
        "every dataset, with the same config except for the dataset, or give its runs the same --name"
    )


def _keyed(runs: Sequence[RecordedRun], key: Any) -> dict[str, list[RecordedRun]]:
    found: dict[str, list[RecordedRun]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    return found


def _without_dataset(run: RecordedRun) -> dict[str, Any]:
    return {key: value for key, value in experiment_of(run).items() if key != "dataset"}


def _dataset_names(runs: Sequence[RecordedRun]) -> tuple[str, ...]:
    """Return what distinguishes the datasets: their names, or the parameters that differ."""
    names = [str(run.config["dataset"]["name"]).rpartition(":")[2] for run in runs]
    if len(set(names)) == len(names):
        return tuple(names)
    found = labels(runs, config_differences([{"dataset": run.config["dataset"]} for run in runs]))
    return tuple(text.replace("dataset.", "").replace("dataset=", "") for text in found)


def _column(comparisons: Sequence[ComparedRuns], datasets: Sequence[str]) -> str:
    """Return the first deciding metric that all datasets have."""
    deciding = [[one.name for one in comparison.metrics if one.decides and one.goal] for comparison in comparisons]
    for name in deciding[0]:
        if all(name in names for names in deciding):
            return name
    listed = "; ".join(f"{name}: {', '.join(one) or 'none'}" for name, one in zip(datasets, deciding, strict=True))
    raise UsageError(f"by dataset: no metric decides on all datasets ({listed}); choose one with --metric")


def _means(metric: ComparedMetric, dataset: str) -> tuple[float, ...]:
    means = [value.mean if value else math.nan for value in metric.measured.values]
    if not all(map(math.isfinite, means)):
        raise UsageError(f"by dataset: on {dataset}, not every method has a finite {metric.name}; leave that one out")
    return tuple(means)


def _ranks(values: Sequence[float], goal: Goal) -> tuple[float, ...]:
    """Return each method's rank, 1 for the best; values that differ only by rounding are equal."""
    rounded: list[float] = []
    for value in values:
        rounded.append(next((one for one in rounded if difference(value, one) == 0), value))
    return tuple(ranked([-sign(goal) * value for value in rounded]))


def least_datasets(methods: int) -> int:
    """Return the least number of datasets with which a verdict is possible.

    A method that wins on all of n datasets has the p-value 2^(1 - n), which Holm's correction multiplies by the number
    of comparisons.
    """
    return max(LEAST_FOR_VERDICT, 1 + math.ceil(math.log2((methods - 1) / LEVEL)))


def _against(values: Sequence[Sequence[float]], goal: Goal) -> tuple[AgainstFirst, ...]:
    gains = [[sign(goal) * difference(row[method], row[0]) for row in values] for method in range(1, len(values[0]))]
    each = [signed_ranks(gain) for gain in gains]
    corrected = holm([one.p_value for one in each])
    found = []
    for method, (gain, ranks, p_value) in enumerate(zip(gains, each, corrected, strict=True), 1):
        clear = p_value <= LEVEL and len(gain) >= LEAST_FOR_VERDICT
        better: Literal["better", "worse"] = "better" if ranks.positive > ranks.negative else "worse"
        wins, ties = sum(one > 0 for one in gain), gain.count(0.0)
        word: Literal["better", "worse", "no clear difference"] = better if clear else "no clear difference"
        found.append(AgainstFirst(method, wins, ties, len(gain) - wins - ties, ranks, p_value, word))
    return tuple(found)
