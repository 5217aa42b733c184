"""The small tables that come with scikit-learn, an optional dependency."""

import numpy as np

from lossrun.catalog.declaration import Task
from lossrun.data.samples.dataset import Part, Scaling, UnsplitData
from lossrun.data.tables.inputs import as_float32, narrowed
from lossrun.errors import DataError


def read_scikit_learn(name: str) -> UnsplitData:
    """Inputs (N, D) in scikit-learn's units. Raises DataError where scikit-learn is not installed."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DataError(f"{name} comes with scikit-learn, which is missing; pip install scikit-learn") from error
    bunch = getattr(datasets, f"load_{name}")()
    classes = tuple(str(name) for name in getattr(bunch, "target_names", ()))
    task: Task
    if not classes:
        task, targets = "regression", narrowed(bunch.target[:, np.newaxis].astype(np.float64))
    elif len(classes) == 2:
        task, targets = "binary", as_float32(bunch.target[:, np.newaxis])
    else:
        task, targets = "multiclass", bunch.target.astype(np.int64)
    return UnsplitData(
        task=task,
        train=Part(narrowed(bunch.data.astype(np.float64)), targets, np.arange(len(targets))),
        target_size=len(classes) if task == "multiclass" else 1,
        classes=classes,
        # Its pixels count from 0 to 16.
        input_scaling=Scaling.divide_by(16.0) if name == "digits" else None,
        columns=tuple(bunch.feature_names),
    )
