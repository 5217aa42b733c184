"""What one answer to every sample scores: a run that does no better has learned nothing that this metric can show.

The answer is the best of its kind in hindsight, knowing how often each class occurs among the samples scored: always
the most frequent class for decisions (accuracy, and macro_f1, precision and recall of several exclusive classes),
always class 1 or every label for f1 and precision of yes or no, the same output for ranks, the class frequencies for
probabilities, the mean for r2. Recall of yes or no is left out: whoever always says yes has 1.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lossrun.analysis.values import readings
from lossrun.analysis.values.statistics import difference
from lossrun.catalog import Task
from lossrun.catalog.metrics import METRICS, PRIMARY_METRICS
from lossrun.records.recorded import RecordedRun

_SHOWN: Final = 4  # metrics that a sentence names


def constant_scores(task: Task, counts: Sequence[float], total: float) -> dict[str, float]:
    """By the metrics' plain names. `counts`: samples of each class (binary: of no and of yes; multilabel: with each
    label), or their weights, () for regression; `total`: of all samples."""
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
    """{metric: its value and the constant answer's} where the value is no better, what decides first."""
    primary = [name for names in PRIMARY_METRICS.values() for name in names]
    order = dict.fromkeys((*primary, *(metric.name for metric in METRICS), *constant))
    found = {}
    for name in (name for name in order if name in constant and name in values):
        value, other, goal = values[name], constant[name], readings.goal(name)
        gained = difference(value, other) * (1 if goal == "max" else -1)
        if math.isfinite(value) and gained <= 0:
            found[name] = (value, other)
    return found


def sentence(found: Mapping[str, tuple[float, float]], part: str) -> str:
    """What to say of them: `accuracy 0.9861 = 0.9861`; nothing where there are none."""
    if not found:
        return ""
    told = [f"{name} {_compared(*pair, readings.goal(name))}" for name, pair in list(found.items())[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"always giving the same answer would score as well on the {part} data: {', '.join(told)}{more}"


def constant_remark(run: RecordedRun, seeds: Sequence[int] | None = None) -> str:
    """The same of a finished run, at its best epochs, mean over its seeds or some of them: on its test data, or without
    those on its validation data."""
    task = readings.task(run)
    # Not by the status: at the end of training the run is still locked.
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
    """What the samples of each class in a part count for, and all of them, as run.json has it; () and 0 where it has
    not."""
    recorded: Any = (run.environment.get("class_counts") or {}).get(part) or {}
    if isinstance(recorded, list):
        recorded = dict(zip(run.seeds, recorded, strict=False)).get(seed, {})
    return recorded.get("counts", ()), recorded.get("total", 0)


def _compared(value: float, constant: float, goal: str | None) -> str:
    sign = "=" if not difference(value, constant) else "<" if goal == "max" else ">"
    return f"{value:.4g} {sign} {constant:.4g}"


def _of_labels(shares: Sequence[float], *, several: bool) -> dict[str, float]:
    """Of one yes or no, or of several: means over the labels, but for Brier's sum."""

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
