"""Find the task of raw targets: from their values, and from the loss where these leave it open."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from lossrun.catalog.declaration import Task

# With so few rows, even classes may all be different, as in a first try.
FEW_ROWS: Final = 20


@dataclass(frozen=True, slots=True)
class LossTasks:
    """The tasks that a loss can be trained on.

    Attributes:
        tasks: The usual one first; () if nothing is known about the loss.
        loss: What a note calls the loss, as in a config: "loss: huber".
    """

    tasks: tuple[Task, ...]
    loss: str = ""


ANY_LOSS: Final = LossTasks(())


def task_of(columns: np.ndarray, words: bool, names: int, loss: LossTasks = ANY_LOSS) -> tuple[Task | None, bool]:
    """Return the task of targets, None if they leave it open, and whether the loss decided.

    Args:
        columns: The targets, (N, K).
        words: Whether they are words.
        names: How many classes are named; 0 if they have no names.
        loss: The tasks that are possible for the loss; ANY_LOSS if nothing is known about it.
    """
    told, possible = _told(columns, words, names), _possible(columns, words, names)
    fitting = [task for task in loss.tasks if task in possible]
    if not loss.tasks or told in fitting:
        return told, False
    if len(fitting) == 1:
        return fitting[0], True
    if told is not None:
        return told, False
    if not fitting:
        # No reading fits the loss. As classes, the linter names the losses that do.
        return ("binary" if "binary" in possible else "multiclass"), False
    usual = loss.tasks[0]
    # Two numbers may be a code for yes and no, so a loss that takes classes too does not decide that they are amounts.
    decides = usual in fitting and not (usual == "regression" and "binary" in possible)
    return (usual, True) if decides else (None, False)


def is_whole(values: np.ndarray) -> bool:
    """Return whether all values are whole numbers."""
    return values.dtype.kind != "f" or bool((values == np.floor(values)).all())


def is_zero_one(values: np.ndarray) -> bool:
    """Return whether all values are 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())


def _told(columns: np.ndarray, words: bool, names: int) -> Task | None:
    """Return the task that the values alone tell; None for whole numbers that may be amounts or classes."""
    if columns.shape[1] > 1:
        return "multilabel" if is_zero_one(columns) else "regression"
    distinct = names or len(np.unique(columns))
    if words or names or columns.dtype.kind == "b":
        return "binary" if distinct == 2 else "multiclass"
    return "regression" if not is_whole(columns) or distinct == len(columns) > 1 else None


def _possible(columns: np.ndarray, words: bool, names: int) -> set[Task]:
    """Return every task that the values allow."""
    if columns.shape[1] > 1:
        if not is_zero_one(columns):
            return {"regression"}
        one_hot = bool((columns.sum(axis=1) == 1).all())
        return {"multilabel", "regression", *(("multiclass",) if one_hot else ())}
    if not words and not is_whole(columns):
        return {"regression"}
    distinct = names or len(np.unique(columns))
    found: set[Task] = set() if words or names or columns.dtype.kind == "b" else {"regression"}
    # More rows than a first try has, each with another number, are not classes.
    if distinct < len(columns) or len(columns) <= FEW_ROWS:
        found |= {"multiclass", "binary"} if distinct == 2 else {"multiclass"}
    return found
