"""The losses a config may name, with formulas and sources. Their code: `components/losses.py`."""

from typing import Final

from lossrun.catalog.binary_losses import BINARY_LOSSES
from lossrun.catalog.class_losses import CLASS_LOSSES
from lossrun.catalog.declaration import Loss
from lossrun.catalog.loss_parameters import INPUTS, REDUCTION
from lossrun.catalog.regression_losses import REGRESSION_LOSSES

__all__ = ["INPUTS", "LOSSES", "REDUCTION"]

LOSSES: Final[tuple[Loss, ...]] = (*REGRESSION_LOSSES, *BINARY_LOSSES, *CLASS_LOSSES)
