"""Arrays of any origin -> inputs: float32 or uint8, tables (N, D) or images (N, C, H, W)."""

from typing import Any, Final

import numpy as np

from lossrun.errors import DataError

CHANNELS: Final = (1, 3)


def as_array(value: Any, where: str) -> np.ndarray:
    """A number array from lists, arrays or tensors. Raises DataError, naming `where`, for ragged or other values."""
    try:
        # A tensor that needs gradients, or lies on another device, is no array yet. Torch is not imported for it.
        detach = getattr(value, "detach", None)
        array = np.asarray(detach().cpu().numpy() if callable(detach) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{where}: cannot be made an array: {error}; expected equally long rows of numbers") from error
    return array


def as_inputs(array: np.ndarray, where: str) -> np.ndarray:
    """Inputs (N, D) or (N, C, H, W): uint8 stays as it is, other numbers become float32.

    (N,) becomes one column; (N, H, W) one channel; (N, H, W, C) is turned to (N, C, H, W) where only one of the two
    readings gives 1 or 3 channels. Raises DataError where there is no such reading, or both.
    """
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: holds {array.dtype} values; expected numbers")
    if array.ndim in (1, 3):
        array = array[:, np.newaxis]
    elif array.ndim == 4:
        array = _channels_first(array, where)
    elif array.ndim != 2:
        raise DataError(f"{where}: has the shape {array.shape}; expected (N,), (N, D) or images (N, C, H, W)")
    if 0 in array.shape[1:]:
        raise DataError(f"{where}: has the shape {array.shape}, so there is nothing to learn from")
    return array if array.dtype == np.uint8 else as_float32(array)


def as_float32(array: np.ndarray) -> np.ndarray:
    """Numbers beyond float32 become infinite, which the check for finite values then reports with their place."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _channels_first(array: np.ndarray, where: str) -> np.ndarray:
    first, last = array.shape[1] in CHANNELS, array.shape[3] in CHANNELS
    if first == last:
        problem = "both the second and the last axis could be" if first else "neither the second nor the last axis is"
        raise DataError(
            f"{where}: has the shape {array.shape}: {problem} 1 or 3 channels; "
            "expected (N, channels, height, width) or (N, height, width, channels)"
        )
    return array if first else np.moveaxis(array, 3, 1)
