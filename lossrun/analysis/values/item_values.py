"""Write a metric as a mean over test items, so that its chance over new items can be estimated.

Accuracy, say, is the mean of one value for each item. Other metrics are functions of such means: rmse is the root of
one, F1 a ratio of two. Each item then gets a linear share in the metric, so that the shares have the metric as their
mean, and their variance gives the metric's variance (the delta method):

| metric                    | share of item i                                                                |
|---------------------------|--------------------------------------------------------------------------------|
| mean of v                 | v_i                                                                            |
| root of the mean of v, r  | r + (v_i - r^2) / (2 r)                                                        |
| sum of a / sum of b, q    | q + (a_i - q b_i) / mean of b                                                  |

An item with weight w has w_i (share_i - metric) / (mean of w) instead of share_i - metric.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from lossrun.analysis.values.kept_predictions import decided
from lossrun.catalog import Task

Shares: TypeAlias = np.ndarray  # (N,), float64


@dataclass(frozen=True, slots=True)
class ScoredItems:
    """The outputs of one seed for test items, and what was right.

    Attributes:
        outputs: (N, K), after the last activation, in original units.
        targets: (N,) classes, or (N, K).
        weights: (N,), with a mean of 1.
    """

    config: Mapping[str, Any]
    task: Task
    outputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def item_shares(metric: str, items: ScoredItems) -> Shares | None:
    """Return the share of each item in a metric, (N,); None for a metric that is not written so here.

    Args:
        metric: The metric's name without the part of the data: `rmse`.
    """
    table: Mapping[str, Callable[[ScoredItems], Shares]] = _REGRESSION if items.task == "regression" else _CLASSES
    return table[metric](items) if metric in table else None


def _weighted(values: np.ndarray, items: ScoredItems) -> Shares:
    """Return the shares of a mean of values (N,)."""
    mean = float((items.weights * values).mean())
    shares: Shares = mean + items.weights * (values - mean)
    return shares


def _squares(items: ScoredItems) -> Shares:
    return _weighted(np.square(items.outputs - items.targets).mean(axis=-1), items)


def _root(items: ScoredItems) -> Shares:
    squares = _squares(items)
    root = math.sqrt(squares.mean())
    return squares if root == 0 else root + (squares - root * root) / (2 * root)


def _absolute(items: ScoredItems) -> Shares:
    return _weighted(np.abs(items.outputs - items.targets).mean(axis=-1), items)


def _truths(items: ScoredItems) -> np.ndarray:
    """Return what is true, bool (N, K): the labels, or the classes one by one."""
    if items.task == "multiclass":
        return np.asarray(items.targets.reshape(-1, 1) == np.arange(items.outputs.shape[-1]))
    return np.asarray(items.targets.reshape(len(items.outputs), -1) > 0.5)


def _guesses(items: ScoredItems) -> np.ndarray:
    """Return what is predicted, bool (N, K)."""
    found = decided(items.config, items.task, items.outputs)
    if items.task == "multiclass":
        return np.asarray(found[:, np.newaxis] == np.arange(items.outputs.shape[-1]))
    return np.asarray(found.reshape(len(items.outputs), -1).astype(bool))


def _accuracy(items: ScoredItems) -> Shares:
    right = _guesses(items) == _truths(items)
    return _weighted(right.all(axis=-1) if items.task == "multiclass" else right.mean(axis=-1), items)


def _brier(items: ScoredItems) -> Shares:
    return _weighted(np.square(items.outputs - _truths(items)).sum(axis=-1), items)


def _of_ratios(part: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Any:
    """Return the shares in a ratio of sums for each class, averaged over the classes that are met.

    Args:
        part: From hits, guesses and truths (N, K), numbers, to what is summed above and below.
    """

    def shares(items: ScoredItems) -> Shares:
        guesses, truths = _guesses(items).astype(float), _truths(items).astype(float)
        each = items.weights[:, np.newaxis]
        above, below = (each * one for one in part(guesses * truths, guesses, truths))
        mean_below = below.mean(axis=0)
        ratio = np.divide(above.mean(axis=0), mean_below, out=np.zeros_like(mean_below), where=mean_below > 0)
        moved = np.divide(above - ratio * below, mean_below, out=np.zeros_like(above), where=mean_below > 0)
        met = (each * (guesses + truths)).any(axis=0) if items.task == "multiclass" else np.ones(len(ratio), bool)
        found: Shares = (ratio + moved)[:, met].mean(axis=1)
        return found

    return shares


_F1: Final = _of_ratios(lambda hits, guesses, truths: (2 * hits, guesses + truths))
_REGRESSION: Final[dict[str, Callable[[ScoredItems], Shares]]] = {"mse": _squares, "rmse": _root, "mae": _absolute}
_CLASSES: Final[dict[str, Callable[[ScoredItems], Shares]]] = {
    "accuracy": _accuracy,
    "brier": _brier,
    "f1": _F1,
    "macro_f1": _F1,
    "precision": _of_ratios(lambda hits, guesses, _: (hits, guesses)),
    "recall": _of_ratios(lambda hits, _, truths: (hits, truths)),
}
