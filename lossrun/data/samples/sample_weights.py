"""Check the weights of samples that a dataset brings."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from lossrun.data.samples.dataset import Part, summary_of
from lossrun.data.tables.inputs import as_array
from lossrun.digits import reach
from lossrun.errors import DataError

# In float32 the sum of a batch's weighted losses must neither overflow nor underflow. Smaller or larger weights can be
# multiplied by a common factor, which changes nothing.
LEAST: Final = 1e-20
MOST: Final = 1e20
EXPECTED: Final = f"expected 0, or a number from {LEAST:g} to {MOST:g}"


def as_weights(value: Any, where: str, samples: int, place: Callable[[int], str]) -> np.ndarray:
    """Return weights as float64, (samples,), from numbers (samples,) or (samples, 1).

    Args:
        where: What messages call the weights.
        place: Returns what messages call a single weight.

    Raises:
        DataError: For anything that is not a weight.
    """
    array = as_array(value, where)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: holds {array.dtype} values; expected one number of at least 0 for each sample")
    if array.shape not in ((samples,), (samples, 1)):
        raise DataError(
            f"{where}: has the shape {array.shape} for {samples} sample{'s' * (samples != 1)}; expected one weight for "
            "each sample"
        )
    weights = array.reshape(samples).astype(np.float64)
    wrong = ~((weights == 0) | ((weights >= LEAST) & (weights <= MOST)))
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{place(row)}: the weight is {weights[row]:g}; {EXPECTED}")
    if not weights.any():
        raise DataError(f"{where}: all weights are 0, so no sample counts; expected some weights above 0")
    return weights


def weight_notes(parts: Mapping[str, Part], called: str, *, standardized: bool) -> tuple[str, ...]:
    """Return a note about the weights of all parts; `called` says where they come from.

    Raises:
        DataError: If no sample of a part counts.
    """
    given = {name: part.weights for name, part in parts.items() if part.weights is not None}
    if not given:
        return ()
    for name, weights in given.items():
        if not weights.any():
            raise DataError(
                f"{called}: all weights of the {name} part are 0, so none of its samples counts; use another "
                "split_seed or more samples"
            )
    low, high, total = summary_of(np.concatenate(list(given.values())))
    note = f"weights: {called}, {reach(low, high)}, sum {total:g}"
    return (f"{note}; standardize ignores them" if standardized else note,)
