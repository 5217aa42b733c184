"""Download and read the official image sets. Declared in `catalog/image_datasets.py`.

Their files are in <data dir>/<name>/ under their official names, gzipped or not; missing files are downloaded to that
folder. A gzipped file is checked against its published digest at every start (SHA-256 of 10 MB takes 5 ms).
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from lossrun.catalog.declaration import DatasetDeclaration
from lossrun.catalog.image_datasets import IMAGE_DATASETS
from lossrun.data.samples.dataset import Part, Scaling, UnsplitData
from lossrun.data.sources.array_cache import cached
from lossrun.data.sources.download import download
from lossrun.data.sources.idx import read_idx
from lossrun.data.sources.places import array_cache_dir, has_no_home
from lossrun.errors import AbsentDataError, DataError
from lossrun.files import is_file, is_folder
from lossrun.nearby import nearby

TRAIN: Final = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
TEST: Final = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")
# The declared image datasets by name.
IMAGE_SETS: Final[dict[str, DatasetDeclaration]] = {one.name: one for one in IMAGE_DATASETS}


def _digest(image_set: DatasetDeclaration, file_name: str) -> str:
    return image_set.digests[(*TRAIN, *TEST).index(file_name)]


def read_images(name: str, data_dir: Path) -> UnsplitData:
    """Read an image set: uint8 images (N, 1, 28, 28), int64 labels (N,), and the official test part.

    Raises:
        DataError: If files are missing and cannot be downloaded, or are not the published ones.
    """
    image_set = IMAGE_SETS[name]
    files = dict(zip((*TRAIN, *TEST), fetch(name, data_dir), strict=True))
    return UnsplitData(
        task="multiclass",
        train=_read_part(image_set, TRAIN, files, image_set.count),
        test=_read_part(image_set, TEST, files, image_set.test_count),
        target_size=len(image_set.classes),
        classes=image_set.classes,
        input_scaling=Scaling.divide_by(image_set.largest_input),
    )


def fetch(name: str, data_dir: Path) -> list[Path]:
    """Return the four files of an image set, in the order of TRAIN and TEST; missing files are downloaded.

    Raises:
        DataError: If a file is not the published one, or cannot be downloaded.
    """
    image_set = IMAGE_SETS[name]
    folder = data_dir / name
    paths: list[Path] = []
    for file_name in (*TRAIN, *TEST):
        found = _find(folder, file_name) or _downloaded(name, file_name, folder)
        if found.suffix == ".gz":
            _check_digest(found, _digest(image_set, file_name))
        paths.append(found)
    return paths


def _find(folder: Path, file_name: str) -> Path | None:
    candidates = (folder / file_name, folder / file_name.removesuffix(".gz"))
    return next((path for path in candidates if is_file(path)), None)


def _check_digest(path: Path, published: str) -> None:
    algorithm, _, expected = published.partition(":")
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, algorithm).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if found != expected:
        raise DataError(
            f"{path}: not the published file: its {algorithm} is {found}, expected {expected}; "
            "delete it (a missing file is downloaded) or put the official one in its place"
        )


def _elsewhere(folder: Path) -> str:
    """Return which folder may be meant, if this one is misspelt."""
    return "" if is_folder(folder.parent) else nearby(folder)


def _downloaded(name: str, file_name: str, folder: Path) -> Path:
    if has_no_home(folder):
        raise AbsentDataError(
            f"{name}: there is no home directory to keep its files in; name the folder above {name}/ with --data-dir "
            "or LOSSRUN_DATA_DIR"
        )
    image_set, elsewhere = IMAGE_SETS[name], _elsewhere(folder)  # the download makes the folder
    try:
        failures = download(
            [mirror + file_name for mirror in image_set.mirrors], _digest(image_set, file_name), folder / file_name
        )
    except OSError as error:
        failures = [f"{folder} cannot be written: {error.strerror or error}"]
    if not failures:
        return folder / file_name
    raise AbsentDataError(
        f"{name}: {file_name} is not in {folder} (gzipped or not) and could not be downloaded:\n"
        + "".join(f"  {failure}\n" for failure in failures)
        + f"Put {', '.join((*TRAIN, *TEST))} there, or name the folder above {name}/ with --data-dir or "
        f"LOSSRUN_DATA_DIR{elsewhere}"
    )


def _read_part(image_set: DatasetDeclaration, names: tuple[str, str], files: Mapping[str, Path], samples: int) -> Part:
    images, labels = (_read_array(files[name], _digest(image_set, name)) for name in names)
    assert image_set.input_shape is not None
    expected = (samples, *image_set.input_shape[1:])
    if images.shape != expected or labels.shape != (samples,):
        raise DataError(
            f"{files[names[0]]}: images {images.shape} and labels {labels.shape}; expected {expected} and ({samples},)"
        )
    if labels.max() >= len(image_set.classes):
        raise DataError(f"{files[names[1]]}: label {labels.max()}; expected 0 to {len(image_set.classes) - 1}")
    return Part(images[:, np.newaxis], labels.astype(np.int64), np.arange(samples))


def _read_array(path: Path, digest: str) -> np.ndarray:
    if path.suffix != ".gz":
        return read_idx(path)
    key = digest.partition(":")[2][:32]
    return cached(key, array_cache_dir(), lambda: read_idx(path))
