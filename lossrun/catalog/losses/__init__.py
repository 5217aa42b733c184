"""The losses a config may name, with formulas and sources. Their code: `components/losses/`."""

from typing import Final

from lossrun.catalog.declaration import Loss
from lossrun.catalog.losses.binary import BINARY_LOSSES
from lossrun.catalog.losses.classes import CLASS_LOSSES
from lossrun.catalog.losses.parameters import INPUTS, REDUCTION
from lossrun.catalog.losses.regression import REGRESSION_LOSSES

__all__ = ["INPUTS", "LOSSES", "REDUCTION"]

LOSSES: Final[tuple[Loss, ...]] = (*REGRESSION_LOSSES, *BINARY_LOSSES, *CLASS_LOSSES)
