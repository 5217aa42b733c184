"""Name metrics and columns of the history, and say which way each of them is better."""

import math
from collections.abc import Collection
from typing import Literal, TypeAlias

from lossrun.catalog import find
from lossrun.catalog.declaration import Loss, Metric
from lossrun.catalog.metrics import OF_SEVERAL

Goal: TypeAlias = Literal["min", "max"]  # whether lower or higher values are better


def goal(name: str) -> Goal | None:
    """Return whether lower or higher values of a column are better; None if it is not a known metric."""
    if bare(name) == "loss":
        return "min"
    declared = declaration(name)
    return declared.goal if declared else None


def sign(goal: Goal) -> Literal[1, -1]:
    """Return 1 if higher is better, -1 if lower is better: what to multiply values with so that more is better."""
    return 1 if goal == "max" else -1


def better(goal: Goal | None) -> Literal["lower", "higher", "-"]:
    """Return the word for the better direction; "-" if no direction is better."""
    return "-" if goal is None else "lower" if goal == "min" else "higher"


def bare(name: str) -> str:
    """Return the name without its part of the data: `val_rmse` -> `rmse`."""
    for prefix in ("val_", "test_", "train_"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def declaration(name: str) -> Loss | Metric | None:
    """Return the declaration of a metric, by any spelling, with or without val_ or test_; None if unknown."""
    found = find("metric", bare(name)) or find("loss", bare(name))
    component = found.component if found else None
    return component if isinstance(component, Loss | Metric) else None


def meant(asked: str, columns: Collection[str], part: str) -> str:
    """Return the column that a user's name for a metric means.

    A metric may have another name for several classes (f1 is macro_f1); that name is used if only it is in `columns`.

    Args:
        part: The prefix of the column: `val_`, `test_`, `train_`, or "".
    """
    declared = declaration(asked)
    name = declared.name if declared else bare(asked)
    of_several = OF_SEVERAL.get(name, name)
    return part + (of_several if part + name not in columns and part + of_several in columns else name)


def largest(name: str) -> float:
    """Return the largest possible value of a metric whose smallest is 0; infinity for a metric of another range."""
    declared = declaration(name)
    most = declared.at_most if isinstance(declared, Metric) else None
    return math.inf if most is None else most
