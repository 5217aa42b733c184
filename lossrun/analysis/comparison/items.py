"""Estimate how the difference of two runs varies over test items, from the shares of the items that they kept.

The share of an item is what it adds to a metric, in a series whose first term is enough (the infinitesimal jackknife,
`components/metrics/item_shares.py`): the variance of a metric is the variance of the shares / their number.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from lossrun.analysis.values.groups import RunGroup
from lossrun.analysis.values.paired_differences import ROUNDING
from lossrun.analysis.values.variation import Variation
from lossrun.catalog import metric_names
from lossrun.catalog.declaration import Metric
from lossrun.files import is_there
from lossrun.records.run_directory import RunDirectory

if TYPE_CHECKING:
    import numpy as np

    from lossrun.records.predictions import RecordedPredictions


class _NoItemsError(Exception):
    """The variation over test items cannot be computed; the text says why."""


# From a metric, the numbers of two runs, and their values by seed: how run minus reference varies over test items, or
# why that is unknown.
OverItems: TypeAlias = Callable[[str, int, int, Mapping[int, float], Mapping[int, float]], Variation | str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a run kept of its test items.

    Attributes:
        counting: Which of them count in the metrics, bool (N,).
    """

    found: "RecordedPredictions"
    counting: "np.ndarray"

    @property
    def counted(self) -> "np.ndarray":
        """The ids of the items that count."""
        ids: np.ndarray = self.found.ids[self.counting]
        return ids


def over_items(groups: Sequence[RunGroup], letters: Sequence[str]) -> OverItems:
    """Return a function that estimates variation over test items; files are read when it first needs them."""

    @cache
    def kept(place: int) -> _Kept | str:
        try:
            return _read(groups[place], letters[place])
        except _NoItemsError as why:
            return str(why)

    def variation(
        name: str, run: int, reference: int, ours: Mapping[int, float], theirs: Mapping[int, float]
    ) -> Variation | str:
        one, other = kept(run), kept(reference)
        for each in (other, one):
            if isinstance(each, str):
                return each
        assert not isinstance(one, str)
        assert not isinstance(other, str)
        seeds = [seed for seed in ours if math.isfinite(ours[seed]) and math.isfinite(theirs.get(seed, math.nan))]
        if not seeds:
            return "no shared seed has a finite value in both runs"
        try:
            its = _shares(name, letters[reference], other, seeds)
            mine = _shares(name, letters[run], one, seeds)
        except _NoItemsError as why:
            return str(why)
        if one.counted.tolist() != other.counted.tolist():
            return f"the predictions of {letters[run]} and {letters[reference]} are of different items"
        largest = max(abs(values[seed]) for seed in seeds for values in (ours, theirs))
        return variation_of(mine - its, ROUNDING * largest)

    return variation


def variation_of(differences: "np.ndarray", rounding: float = 0.0) -> Variation | str:
    """Return how the mean of differences (S, N) varies over the N items, or why that is unknown.

    Items are averaged over seeds first: seeds and items are never pooled. With more seeds, what chance adds to an item
    under a single seed averages out, and the variance between items is left. It is estimated by the variance of the
    items' means, minus the variance of the residuals / S (two-way analysis of variance).

    Args:
        rounding: A deviation up to this counts as 0.
    """
    seeds, count = differences.shape
    if count < 2:
        return "there are too few test items"
    means = differences.mean(axis=0)
    variance = float(means.var(ddof=1))
    if not math.isfinite(variance):
        return "the contributions of some items are too large to be squared"
    if math.sqrt(variance) <= rounding:
        return Variation("items", count, 0.0, seeds, 0.0)
    floor = None
    if seeds > 1:
        chance = differences - means
        chance -= chance.mean(axis=1, keepdims=True)
        lasting = variance - float((chance * chance).sum()) / ((seeds - 1) * (count - 1)) / seeds
        floor = math.sqrt(max(0.0, lasting) / count)
    return Variation("items", count, math.sqrt(variance / count), seeds, floor)


def _read(group: RunGroup, letter: str) -> _Kept:
    if not all(is_there(RunDirectory(run.path).predictions_path) for run in group.members):
        raise _NoItemsError(f"{letter} has no predictions.npz")  # before numpy is imported, which takes a while
    import numpy as np

    from lossrun.analysis.values.kept_predictions import kept_predictions

    found, problems = kept_predictions(group.members)
    if found is None or problems:
        raise _NoItemsError("; ".join(problems) or f"{letter} has no predictions")
    if found.part != "test":
        raise _NoItemsError(f"{letter} kept predictions of its {found.part} data only")
    if len(found.ids) < found.total:
        raise _NoItemsError(f"{letter} kept the predictions of only {len(found.ids)} of {found.total} test items")
    counting = np.ones(len(found.ids), bool) if found.weights is None else np.asarray(found.weights) != 0
    if not counting.any():
        raise _NoItemsError(f"{letter} has no test item that counts")
    return _Kept(found, counting)


def _shares(name: str, letter: str, kept: _Kept, seeds: Sequence[int]) -> "np.ndarray":
    """Return the share of each item that counts in the metric, for each seed, (S, N)."""
    import numpy as np

    metric, declared = metric_names.bare(name), metric_names.declaration(name)
    if isinstance(declared, Metric) and declared.without_items:
        raise _NoItemsError(f"{metric} has no such interval, because {declared.without_items}")
    shares = kept.found.shares.get(metric)
    if shares is None:
        raise _NoItemsError(f"{letter} did not record what each test item adds to {metric}: train it again to do so")
    if absent := [seed for seed in seeds if seed not in shares]:
        raise _NoItemsError(f"{letter} kept no predictions of seed {absent[0]}")
    # A share is N times what an item adds, where N is the number of all items; the variance is over those that count.
    found: np.ndarray = np.stack([shares[seed][kept.counting] for seed in seeds]).astype(np.float64)
    found *= kept.counting.mean()
    return found
