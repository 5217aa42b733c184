"""Compute the scale of regression targets, which decides for which losses they are useful."""

from collections.abc import Sequence

import numpy as np

from lossrun.catalog.data_facts import TargetScale


def target_scale(parts: Sequence[np.ndarray]) -> TargetScale:
    """Measure the targets (N, K) of all parts together, in original units. There is at least one sample."""
    targets = np.concatenate([np.asarray(part, np.float64) for part in parts])
    sizes = np.abs(targets)
    spreads = targets.std(axis=0)
    varying = spreads[targets.min(axis=0) < targets.max(axis=0)]
    roots = np.sqrt(np.square(targets).mean(axis=0))
    return TargetScale(
        low=float(targets.min()),
        high=float(targets.max()),
        least=float(sizes.min()),
        mean=float(sizes.mean()),
        whole=bool((targets == np.round(targets)).all()),
        # If no column varies, there is nothing to compare with.
        spreads=(float(varying.min()), float(varying.max())) if len(varying) else (1.0, 1.0),
        sizes=(float(roots.min()), float(roots.max())),
    )
