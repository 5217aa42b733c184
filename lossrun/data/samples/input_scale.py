"""How large the training inputs are, as the model gets them: what the lint rule unscaled_inputs judges."""

from typing import Final

import numpy as np

from lossrun.catalog.data_facts import FAR, InputScale
from lossrun.data.samples.dataset import Scaling

# Numbers that are looked at, taken evenly from all samples.
LOOKED_AT: Final = 1 << 22
# Within [-1, 1] an offset is no larger than a bias that the model has anyway, unless every column has one.
UNIT: Final = 1.0


def input_scale(inputs: np.ndarray, scaling: Scaling, columns: tuple[str, ...]) -> InputScale:
    """Look at training inputs (N, ...) in original units. `columns`: their names, if any."""
    scaled = scaling.apply(inputs[:: max(1, inputs.size // LOOKED_AT)], np.float64)
    # The pixels of an image share one scale.
    table = scaled if scaled.ndim == 2 else scaled.reshape(-1, 1)
    low, high = table.min(axis=0), table.max(axis=0)
    varies = high > low
    if not varies.any():
        return InputScale(float(low.min()), float(high.max()), 0.0, 0.0)
    widths = (high - low)[varies]
    offsets = np.abs(table.mean(axis=0)) / np.where(varies, table.std(axis=0), np.inf)
    if not (offsets[varies] > FAR).all():
        offsets = np.where(np.maximum(np.abs(low), np.abs(high)) > UNIT, offsets, 0.0)
    farthest = int(offsets.argmax())
    return InputScale(
        low=float(low.min()),
        high=float(high.max()),
        narrowest=float(widths.min()),
        widest=float(widths.max()),
        offset=float(offsets[farthest]),
        column=str(columns[farthest]) if columns else str(farthest) if table.shape[1] > 1 else "",
        reach=(float(low[farthest]), float(high[farthest])),
    )
