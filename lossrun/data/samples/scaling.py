"""Scalings fitted on the training part."""

from typing import Final

import numpy as np

from lossrun.data.samples.dataset import Scaling

# Images counted at a time: bounds the memory that 8-byte counting takes to some tens of MB.
BLOCK: Final = 4096
# Of a mean, in standard deviations: from here on its last digits matter.
FAR_FROM_ZERO: Final = 1e6
# What is looked at to see whether numbers keep their differences, and how much of them may be lost.
LOOKED_AT: Final = 4096
NUMBERS_LOOKED_AT: Final = 1 << 22
LOST: Final = 0.1
# The greatest number, in widths of its column, from which on an offset costs digits.
OFFSET: Final = 8.0
# Of columns in a note.
SHOWN: Final = 5


def fit(array: np.ndarray) -> Scaling:
    """To mean 0 and standard deviation 1: per column of (N, D), over all pixels of (N, C, H, W).

    What is constant gets std 1.
    """
    if array.ndim == 4:
        mean, std = _byte_moments(array) if array.dtype == np.uint8 else _moments(array.reshape(-1, 1))
        return Scaling(mean.reshape(()), std.reshape(()))
    return Scaling(*_moments(array))


def constant_notes(table: np.ndarray, columns: tuple[str, ...], *, standardized: bool) -> tuple[str, ...]:
    """What to know of columns of training inputs (N, D) that hold one number only. `columns`: their names, if any."""
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
    """Which columns of (N, D) come out of the scaling, rounded to float32, with fewer different numbers than they had
    before; images (N, C, H, W) count as one column. Judged by some thousand rows."""
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
    """What to know of columns of `what`, inputs or targets, whose numbers become equal in float32."""
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
            f"{name}, from {low:.12g} to {high:.12g}, loses differences: many of its numbers become equal in float32; "
            f"{fix}"
        )
    return tuple(found)


def lost_notes(array: np.ndarray, bits: int | None, *, what: str, columns: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What to know of columns of `what`, `inputs` or `targets` (N, ...), that came in a type of so many significant
    `bits`, and far from 0 for their width: in steps that may have swallowed differences before anybody looked.

    None: in double precision, or whole. An array of more dimensions than (N, D) counts as one column.
    """
    if bits is None or not len(array):
        return ()
    table = array.reshape(len(array), -1) if array.ndim <= 2 else array.reshape(-1, 1)
    most = max(2, min(LOOKED_AT, NUMBERS_LOOKED_AT // table.shape[1]))
    # In their order, where neighbours are alike, and from all over, where they are not.
    spread = table[:: max(1, len(table) // most)].astype(np.float64)
    found: list[str] = []
    for place in np.flatnonzero(_in_steps(table[:most].astype(np.float64), bits) | _in_steps(spread, bits)):
        low, high = float(table[:, place].min()), float(table[:, place].max())
        name = f"{what[:-1]} column {columns[place] if columns else place}" if table.shape[1] > 1 else what
        apart = f"are {_step(np.array([low, high]), bits):g} apart there"
        found.append(
            f"{name}, from {low:.12g} to {high:.12g}: came with {bits} significant bits, which {apart}, so smaller "
            "differences are already lost; store them as float64, or subtract a common offset first"
        )
    return tuple(found[:SHOWN])


def _in_steps(table: np.ndarray, bits: int) -> np.ndarray:
    """bool (D,): the columns (N, D) whose numbers lie on the next possible ones and come up again and again."""
    low, high = table.min(axis=0), table.max(axis=0)
    reach, step = np.maximum(np.abs(low), np.abs(high)), _step(np.stack([low, high]), bits)
    far = (reach >= OFFSET * (high - low)) & (reach > 0) & (len(table) > 1)
    # Whole numbers up to here are exact, and steps of 1 are their own.
    far &= (reach >= 2.0**bits) | ~(table == np.floor(table)).all(axis=0)
    suspicious = far & ((high - low) < len(table) * step)
    for place in np.flatnonzero(suspicious):
        different = np.unique(table[:, place])
        is_constant = len(different) == 1 and reach[place] >= 2.0**bits
        gap = np.diff(different).min(initial=np.inf)
        suspicious[place] = is_constant or (gap <= step[place] and len(different) < (1 - LOST) * len(table))
    return np.asarray(suspicious, bool)


def _step(bounds: np.ndarray, bits: int) -> np.ndarray:
    """From one number of so many significant bits to the next, at the greater of the two bounds."""
    reach = np.abs(bounds).max(axis=0)
    exponent = np.frexp(np.where(reach > 0, reach, 1.0))[1]
    return np.asarray(np.ldexp(1.0, exponent - bits))


def _different(table: np.ndarray) -> np.ndarray:
    """How many different numbers each column holds."""
    ordered = np.sort(table, axis=0)
    different: np.ndarray = 1 + (ordered[1:] != ordered[:-1]).sum(axis=0)
    return different


def _moments(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = table.mean(axis=0, dtype=np.float64)
    std = table.std(axis=0, dtype=np.float64)
    # Rounding can give a constant column a tiny deviation, so constancy is looked at itself.
    constant = table.max(axis=0) == table.min(axis=0)
    far = (np.abs(mean) > FAR_FROM_ZERO * std) & ~constant
    if far.any():
        # The sum of large numbers is rounded; what the mean is off by shows in a second pass.
        mean = np.where(far, mean + (table - mean).mean(axis=0, dtype=np.float64), mean)
        std = np.where(far, np.sqrt(np.square(table - mean).mean(axis=0, dtype=np.float64)), std)
    return mean, np.where(constant, 1.0, std)


def _byte_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact, from a histogram of the 256 values."""
    histogram = np.zeros(256, np.int64)
    for start in range(0, len(images), BLOCK):
        histogram += np.bincount(images[start : start + BLOCK].ravel(), minlength=256)
    values = np.arange(256)
    mean = np.average(values, weights=histogram)
    std = np.sqrt(np.average((values - mean) ** 2, weights=histogram))
    return np.array(mean), np.array(std or 1.0)
