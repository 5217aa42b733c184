"""Damage training targets on purpose: wrong labels, outliers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.samples.streams import DataStream, generator
from lossrun.data.tables.inputs import as_float32
from lossrun.errors import DataError


def corrupt(
    targets: np.ndarray, task: Task, target_size: int, asked: Mapping[str, Any]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return damaged copies of the targets, and notes on what was done.

    Args:
        asked: label_noise and outliers (shares), outlier_scale, seed.

    Raises:
        DataError: If the task cannot have such damage.
    """
    notes: list[str] = []
    if asked["label_noise"]:
        if task == "regression":
            raise DataError("dataset.corrupt: label_noise needs classes; for a regression use outliers")
        targets = replace_labels(targets, task, target_size, asked["label_noise"], asked["seed"])
        what = "labels flipped" if task in ("binary", "multilabel") else "labels replaced"
        notes.append(f"{100 * asked['label_noise']:.1f} % of the training {what}")
    if asked["outliers"]:
        if task != "regression":
            raise DataError(f"dataset.corrupt: outliers need a regression, not a {task} task; use label_noise")
        targets = displace(targets, asked["outliers"], asked["outlier_scale"], asked["seed"])
        share, scale = 100 * asked["outliers"], asked["outlier_scale"]
        notes.append(f"{share:.1f} % of the training targets displaced by {scale:g} standard deviations")
    return targets, tuple(notes)


def replace_labels(targets: np.ndarray, task: Task, classes: int, share: float, seed: int) -> np.ndarray:
    """Replace round(share * N) labels by another class, each equally likely; 0 and 1 are swapped.

    For multilabel it is this share of the cells.
    """
    rng = generator(seed, DataStream.LABEL_NOISE)
    damaged = targets.copy()
    chosen = rng.permutation(targets.size)[: round(share * targets.size)]
    if task == "multiclass":
        damaged[chosen] = (targets[chosen] + rng.integers(1, classes, len(chosen))) % classes
    else:
        damaged.flat[chosen] = 1 - targets.flat[chosen]
    return damaged


def displace(targets: np.ndarray, share: float, scale: float, seed: int) -> np.ndarray:
    """Move round(share * N * K) of the targets, (N, K), up or down by `scale` standard deviations of their column.

    Raises:
        DataError: If a column has no standard deviation, because it is constant or there is only one sample.
    """
    if len(targets) < 2:
        raise DataError(
            "dataset.corrupt: the size of outliers is in standard deviations, and a single training sample has none; "
            "use more samples, or hold out fewer for validation and test"
        )
    std = targets.std(axis=0, dtype=np.float64)
    if not std.all():
        raise DataError(
            "dataset.corrupt: the size of outliers is in standard deviations, but all training targets are equal"
        )
    rng = generator(seed, DataStream.OUTLIERS)
    displacement = np.zeros(targets.shape)
    chosen = rng.permutation(targets.size)[: round(share * targets.size)]
    displacement.flat[chosen] = scale * rng.choice([-1.0, 1.0], len(chosen))
    displaced: np.ndarray = targets + displacement * std
    return as_float32(displaced) if targets.dtype == np.float32 else displaced
