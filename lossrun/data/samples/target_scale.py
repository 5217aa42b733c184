"""Compute the scale of regression targets, which decides for which losses they are useful."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from lossrun.catalog.data_facts import MOST_COUNTED, TargetScale
from lossrun.data.samples.arbitrary_labels import are_arbitrary

# Whole numbers may be labels if each has `ENOUGH` samples, and none is `BALANCED` times as frequent as another.
ENOUGH: Final = 20
BALANCED: Final = 1.5


def target_scale(parts: Sequence[np.ndarray], inputs: Sequence[np.ndarray] = ()) -> TargetScale:
    """Measure the targets (N, K) of all parts together, in original units. There is at least one sample.

    `inputs`: of the same parts; without them, labels of classes are not told from amounts.
    """
    targets = np.concatenate([np.asarray(part, np.float64) for part in parts])
    sizes = np.abs(targets)
    spreads = targets.std(axis=0)
    varying = spreads[targets.min(axis=0) < targets.max(axis=0)]
    roots = np.sqrt(np.square(targets).mean(axis=0))
    low, high = float(targets.min()), float(targets.max())
    whole = bool((targets == np.round(targets)).all())
    counted = whole and targets.shape[1] == 1 and high - low < MOST_COUNTED
    counts = tuple(np.bincount((targets[:, 0] - low).astype(int)).tolist()) if counted else ()
    # Amounts are rarely equally frequent, and labels begin at 0 or 1.
    balanced = low in (0, 1) and len(counts) > 2 and min(counts) >= ENOUGH and max(counts) <= BALANCED * min(counts)
    return TargetScale(
        low=low,
        high=high,
        least=float(sizes.min()),
        mean=float(sizes.mean()),
        whole=whole,
        # If no column varies, there is nothing to compare with.
        spreads=(float(varying.min()), float(varying.max())) if len(varying) else (1.0, 1.0),
        sizes=(float(roots.min()), float(roots.max())),
        counts=counts,
        labels=balanced and bool(inputs) and are_arbitrary(np.concatenate(inputs), (targets[:, 0] - low).astype(int)),
    )
