"""Write and read predictions.npz: the predictions of each seed's best weights for held-out samples.

For test data it also holds the share of each sample in each metric, from which `compare` estimates how a difference
varies over test items.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from lossrun.errors import RunError
from lossrun.files import read_regular
from lossrun.npz import UNREADABLE, array_of, check_sizes
from lossrun.records.files import digests, durable
from lossrun.records.files.shapes import numeral
from lossrun.shell import run_command

LIMIT_BYTES: Final = 64 * 1024 * 1024

_LARGEST: Final = 2 * LIMIT_BYTES  # the file, and what is in it
PARTS: Final = ("validation", "test")
_OUTPUTS: Final = "outputs_seed"
_SHARES: Final = "shares_"
_EACH: Final = 8  # bytes of a number, at most
_OTHERS: Final = 2  # numbers of a sample besides targets and outputs: its id and its weight


@dataclass(frozen=True, slots=True)
class RecordedPredictions:
    """Predictions for held-out samples.

    Attributes:
        ids: The rows of the samples in the data source, (N,).
        targets: The targets, (N, ...).
        outputs: {seed: outputs (N, ...)}.
        part: "validation" or "test".
        total: The samples of the part; the first N of these were kept.
        weights: How much each sample counts in the metrics, (N,), 0 for an ignored class; None if all count the same.
        shares: {metric: {seed: the share of each sample in it, (N,), with a mean of 0}}; only what was kept.
    """

    ids: np.ndarray
    targets: np.ndarray
    outputs: dict[int, np.ndarray]
    part: str
    total: int
    weights: np.ndarray | None = None
    shares: Mapping[str, Mapping[int, np.ndarray]] = field(default_factory=dict)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays by the names that they have in the file."""
        outputs = {f"{_OUTPUTS}{seed}": array for seed, array in self.outputs.items()}
        shares = {f"{_SHARES}{metric}": np.stack([*each.values()], axis=1) for metric, each in self.shares.items()}
        weights = {} if self.weights is None else {"weights": self.weights}
        return {"ids": self.ids, "targets": self.targets, **outputs, **weights, **shares}


