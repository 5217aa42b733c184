"""Fit scalings on the training part."""

from typing import Final

import numpy as np

from lossrun.data.samples.dataset import Scaling
from lossrun.digits import reach

# Images counted at a time, so that counting with 8-byte integers takes at most some tens of MB.
BLOCK: Final = 4096
# From this number of standard deviations on, the last digits of a mean matter.
FAR_FROM_ZERO: Final = 1e6
# Below this standard deviation, squares lose digits or are 0.
TINY: Final = 1e-150
# Numbers to consider when looking for lost differences, and the share that may be lost.
LOOKED_AT: Final = 4096
NUMBERS_LOOKED_AT: Final = 1 << 22
LOST: Final = 0.1
# From this number of column widths on, an offset costs digits.
OFFSET: Final = 8.0
# Columns in a note.
SHOWN: Final = 5


def fit(array: np.ndarray) -> Scaling:
    """Return the scaling to mean 0 and standard deviation 1, per column of (N, D) or over all pixels of (N, C, H, W).

    The standard deviation of a constant column is set to 1.
    """
    if array.ndim == 4:
        mean, std = _byte_moments(array) if array.dtype == np.uint8 else _moments(array.reshape(-1, 1))
        return Scaling(mean.reshape(()), std.reshape(()))
    return Scaling(*_moments(array))


def constant_notes(table: np.ndarray, columns: tuple[str, ...], *, standardized: bool) -> tuple[str, ...]:
    """Return a note about constant columns of training inputs, (N, D); `columns` are their names, if any."""
    constant = np.flatnonzero(table.max(axis=0) == table.min(axis=0))
    if len(constant) == table.shape[1]:
        return ("every input is constant in the training part, so nothing distinguishes the samples",)
    if not len(constant) or not standardized:
        return ()
    names = ", ".join(str(columns[place] if columns else place) for place in constant[:SHOWN])
    more = ", ..." if len(constant) > SHOWN else ""
    what = f"input column {names} is" if len(constant) == 1 else f"input columns {names}{more} are"
    return (f"{what} constant in the training part: standardize moves it to 0 and cannot scale it",)


