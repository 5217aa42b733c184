"""Find input columns that give the target away, such as a column that was left in a table under another name."""

from typing import Final

import numpy as np

from lossrun.catalog.declaration import Task

# With fewer samples a column may agree with the target by chance: at least this many numbers, or class labels.
LEAST: Final = 8
LEAST_LABELS: Final = 32
_FIRST: Final = 64  # rows that nearly every other column fails at


def leaking_columns(inputs: np.ndarray, targets: np.ndarray, columns: tuple[str, ...], task: Task) -> tuple[str, ...]:
    """Return the columns of a table that equal a target in every sample, or have a different value for each class.

    There are none where all columns do: learning to copy its inputs is then the purpose of the model.

    Args:
        inputs: The training inputs, (N, D); images are not searched.
        targets: The training targets: numbers or labels, (N, K), or class indices, (N,).
        columns: Their names; () if they have none.
    """
    exclusive = task in ("binary", "multiclass")
    if inputs.ndim != 2 or len(inputs) < (LEAST_LABELS if exclusive else LEAST):
        return ()
    classes = np.unique(targets, return_inverse=True)[1].ravel() if exclusive else None
    found = np.arange(inputs.shape[1])
    for rows in (slice(_FIRST), slice(None)):
        some = inputs[rows, found]
        told = _equal_one_of(some, targets[rows]) if classes is None else _tell_apart(some, classes[rows])
        found = found[told]
    names = columns or tuple(str(place) for place in range(inputs.shape[1]))
    return tuple(names[place] for place in found) if len(found) < inputs.shape[1] else ()


def _equal_one_of(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return whether each column equals a column of the targets, (D,), that is not constant."""
    varied = [column for column in targets.reshape(len(targets), -1).T if (column != column[0]).any()]
    equal = [(inputs == column[:, None]).all(axis=0) for column in varied]
    return np.asarray(np.any(equal, axis=0)) if equal else np.zeros(inputs.shape[1], bool)


def _tell_apart(inputs: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return whether each column has one value for each class, and another one for every other class, (D,)."""
    order = np.argsort(classes, kind="stable")
    starts = np.flatnonzero(np.diff(classes[order], prepend=-1))
    low, high = (extreme.reduceat(inputs[order], starts, axis=0) for extreme in (np.minimum, np.maximum))
    ranked = np.sort(low, axis=0)
    apart = (np.diff(ranked, axis=0) > 0).all(axis=0)
    return np.asarray((low == high).all(axis=0) & (len(starts) > 1) & apart)