def most_shares(samples: int, seeds: int, outputs: int) -> int:
    """Return how many metrics' shares fit into the file, in addition to `outputs` numbers for each sample and seed."""
    spare = LIMIT_BYTES - _EACH * samples * (seeds * outputs + _OTHERS + outputs)
    return max(0, spare // (4 * samples * seeds)) if samples and seeds else 0


def content(
    *,
    ids: np.ndarray,
    targets: np.ndarray,
    outputs: Mapping[int, np.ndarray],
    part: str,
    weights: np.ndarray | None = None,
    shares: Mapping[str, Mapping[int, np.ndarray]] = MappingProxyType({}),
    limit_bytes: int = LIMIT_BYTES,
) -> tuple[bytes, str]:
    """Return the content of the file, and its digest, which `read` checks.

    If the predictions need more than `limit_bytes`, only the first samples are kept; the file records how many there
    were.

    Args:
        shares: {metric: {seed: (N,)}}; each metric has the same seeds as `outputs`.

    Raises:
        ValueError: If the lengths differ.
    """
    total = len(ids)
    arrays = {f"{_OUTPUTS}{seed}": array for seed, array in outputs.items()} | {"ids": ids, "targets": targets}
    if weights is not None:
        arrays["weights"] = weights
    for metric, of_seeds in shares.items():
        arrays[f"{_SHARES}{metric}"] = np.stack([of_seeds[seed] for seed in outputs], axis=1)
    if any(len(array) != total for array in arrays.values()):
        raise ValueError("ids, targets, weights and outputs must have the same length")
    row_bytes = sum(array.nbytes // total for array in arrays.values()) if total else 0
    rows = min(total, limit_bytes // row_bytes) if row_bytes else total
    buffer = io.BytesIO()
    arrays = {name: array[:rows] for name, array in arrays.items()}
    # numpy's stub takes every keyword for its own `allow_pickle`
    np.savez(buffer, part=np.array(part), total=np.array(total), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue(), digests.of_bytes(buffer.getvalue())


def save(path: Path, **arrays: Any) -> str:
    """Write in one step what `content` returns for these arguments, and return the file's digest.

    Raises:
        ValueError: If the lengths differ.
        RunError: If writing fails.
    """
    data, digest = content(**arrays)
    durable.replace(path, data)
    return digest


def read(path: Path, digest: str | None = None) -> RecordedPredictions:
    """Read what `save` wrote.

    Args:
        digest: The digest that the run recorded; None for a run of an older version, which recorded none.

    Raises:
        RunError: If the file is missing or damaged, or has another digest.
    """
    try:
        data = read_regular(path, _LARGEST)
        if digest is not None:
            digests.checked(str(path), data, digest)
        _check_sizes(data)
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            seeds = [key.removeprefix(_OUTPUTS) for key in archive if key.startswith(_OUTPUTS)]
            if problem := next(filter(None, (numeral(seed, _OUTPUTS) for seed in seeds)), ""):
                raise ValueError(problem)
            arrays = {key: array_of(archive, key) for key in archive}
            outputs = {int(seed): arrays[f"{_OUTPUTS}{seed}"] for seed in seeds}
            part, total = str(arrays["part"]), int(arrays["total"])
            shares = {
                key.removeprefix(_SHARES): dict(zip(outputs, array.T, strict=True))
                for key, array in arrays.items()
                if key.startswith(_SHARES)
            }
            weights = arrays.get("weights")
            found = RecordedPredictions(arrays["ids"], arrays["targets"], outputs, part, total, weights, shares)
        _check(found)
        return found
    except (*UNREADABLE, KeyError) as error:
        raise RunError(
            f"cannot read {path}: {error}; restore it from a copy, or score the run again: "
            f"`{run_command('evaluate', path.parent)}`"
        ) from error


def _check(found: RecordedPredictions) -> None:
    """Check the types and shapes of all arrays: a digest reveals damage, but not who wrote a file.

    Raises:
        ValueError: If one does not fit.
    """
    count = len(found.ids)
    arrays = {
        "ids": (found.ids, "iu", 1),
        "targets": (found.targets, "fiu", None),
        **{f"{_OUTPUTS}{seed}": (array, "f", None) for seed, array in found.outputs.items()},
        **{f"{_SHARES}{metric}": (array, "f", 1) for metric, each in found.shares.items() for array in each.values()},
    }
    if found.weights is not None:
        arrays["weights"] = (found.weights, "f", 1)
    for name, (array, kinds, axes) in arrays.items():
        if array.dtype.kind not in kinds or array.ndim != (axes or max(1, array.ndim)) or len(array) != count:
            raise ValueError(f"{name} is {array.dtype} {list(array.shape)}; expected numbers for {count} samples")
    shapes = {array.shape for array in found.outputs.values()}
    if len(shapes) > 1 or any(0 in shape[1:] for shape in shapes):
        raise ValueError(f"the outputs have the shapes {', '.join(map(str, sorted(shapes)))}; expected one shape")
    if count and (found.ids.min() < 0 or found.ids.max() >= 2**63):
        raise ValueError("ids has numbers that are not rows")
    if found.part not in PARTS or not count <= found.total < 2**63:
        raise ValueError(f"part is {found.part!r} and total is {found.total}; expected {' or '.join(PARTS)}")


def _check_sizes(data: bytes) -> None:
    """Check how large the arrays say they are, before anything is inflated or allocated.

    Raises:
        ValueError: If they are larger than what `save` writes, or than their own data.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _LARGEST:
            raise ValueError(f"its arrays have more than {_LARGEST} bytes")
        check_sizes(archive, archive.namelist())
