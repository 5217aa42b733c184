"""Read the small tables that come with scikit-learn, an optional dependency."""

import numpy as np

from lossrun.catalog import get
from lossrun.catalog.declaration import DatasetDeclaration, Task
from lossrun.data.samples.dataset import Part, Scaling, UnsplitData
from lossrun.data.tables.inputs import as_float32, narrowed
from lossrun.errors import DataError


def read_scikit_learn(name: str) -> UnsplitData:
    """Read a table: inputs (N, D) in scikit-learn's units. Raises DataError if scikit-learn is not installed."""
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DataError(f"{name} comes with scikit-learn, which is missing; pip install scikit-learn") from error
    declared = get("dataset", name)
    assert isinstance(declared, DatasetDeclaration)
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
        input_scaling=Scaling.divide_by(declared.largest_input) if declared.largest_input else None,
        columns=tuple(bunch.feature_names),
    )
