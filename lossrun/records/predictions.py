"""Write and read predictions.npz: the predictions of each seed's best weights for held-out samples.

For test data it also holds the share of each sample in each metric, from which `compare` estimates how a difference
varies over test items.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from lossrun.array_sizes import check_sizes
from lossrun.errors import RunError
from lossrun.files import read_regular
from lossrun.records.files import digests, durable
from lossrun.shell import run_command

LIMIT_BYTES: Final = 64 * 1024 * 1024

_LARGEST: Final = 2 * LIMIT_BYTES  # the file, and what is in it
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
            outputs = {int(key.removeprefix(_OUTPUTS)): archive[key] for key in archive if key.startswith(_OUTPUTS)}
            part, total = str(archive["part"]), int(archive["total"])
            shares = {
                key.removeprefix(_SHARES): dict(zip(outputs, archive[key].T, strict=True))
                for key in archive
                if key.startswith(_SHARES)
            }
            weights = archive.get("weights")
            return RecordedPredictions(archive["ids"], archive["targets"], outputs, part, total, weights, shares)
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(
            f"cannot read {path}: {error}; restore it from a copy, or score the run again: "
            f"`{run_command('evaluate', path.parent)}`"
        ) from error


def _check_sizes(data: bytes) -> None:
    """Check how large the arrays say they are, before anything is inflated or allocated.

    Raises:
        ValueError: If they are larger than what `save` writes, or than their own data.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _LARGEST:
            raise ValueError(f"its arrays have more than {_LARGEST} bytes")
        check_sizes(archive, archive.namelist())
