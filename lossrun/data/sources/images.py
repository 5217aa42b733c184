"""The official image sets: names, mirrors, digests, and reading them.

Files lie in <data dir>/<name>/ under their official names, gzipped or not, and are downloaded there when missing. A
gzipped file is checked against its published digest at every start (SHA-256 of 10 MB takes 5 ms).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from lossrun.data.samples.dataset import Part, Scaling, UnsplitData
from lossrun.data.sources.array_cache import cached
from lossrun.data.sources.download import download
from lossrun.data.sources.idx import read_idx
from lossrun.data.sources.places import array_cache_dir, is_nowhere
from lossrun.errors import AbsentDataError, DataError
from lossrun.nearby import nearby

TRAIN: Final = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
TEST: Final = ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


@dataclass(frozen=True, slots=True)
class ImageSet:
    """`digests`: in the order of TRAIN and TEST, each "sha256:..." or "md5:...". `mirrors` end in a slash."""

    mirrors: tuple[str, ...]
    digests: tuple[str, str, str, str]
    classes: tuple[str, ...]
    train: int = 60_000
    test: int = 10_000

    def digest(self, file_name: str) -> str:
        return self.digests[(*TRAIN, *TEST).index(file_name)]


IMAGE_SETS: Final[dict[str, ImageSet]] = {
    "mnist": ImageSet(
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        digests=(
            "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
        classes=tuple("0123456789"),
    ),
    # Digests and class names: github.com/zalandoresearch/fashion-mnist, README.
    "fashion_mnist": ImageSet(
        mirrors=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        digests=(
            "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "md5:25c81989df183df01b3e8a0aad5dffbe",
            "md5:bef4ecab320f06d8554ea6380940ec79",
            "md5:bb300cfdad3c16e7a12a480ee83cd310",
        ),
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
    # Digests and class names: torchvision.datasets.KMNIST. No second host of the original files is known.
    "kmnist": ImageSet(
        mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        digests=(
            "md5:bdb82020997e1d708af4cf47b453dcf7",
            "md5:e144d726b3acfaa3e44228e80efcd344",
            "md5:5c965bf0a639b31b8f53240b1b52f4d7",
            "md5:7320c461ea6c1c855c0b718fb2a4b134",
        ),
        classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
}


def read_images(name: str, data_dir: Path) -> UnsplitData:
    """The image set of that name: uint8 images (N, 1, 28, 28), int64 labels (N,), an official test part.

    Raises DataError where files are missing and cannot be downloaded, or are not the published ones.
    """
    image_set = IMAGE_SETS[name]
    files = dict(zip((*TRAIN, *TEST), fetch(name, data_dir), strict=True))
    return UnsplitData(
        task="multiclass",
        train=_read_part(image_set, TRAIN, files, image_set.train),
        test=_read_part(image_set, TEST, files, image_set.test),
        target_size=len(image_set.classes),
        classes=image_set.classes,
        input_scaling=Scaling.divide_by(255.0),
    )


def fetch(name: str, data_dir: Path) -> list[Path]:
    """The four files of an image set, checked, in the order of TRAIN and TEST; missing ones are downloaded.

    Raises DataError where a file is not the published one, or cannot be had.
    """
    image_set = IMAGE_SETS[name]
    folder = data_dir / name
    paths: list[Path] = []
    for file_name in (*TRAIN, *TEST):
        found = _find(folder, file_name) or _downloaded(name, file_name, folder)
        if found.suffix == ".gz":
            _check_digest(found, image_set.digest(file_name))
        paths.append(found)
    return paths


def _find(folder: Path, file_name: str) -> Path | None:
    candidates = (folder / file_name, folder / file_name.removesuffix(".gz"))
    return next((path for path in candidates if path.is_file()), None)


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
    """The folder that may be meant, where this one is misspelt."""
    return "" if folder.parent.is_dir() else nearby(folder)


def _downloaded(name: str, file_name: str, folder: Path) -> Path:
    if is_nowhere(folder):
        raise AbsentDataError(
            f"{name}: there is no home directory to keep its files in; name the folder above {name}/ with --data-dir "
            "or LOSSRUN_DATA_DIR"
        )
    image_set, elsewhere = IMAGE_SETS[name], _elsewhere(folder)  # the download makes the folder
    try:
        failures = download(
            [mirror + file_name for mirror in image_set.mirrors], image_set.digest(file_name), folder / file_name
        )
    except OSError as error:
        failures = [f"{folder} cannot be written: {error.strerror or error}"]
    if not failures:
        return folder / file_name
    raise AbsentDataError(
        f"{name}: {file_name} is not in {folder} (gzipped or not){elsewhere} and could not be downloaded:\n"
        + "".join(f"  {failure}\n" for failure in failures)
        + f"Put {', '.join((*TRAIN, *TEST))} there, or name the folder above {name}/ with --data-dir or "
        "LOSSRUN_DATA_DIR."
    )


def _read_part(image_set: ImageSet, names: tuple[str, str], files: Mapping[str, Path], samples: int) -> Part:
    images, labels = (_read_array(files[name], image_set.digest(name)) for name in names)
    if images.shape != (samples, 28, 28) or labels.shape != (samples,):
        raise DataError(
            f"{files[names[0]]}: images {images.shape} and labels {labels.shape}; "
            f"expected ({samples}, 28, 28) and ({samples},)"
        )
    if labels.max() >= len(image_set.classes):
        raise DataError(f"{files[names[1]]}: label {labels.max()}; expected 0 to {len(image_set.classes) - 1}")
    return Part(images[:, np.newaxis], labels.astype(np.int64), np.arange(samples))


def _read_array(path: Path, digest: str) -> np.ndarray:
    if path.suffix != ".gz":
        return read_idx(path)
    key = digest.partition(":")[2][:32]
    return cached(key, array_cache_dir(), lambda: read_idx(path))
