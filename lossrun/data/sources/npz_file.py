"""Read the arrays of an npz file. Nothing is ever unpickled."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.lib.npyio import NpzFile

from lossrun.errors import DataError
from lossrun.files import open_regular
from lossrun.nearby import about, joined
from lossrun.npz import UNREADABLE, array_of, check_sizes


@contextmanager
def opened(path: Path, key: str = "path") -> Iterator[NpzFile]:
    """Open the archive that a key of the dataset names.

    Raises:
        DataError: If it cannot be read, or is not an archive.
    """
    try:
        # Opened here, because np.load leaves the file open if it gets the path of a damaged archive.
        stream = open_regular(path)
    except OSError as error:
        raise DataError(
            joined(
                f"dataset.{key}: {path} cannot be read: {error.strerror}{about(path, error, ('.npz',), 'npz file')}",
                "the path is relative to the config",
            )
        ) from error
    with stream:
        try:
            archive = np.load(stream, allow_pickle=False)
        except UNREADABLE as error:
            raise DataError(f"{path}: not a numpy archive, or damaged; expected what numpy.savez writes") from error
        if not isinstance(archive, NpzFile):
            raise DataError(f"{path}: a single array (.npy); expected an archive, as numpy.savez writes it")
        with archive:
            yield archive


def read_arrays(path: Path, archive: NpzFile, names: Collection[str]) -> dict[str, np.ndarray]:
    """Return the arrays with these names. None is read before the sizes of all have been checked.

    Raises:
        DataError: If one is not an array, holds Python objects, or is damaged.
    """
    for name in names:
        with _named(path, name):
            check_sizes(zip_of(archive), [member_of(archive, name)])
    arrays = {}
    for name in names:
        with _named(path, name):
            arrays[name] = array_of(archive, name)
    return arrays


def member_of(archive: NpzFile, name: str) -> str:
    """Return the name of the file in an archive that holds an array."""
    return name if name in zip_of(archive).namelist() else f"{name}.npy"


def zip_of(archive: NpzFile) -> ZipFile:
    """Return the file below an archive that is open."""
    assert archive.zip is not None
    return archive.zip


@contextmanager
def _named(path: Path, name: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise DataError(
            f"{path}: {name} is not an array, holds Python objects or is damaged; expected numbers or words. "
            "Save it again, or leave it out by naming the arrays to read: inputs: [...]"
        ) from error
