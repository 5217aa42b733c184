"""Estimate how the difference of two runs varies over test items, from the predictions that they kept."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from lossrun.analysis.values import metric_names, readings
from lossrun.analysis.values.groups import RunGroup
from lossrun.analysis.values.statistics import Variation
from lossrun.records.run_directory import RunDirectory

if TYPE_CHECKING:
    import numpy as np

    from lossrun.records.predictions import RecordedPredictions

_AGREES: Final = 1e-3  # relative; between a metric of kept predictions (float32) and the recorded one


class _NoItemsError(Exception):
    """The variation over test items cannot be computed; the text says why."""


# From a metric, the numbers of two runs, and their values by seed: how run minus reference varies over test items, or
# why that is unknown.
OverItems: TypeAlias = Callable[[str, int, int, Mapping[int, float], Mapping[int, float]], Variation | str]


@dataclass(frozen=True, slots=True)
class _Kept:
    found: "RecordedPredictions"
    weights: "np.ndarray"


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
        try:
            mine = _mean_shares(name, groups[run], letters[run], one, ours, seeds)
            its = _mean_shares(name, groups[reference], letters[reference], other, theirs, seeds)
        except _NoItemsError as why:
            return str(why)
        if one.found.ids.tolist() != other.found.ids.tolist():
            return f"the predictions of {letters[run]} and {letters[reference]} are of different items"
        # Items are averaged over seeds first: seeds and items are never pooled.
        differences = mine - its
        count = len(differences)
        error = float(differences.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
        return Variation("items", count, error) if math.isfinite(error) else "there are too few test items"

    return variation


def _read(group: RunGroup, letter: str) -> _Kept:
    if not all(RunDirectory(run.path).predictions_path.is_file() for run in group.members):
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
    weights = np.ones(len(found.ids)) if found.weights is None else np.asarray(found.weights, np.float64)
    counting = np.flatnonzero(weights)
    if not len(counting):
        raise _NoItemsError(f"{letter} has no test item that counts")
    outputs = {seed: one[counting] for seed, one in found.outputs.items()}
    found = replace(found, ids=found.ids[counting], targets=found.targets[counting], outputs=outputs)
    return _Kept(found, weights[counting] / weights[counting].mean())


def _mean_shares(
    name: str, group: RunGroup, letter: str, kept: _Kept, recorded: Mapping[int, float], seeds: Sequence[int]
) -> "np.ndarray":
    """Return the share of each item in the metric, mean over the seeds, (N,)."""
    import numpy as np

    from lossrun.analysis.values.item_values import ScoredItems, item_shares

    task, metric = readings.task(group.run), metric_names.bare(name)
    if absent := [seed for seed in seeds if seed not in kept.found.outputs]:
        raise _NoItemsError(f"{letter} kept no predictions of seed {absent[0]}")
    assert task is not None
    total = np.zeros(len(kept.found.ids))
    for seed in seeds:
        outputs = np.asarray(kept.found.outputs[seed], np.float64)
        items = ScoredItems(group.run.config, task, outputs, np.asarray(kept.found.targets), kept.weights)
        shares = item_shares(metric, items) if outputs.ndim == 2 else None
        if shares is None:
            raise _NoItemsError(f"{metric} is not a mean over items")
        # A metric computed in another way would say something else about items than about seeds.
        if not math.isclose(float(shares.mean()), recorded[seed], rel_tol=_AGREES, abs_tol=1e-9):
            raise _NoItemsError(f"the kept predictions of {letter} do not give its recorded {name} for seed {seed}")
        total += shares
    mean: np.ndarray = total / len(seeds)
    return mean
