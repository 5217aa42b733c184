"""Compute what a constant prediction scores: a run that is no better has learned nothing that the metric shows.

The constant is the best one in hindsight, given how often each class occurs among the scored samples:

- for decisions the most frequent class (accuracy, and macro_f1, precision, and recall with several classes),
- for f1 and precision with two classes or labels, class 1 or all labels,
- for ranks the same output for every sample,
- for probabilities the class frequencies,
- for r2 the mean.

Recall with two classes is left out: always predicting class 1 scores 1.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lossrun.analysis.values import readings
from lossrun.analysis.values.paired_differences import difference
from lossrun.catalog import Task, metric_names
from lossrun.catalog.metrics import METRICS, PRIMARY_METRICS
from lossrun.digits import apart
from lossrun.records.recorded import RecordedRun

_SHOWN: Final = 4  # the most metrics in a sentence


def constant_scores(task: Task, counts: Sequence[float], total: float) -> dict[str, float]:
    """Compute the scores of the best constant prediction.

    Args:
        counts: The number (or total weight) of the samples of each class; binary: of class 0 and class 1; multilabel:
            of each label; regression: ().
        total: The number (or total weight) of all samples.

    Returns:
        {metric, without val_ or test_: its score}.
    """
    if task == "regression":
        return {"r2": 0.0}
    if not total or not counts:
        return {}
    if task == "binary":
        return _of_labels([counts[-1] / total], several=False)
    if task == "multilabel":
        return _of_labels([count / total for count in counts], several=True)
    shares = [count / total for count in counts if count]
    most, present = max(shares), len(shares)
    return {
        "cross_entropy": -sum(share * math.log(share) for share in shares),
        "accuracy": most,
        "macro_f1": 2 * most / (1 + most) / present,
        "precision": most / present,
        "recall": 1 / present,
        "auc": 0.5,
        "average_precision": sum(shares) / present,
        "brier": 1 - sum(share * share for share in shares),
    }


def no_better(values: Mapping[str, float], constant: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return the metrics by which a run is no better than a constant prediction, the deciding ones first.

    Returns:
        {metric: (the run's value, the constant's value)}.
    """
    primary = [name for names in PRIMARY_METRICS.values() for name in names]
    order = dict.fromkeys((*primary, *(metric.name for metric in METRICS), *constant))
    found = {}
    for name in (name for name in order if name in constant and name in values):
        value, other = values[name], constant[name]
        gained = difference(value, other) * metric_names.sign(metric_names.goal(name) or "min")
        if math.isfinite(value) and gained <= 0:
            found[name] = (value, other)
    return found


def sentence(found: Mapping[str, tuple[float, float]], part: str) -> str:
    """Say by which metrics a constant prediction is as good: `accuracy 0.9861 = 0.9861`; "" for none."""
    if not found:
        return ""
    shown = [f"{name} {_compared(*pair, metric_names.goal(name))}" for name, pair in list(found.items())[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"a constant prediction scores as well on the {part} data: {', '.join(shown)}{more}"


def constant_remark(run: RecordedRun, seeds: Sequence[int] | None = None) -> str:
    """Say so for a finished run at its best epochs, by the mean over its seeds, or over some of them.

    The values are those of the test data, or of the validation data if there are no test data.
    """
    task = readings.task(run)
    # The status would not do: at the end of training the run is still locked.
    last = next((event["event"] for event in reversed(run.ledger) if event["event"] in ("finished", "resumed")), "")
    if task is None or last != "finished" or readings.is_short(run):
        return ""
    rows, part = readings.test_rows(run, "test_at_best"), "test"
    if not rows:
        rows, part = readings.best_rows(run), "validation"
    rows = rows if seeds is None else {seed: row for seed, row in rows.items() if seed in seeds}
    prefix = {"test": "test_", "validation": "val_"}[part]
    each = {seed: constant_scores(task, *_counts(run, part, seed)) for seed in rows}
    names = [name for name in next(iter(each.values()), {}) if all(prefix + name in row for row in rows.values())]
    values = {name: sum(row[prefix + name] for row in rows.values()) / len(rows) for name in names}
    constant = {name: sum(scores.get(name, math.nan) for scores in each.values()) / len(each) for name in names}
    return sentence(no_better(values, constant), part)


def _counts(run: RecordedRun, part: str, seed: int) -> tuple[Sequence[float], float]:
    """Return the counts of the classes in a part of the data, and of all samples; () and 0 if not recorded."""
    recorded: Any = (run.environment.get("class_counts") or {}).get(part) or {}
    if isinstance(recorded, list):
        recorded = dict(zip(run.seeds, recorded, strict=False)).get(seed, {})
    return recorded.get("counts", ()), recorded.get("total", 0)


def _compared(value: float, constant: float, goal: str | None) -> str:
    if not difference(value, constant):
        return f"{value:.4g} = {constant:.4g}"
    return f" {'<' if goal == 'max' else '>'} ".join(apart(value, constant, digits=4))


def _of_labels(shares: Sequence[float], *, several: bool) -> dict[str, float]:
    """Compute the scores for one or several labels: means over the labels, but a sum for the Brier score."""

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values) if values else math.nan

    entropies = [-sum(part * math.log(part) for part in (share, 1 - share) if part) for share in shares]
    return {
        "binary_cross_entropy": mean(entropies),
        "accuracy": mean([max(share, 1 - share) for share in shares]),
        "macro_f1" if several else "f1": mean([2 * share / (1 + share) for share in shares]),
        "precision": mean(shares),
        "auc": 0.5,
        "average_precision": mean([share for share in shares if share]),
        "brier": sum(share * (1 - share) for share in shares),
    }
