"""Turn arrays of any origin into exact numbers, and into inputs: tables (N, D) or images (N, C, H, W).

Numbers are rounded to the precision of the model only after they have been standardized, because 1700000000 and
1700000010 are the same number in float32.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import numpy as np

from lossrun.data.tables.cells import PLAIN, shown
from lossrun.data.tables.disguises import disguised
from lossrun.errors import DataError

# Numbers beyond float32 cannot be trained on.
GREATEST: Final = float(np.finfo(np.float32).max)
_EXPECTED: Final = "expected a finite number of at most 3.4e38"
SAME_IN_DOUBLE: Final = "are the same number to 53 bits, the precision of float64"
_NUMBERS: Final = "biuf"
EXACT_IN_DOUBLE: Final = 2**53
# The share of different fractions that may become equal in float64: the last digits are rarely more than rounding.
_LOST: Final = 0.1
_SIGNIFICANT: Final = {"float32": 24, "float16": 11, "half": 11, "bfloat16": 8}
_BLOCK: Final = 1 << 20  # numbers processed at a time
CHANNELS: Final = (1, 3)
# Returns what messages call the cell at an index (row, ...) of an array.
Cell: TypeAlias = Callable[[tuple[int, ...]], str]


def indexed(where: str) -> Cell:
    """Return `where[2, 0]`, as numpy writes it."""
    return lambda index: f"{where}[{', '.join(map(str, index))}]"


def significant_bits(value: Any) -> int | None:
    """Return the significant bits of an array or tensor in single precision or less; None for all others."""
    dtype = getattr(value, "dtype", None)
    return _SIGNIFICANT.get(str(getattr(dtype, "name", dtype)).removeprefix("torch."))


def as_array(value: Any, where: str, cell: Cell | None = None) -> np.ndarray:
    """Return an array of numbers or words from lists, arrays or tensors.

    Raises:
        DataError: For ragged or masked arrays, and for other values, by their `cell`.
    """
    called = cell or indexed(where)
    try:
        # A tensor that needs gradients or is on another device must be converted, without importing torch.
        detach = getattr(value, "detach", None)
        if callable(detach):
            tensor = detach().cpu()
            # numpy has no bfloat16, but float32 holds all its numbers.
            value = (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        _check_rows(value, where)
        raise DataError(
            f"{where}: cannot be converted to an array: {error}; expected equally long rows of numbers"
        ) from error
    if array.dtype == object and not array.ndim:
        raise DataError(f"{where}: {type(value).__name__}; expected rows of numbers: an array, a tensor or a list")
    if np.ma.is_masked(value):
        index = tuple(np.argwhere(np.ma.getmaskarray(value))[0].tolist())
        raise DataError(f"{called(index)}: this value is masked; leave such rows out, or fill them")
    if array.dtype == np.float64 and not hasattr(value, "dtype") and (np.abs(array) >= EXACT_IN_DOUBLE).any():
        # Of whole numbers and fractions in a list or in a table of pandas, numpy and pandas round the whole numbers.
        array = np.asarray(value.astype(object) if hasattr(value, "astype") else value, object)
    return _plain(array, called) if array.dtype == object else array


def _plain(array: np.ndarray, cell: Cell) -> np.ndarray:
    """Convert Python objects, as in tables of pandas, to numbers or words. Raises DataError for other objects."""
    wanted = (str,) if array.size and isinstance(array.flat[0], str) else (int, float, np.integer, np.floating)
    for place, value in enumerate(array.flat):
        if not isinstance(value, wanted):
            index = tuple(int(i) for i in np.unravel_index(place, array.shape))
            kind = "word" if str in wanted else "number"
            raise DataError(f"{cell(index)}: {value!r} is not a {kind}; expected only numbers, or only words")
    if str in wanted:
        return array.astype(str)
    if all(isinstance(value, int | np.integer) for value in array.flat):
        for whole in (np.int64, np.uint64):
            try:
                return array.astype(whole)
            except OverflowError:
                continue
    too_large = [place for place, value in enumerate(array.flat) if not -GREATEST <= value <= GREATEST]
    if too_large and not isinstance(value := array.flat[too_large[0]], float | np.floating):
        index = tuple(int(i) for i in np.unravel_index(too_large[0], array.shape))
        raise DataError(f"{cell(index)}: {shown(str(value))}; {_EXPECTED}")
    numbers: np.ndarray = array.astype(np.float64)
    _check_differences(array, numbers, cell)
    return numbers


def as_inputs(array: np.ndarray, where: str, cell: Cell | None = None) -> np.ndarray:
    """Return inputs, (N, D) or (N, C, H, W): uint8 is kept, other numbers are converted by `as_numbers`.

    (N,) becomes one column, and (N, H, W) one channel. (N, H, W, C) becomes (N, C, H, W) if only one of the two
    readings has 1 or 3 channels.

    Raises:
        DataError: If no reading fits, or both do, and for the first number that is not finite, by its `cell`.
    """
    called = cell or indexed(where)
    if array.dtype.kind not in _NUMBERS:
        raise DataError(_no_numbers(array, where, called))
    array = array if array.dtype == np.uint8 else as_numbers(array, called)
    if array.ndim in (1, 3):
        array = array[:, np.newaxis]
    elif array.ndim == 4:
        array = _channels_first(array, where)
    elif array.ndim != 2:
        raise DataError(f"{where}: has the shape {array.shape}; expected (N,), (N, D) or images (N, C, H, W)")
    if 0 in array.shape[1:]:
        raise DataError(f"{where}: has the shape {array.shape}, so it holds no values")
    return array


def as_numbers(array: np.ndarray, cell: Cell) -> np.ndarray:
    """Return float32 if it holds every number exactly, otherwise float64.

    Raises:
        DataError: For the first number that is not finite or beyond float32, and for different numbers that become
            equal in float64.
    """
    if array.dtype.kind in "biu" and (array.dtype.itemsize < 4 or not array.size):
        return array.astype(np.float32)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 4:
        numbers = array.astype(np.float32, copy=False)
    else:
        numbers = array.astype(np.float64, copy=False)
        if array.dtype.itemsize > 8 or (array.dtype.kind in "iu" and (np.abs(numbers) >= EXACT_IN_DOUBLE).any()):
            _check_differences(array, numbers, cell)
    _check_finite(numbers, cell)
    return narrowed(numbers)


def narrowed(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers in float32 if it holds each exactly, in half the memory; NaN is allowed."""
    if numbers.dtype != np.float64:
        return numbers
    exact = all(np.array_equal(as_float32(block), block, equal_nan=True) for _, block in blocks(numbers))
    return as_float32(numbers) if exact else numbers


def blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield rows of an array, some MB at a time, and their start; copying all at once would double the memory."""
    rows = max(1, _BLOCK // max(1, array[:1].size)) if array.ndim else 1
    for start in range(0, len(array) if array.ndim else 0, rows):
        yield start, array[start : start + rows]


def _check_finite(numbers: np.ndarray, cell: Cell) -> None:
    for start, block in blocks(numbers):
        with np.errstate(invalid="ignore"):
            finite = np.abs(block) <= GREATEST
        if not finite.all():
            row, *rest = np.argwhere(~finite)[0].tolist()
            raise DataError(f"{cell((start + row, *rest))}: {block[row, *rest]:g}; {_EXPECTED}")


def _check_differences(exact: np.ndarray, numbers: np.ndarray, cell: Cell) -> None:
    """Raise DataError if different numbers of a column, as they were given, are equal in float64."""
    table, rounded = (array.reshape(len(array), -1) for array in (exact, numbers))
    for column in range(table.shape[1]):
        if found := equal_in_double(table[:, column], rounded[:, column]):
            row, other = found
            index = tuple(int(i) for i in np.unravel_index(row * table.shape[1] + column, exact.shape))
            raise DataError(
                f"{cell(index)}: {table[row, column]!s} and {table[other, column]!s} (row {other}) {SAME_IN_DOUBLE}; "
                "subtract what the column has in common"
            )


def equal_in_double(exact: np.ndarray, numbers: np.ndarray) -> tuple[int, int] | None:
    """Return the places of two numbers that differ as given but are equal in float64; None if no difference is lost.

    Of numbers below 2**53, a tenth may become equal to another.

    Args:
        exact: The numbers as given, (N,): anything that can be ordered.
        numbers: The same as float64.
    """
    order = np.argsort(exact, kind="stable")
    different = exact[order[1:]] != exact[order[:-1]]
    same = np.flatnonzero(different & (numbers[order[1:]] == numbers[order[:-1]]))
    large = same[np.abs(numbers[order[same]]) >= EXACT_IN_DOUBLE]
    if not len(large) and len(same) <= _LOST * (1 + different.sum()):
        return None
    first = large[0] if len(large) else same[0]
    return int(order[first + 1]), int(order[first])


def _no_numbers(array: np.ndarray, where: str, cell: Cell) -> str:
    if array.dtype.kind == "U" and array.size and (found := disguised(array.ravel().tolist(), PLAIN)):
        index = tuple(int(i) for i in np.unravel_index(found.place, array.shape))
        return f"{cell(index)}: {found.cell!r}: {found.disguise.looks_like}, not numbers; {found.disguise.fix}"
    return f"{where}: holds {array.dtype} values; expected numbers"


def as_float32(array: np.ndarray) -> np.ndarray:
    """Convert to float32; larger numbers become infinite, and the check for finite values reports their place."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _check_rows(value: Any, where: str) -> None:
    """Raise DataError for the first row whose length differs from that of the first one."""
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
        problem = "both the second and the last axis have" if first else "neither the second nor the last axis has"
        raise DataError(
            f"{where}: has the shape {array.shape}: {problem} 1 or 3 channels; "
            "expected (N, channels, height, width) or (N, height, width, channels)"
        )
    return array if first else np.moveaxis(array, 3, 1)