def coarse_columns(array: np.ndarray, scaling: Scaling) -> np.ndarray:
    """Return which columns, (N, D), have fewer different numbers after scaling and rounding to float32 than before.

    Images, (N, C, H, W), count as one column. Only some thousand rows are considered.
    """
    most = max(2, min(LOOKED_AT, NUMBERS_LOOKED_AT // max(1, array[:1].size)))
    rows = array[:: max(1, len(array) // most)]
    rounded = scaling.apply(rows)
    if array.ndim != 2:
        rows, rounded = rows.reshape(-1, 1), rounded.reshape(-1, 1)
    before, after = _different(rows), _different(rounded)
    return np.flatnonzero(after < (1 - LOST) * before)


def coarse_notes(
    array: np.ndarray, scaling: Scaling, columns: tuple[str, ...], *, what: str, standardized: bool
) -> tuple[str, ...]:
    """Return notes about columns of `what`, inputs or targets, whose numbers become equal in float32."""
    if array.dtype == np.uint8 or (array.dtype == np.float32 and not standardized):
        return ()
    coarse = coarse_columns(array, scaling)
    if not len(coarse):
        return ()
    table = array if array.ndim == 2 else array.reshape(-1, 1)
    fix = f"standardize: {{{what}: true}}"
    if standardized:
        fix = "take the logarithm, leave out values far from the others, or train with precision: float64"
    found = []
    for place in coarse[:SHOWN]:
        low, high = table[:, place].min(), table[:, place].max()
        name = f"{what[:-1]} column {columns[place] if columns else place}" if array.ndim == 2 else what
        found.append(
            f"{name}, from {reach(low, high, 12)}, loses differences: many of its numbers become equal in float32; "
            f"{fix}"
        )
    return tuple(found)


def lost_notes(array: np.ndarray, bits: int | None, *, what: str) -> tuple[str, ...]:
    """Return notes about columns that came with too few significant bits for numbers far from 0.

    Their steps may have made different numbers equal before they were read.

    Args:
        array: Inputs or targets, (N, ...). More than two dimensions count as one column.
        bits: The significant bits of the type; None for double precision or whole numbers.
        what: "inputs" or "targets".
    """
    if bits is None or not len(array):
        return ()
    table = array.reshape(len(array), -1) if array.ndim <= 2 else array.reshape(-1, 1)
    most = max(2, min(LOOKED_AT, NUMBERS_LOOKED_AT // table.shape[1]))
    # Consecutive rows, which are often similar, and rows from all over the array.
    spread = table[:: max(1, len(table) // most)].astype(np.float64)
    found: list[str] = []
    for place in np.flatnonzero(_in_steps(table[:most].astype(np.float64), bits) | _in_steps(spread, bits)):
        low, high = float(table[:, place].min()), float(table[:, place].max())
        name = f"{what[:-1]} column {place}" if table.shape[1] > 1 else what
        apart = f"are {_step(np.array([low, high]), bits):g} apart there"
        found.append(
            f"{name}, from {reach(low, high, 12)}: came with {bits} significant bits, which {apart}, so smaller "
            "differences are already lost; store them as float64, or subtract a common offset first"
        )
    return tuple(found[:SHOWN])


def _in_steps(table: np.ndarray, bits: int) -> np.ndarray:
    """Return which columns, (N, D), hold neighbouring numbers of the type that are repeated, bool, (D,)."""
    low, high = table.min(axis=0), table.max(axis=0)
    reach, step = np.maximum(np.abs(low), np.abs(high)), _step(np.stack([low, high]), bits)
    far = (reach >= OFFSET * (high - low)) & (reach > 0) & (len(table) > 1)
    # Whole numbers below this bound are exact, so steps of 1 say nothing.
    far &= (reach >= 2.0**bits) | ~(table == np.floor(table)).all(axis=0)
    suspicious = far & ((high - low) < len(table) * step)
    for place in np.flatnonzero(suspicious):
        different = np.unique(table[:, place])
        is_constant = len(different) == 1 and reach[place] >= 2.0**bits
        gap = np.diff(different).min(initial=np.inf)
        suspicious[place] = is_constant or (gap <= step[place] and len(different) < (1 - LOST) * len(table))
    return np.asarray(suspicious, bool)


def _step(bounds: np.ndarray, bits: int) -> np.ndarray:
    """Return the step between numbers with this many significant bits, at the larger of the two bounds."""
    reach = np.abs(bounds).max(axis=0)
    exponent = np.frexp(np.where(reach > 0, reach, 1.0))[1]
    return np.asarray(np.ldexp(1.0, exponent - bits))


def _different(table: np.ndarray) -> np.ndarray:
    """Return how many different numbers each column holds."""
    ordered = np.sort(table, axis=0)
    different: np.ndarray = 1 + (ordered[1:] != ordered[:-1]).sum(axis=0)
    return different


def _moments(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = table.mean(axis=0, dtype=np.float64)
    std = table.std(axis=0, dtype=np.float64)
    # Rounding can give a constant column a tiny standard deviation, so constant columns are detected separately.
    widths = np.subtract(table.max(axis=0), table.min(axis=0), dtype=np.float64)
    constant = widths == 0
    far = (np.abs(mean) > FAR_FROM_ZERO * std) & ~constant
    if far.any():
        # The sum of large numbers is rounded; a second pass corrects the mean.
        mean = np.where(far, mean + (table - mean).mean(axis=0, dtype=np.float64), mean)
        std = np.where(far, np.sqrt(np.square(table - mean).mean(axis=0, dtype=np.float64)), std)
    tiny = (std < TINY) & ~constant
    if tiny.any():
        scale = np.where(tiny, widths, 1.0)
        std = np.where(tiny, scale * ((table - mean) / scale).std(axis=0, dtype=np.float64), std)
    return mean, np.where(constant, 1.0, std)


def _byte_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return exact moments of bytes, from a histogram of the 256 values."""
    histogram = np.zeros(256, np.int64)
    for start in range(0, len(images), BLOCK):
        histogram += np.bincount(images[start : start + BLOCK].ravel(), minlength=256)
    values = np.arange(256)
    mean = np.average(values, weights=histogram)
    std = np.sqrt(np.average((values - mean) ** 2, weights=histogram))
    return np.array(mean), np.array(std or 1.0)
