"""How large the training inputs are, as the model gets them: what the lint rule unscaled_inputs judges."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from lossrun.catalog.data_facts import FAR, InputScale
from lossrun.data.samples.dataset import Scaling
from lossrun.data.tables.inputs import blocks

# Numbers that are looked at, taken evenly from all samples.
LOOKED_AT: Final = 1 << 22
# Within [-1, 1] an offset is no larger than a bias that the model has anyway, unless every column has one.
UNIT: Final = 1.0


def input_scale(inputs: np.ndarray, scaling: Scaling, columns: tuple[str, ...]) -> InputScale:
    """Look at training inputs (N, ...) in original units. `columns`: their names, if any."""
    looked_at = inputs[:: max(1, inputs.size // LOOKED_AT)]

    def tables() -> Iterator[np.ndarray]:
        """Yield some MB of scaled numbers at a time, one column for each scale; images have one for all pixels."""
        for _, block in blocks(looked_at):
            scaled = scaling.apply(block, np.float64)
            yield scaled if scaled.ndim == 2 else scaled.reshape(-1, 1)

    ends = [(table.min(axis=0), table.max(axis=0), table.sum(axis=0), len(table)) for table in tables()]
    lows, highs, sums, counts = zip(*ends, strict=True)
    low, high, mean = np.min(lows, axis=0), np.max(highs, axis=0), np.sum(sums, axis=0) / sum(counts)
    varies = high > low
    if not varies.any():
        return InputScale(float(low.min()), float(high.max()), 0.0, 0.0)
    widths = (high - low)[varies]
    std = np.sqrt(sum(np.square(table - mean).sum(axis=0) for table in tables()) / sum(counts))
    # The squares of differences below 1e-162 are 0.
    offsets = np.abs(mean) / np.where(varies, np.where(std > 0, std, high - low), np.inf)
    if not (offsets[varies] > FAR).all():
        offsets = np.where(np.maximum(np.abs(low), np.abs(high)) > UNIT, offsets, 0.0)
    farthest = int(offsets.argmax())
    return InputScale(
        low=float(low.min()),
        high=float(high.max()),
        narrowest=float(widths.min()),
        widest=float(widths.max()),
        offset=float(offsets[farthest]),
        column=str(columns[farthest]) if columns else str(farthest) if len(low) > 1 else "",
        reach=(float(low[farthest]), float(high[farthest])),
    )
