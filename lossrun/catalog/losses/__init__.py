"""The losses that a config may name, with formulas and sources.

The loss declared in `catalog/losses/binary.py` is the function of the same name in `components/losses/binary.py`, and
so in every family.
"""

from collections.abc import Mapping
from typing import Final

from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses.binary import BINARY_LOSSES
from lossrun.catalog.losses.classes import CLASS_LOSSES
from lossrun.catalog.losses.parameters import INPUTS, REDUCTION
from lossrun.catalog.losses.regression import REGRESSION_LOSSES

__all__ = ["FAMILIES", "INPUTS", "LOSSES", "REDUCTION", "USUAL_LOSSES"]

# By the module that declares them, under `catalog/losses/`, and that computes them, under `components/losses/`.
FAMILIES: Final[Mapping[str, tuple[Loss, ...]]] = {
    "regression": REGRESSION_LOSSES,
    "binary": BINARY_LOSSES,
    "classes": CLASS_LOSSES,
}
LOSSES: Final[tuple[Loss, ...]] = tuple(loss for family in FAMILIES.values() for loss in family)
# The first choice for each task.
USUAL_LOSSES: Final[Mapping[str, str]] = {task: loss.name for loss in LOSSES for task in loss.usual_for}
