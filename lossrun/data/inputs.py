"""Arrays of any origin -> inputs: float32 or uint8, tables (N, D) or images (N, C, H, W)."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np

from lossrun.errors import DataError

CHANNELS: Final = (1, 3)
# What a message calls the cell at an index (row, ...) of an array.
Cell: TypeAlias = Callable[[tuple[int, ...]], str]


def indexed(where: str) -> Cell:
    """`where[2, 0]`, as numpy writes it."""
    return lambda index: f"{where}[{', '.join(map(str, index))}]"


def as_array(value: Any, where: str) -> np.ndarray:
    """An array of numbers or words from lists, arrays or tensors.

    Raises DataError, naming `where`, for ragged or masked ones, and for other values.
    """
    try:
        # A tensor that needs gradients, or lies on another device, is no array yet. Torch is not imported for it.
        detach = getattr(value, "detach", None)
        array = np.asarray(detach().cpu().numpy() if callable(detach) else value)
    except (TypeError, ValueError, RuntimeError) as error:
        _check_rows(value, where)
        raise DataError(f"{where}: cannot be made an array: {error}; expected equally long rows of numbers") from error
    if np.ma.is_masked(value):
        index = tuple(np.argwhere(np.ma.getmaskarray(value))[0].tolist())
        raise DataError(f"{indexed(where)(index)}: masked out, which is no number; leave such rows out or fill them")
    return _plain(array, where) if array.dtype == object and array.ndim else array


def _plain(array: np.ndarray, where: str) -> np.ndarray:
    """Numbers or words that came as Python objects, as tables of pandas hold them. Raises DataError for any others."""
    wanted = (str,) if array.size and isinstance(array.flat[0], str) else (int, float, np.number)
    for place, value in enumerate(array.flat):
        if not isinstance(value, wanted):
            index = tuple(int(i) for i in np.unravel_index(place, array.shape))
            kind = "word" if str in wanted else "number"
            raise DataError(f"{indexed(where)(index)}: {value!r} is no {kind}; expected numbers alone, or words alone")
    plain: np.ndarray = array.astype(str if str in wanted else np.float64)
    return plain


def as_inputs(array: np.ndarray, where: str, cell: Cell | None = None) -> np.ndarray:
    """Inputs (N, D) or (N, C, H, W): uint8 stays as it is, other numbers become float32.

    (N,) becomes one column; (N, H, W) one channel; (N, H, W, C) is turned to (N, C, H, W) where only one of the two
    readings gives 1 or 3 channels. Raises DataError where there is no such reading, or both, and for the first number
    that is not finite, as `cell` calls it.
    """
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}: holds {array.dtype} values; expected numbers")
    array = array if array.dtype == np.uint8 else finite_float32(array, cell or indexed(where))
    if array.ndim in (1, 3):
        array = array[:, np.newaxis]
    elif array.ndim == 4:
        array = _channels_first(array, where)
    elif array.ndim != 2:
        raise DataError(f"{where}: has the shape {array.shape}; expected (N,), (N, D) or images (N, C, H, W)")
    if 0 in array.shape[1:]:
        raise DataError(f"{where}: has the shape {array.shape}, so there is nothing to learn from")
    return array


def finite_float32(array: np.ndarray, cell: Cell) -> np.ndarray:
    """The numbers as float32. Raises DataError for the first that is not finite, or beyond float32."""
    converted = as_float32(array)
    finite = np.isfinite(converted)
    if not finite.all():
        index = tuple(np.argwhere(~finite)[0].tolist())
        raise DataError(f"{cell(index)}: {array[index]:g}; expected a finite number of at most 3.4e38")
    return converted


def as_float32(array: np.ndarray) -> np.ndarray:
    """Numbers beyond float32 become infinite, which the check for finite values then reports with their place."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _check_rows(value: Any, where: str) -> None:
    """Raises DataError for the first row that is not as long as the one before."""
    if not isinstance(value, (list, tuple)):
        return
    lengths = [len(row) if isinstance(row, (list, tuple)) else None for row in value]
    for row, length in enumerate(lengths):
        if length != lengths[0]:
            found = ["a number" if n is None else f"{n} number{'s' * (n != 1)}" for n in (length, lengths[0])]
            raise DataError(
                f"{where}[{row}]: {found[0]}, but the first row is {found[1]}; expected equally long rows of numbers"
            )


def _channels_first(array: np.ndarray, where: str) -> np.ndarray:
    first, last = array.shape[1] in CHANNELS, array.shape[3] in CHANNELS
    if first == last:
        problem = "both the second and the last axis could be" if first else "neither the second nor the last axis is"
        raise DataError(
            f"{where}: has the shape {array.shape}: {problem} 1 or 3 channels; "
            "expected (N, channels, height, width) or (N, height, width, channels)"
        )
    return array if first else np.moveaxis(array, 3, 1)
