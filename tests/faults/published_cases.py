"""Fifteen faults from a published benchmark, as configs: `published/ID/buggy.yaml`, `fixed.yaml` and `right.yaml`.

They are questions from a public forum about Keras networks that did not learn, collected for DeepLocalize (Wardat, Le
and Rajan 2021) and DeepDiagnosis (Wardat, Cruz, Le and Rajan 2022), with stand-ins for data that the questions do not
hold. `fixed` is the published fix, `right` one that really trains where that is not enough.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from csv import DictReader
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any, Final

import numpy as np

FOLDER: Final = Path(__file__).parent / "published"
# What takes more than two seconds, or needs MNIST, and has its like among the smaller ones or our own: only the runner
# trains it.
LARGE: Final = {
    *(
        "31556268",
        "38648195",
        "47724077",
        "48221692",
        "48385830",
        "48594888",
        "48934338",
        "52800582",
        "55328966",
        "59278771",
    ),
}


@dataclass(frozen=True)
class Published:
    """A case: its number, what is wrong, the keys of which one has to be blamed, and how to fix it."""

    id: str
    fault: str
    where: Sequence[str]
    right_fix: str

    def twin(self, folder: Path) -> Path:
        """The config that trains: the published fix, or the right one."""
        right = folder / self.id / "right.yaml"
        return right if right.exists() else folder / self.id / "fixed.yaml"


def published() -> list[Published]:
    cases: list[Mapping[str, Any]] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
    return [Published(str(c["id"]), c["fault"], c["where"].split(", "), c["right_fix"]) for c in cases]


def copied(folder: Path, data_dir: Path) -> Path:
    """Copy the cases into a folder and write the data that are too large to keep, where MNIST is there for them."""
    copytree(FOLDER, folder, dirs_exist_ok=True)
    for write in (_one_hot, _colours):
        write(folder)
    if (data_dir / "mnist").is_dir():
        _digits(folder, data_dir / "mnist")
    return folder


def _one_hot(folder: Path) -> None:
    """58609115: classes as one-hot rows."""
    with (folder / "58609115" / "d.csv").open(encoding="utf-8") as file:
        rows = list(DictReader(file))
    names = sorted({row["code"] for row in rows})
    numbers = np.array([row["number"] for row in rows], dtype=np.float32)[:, None]
    labels = np.eye(len(names), dtype=int)[[names.index(row["code"]) for row in rows]]
    np.savez(folder / "58609115" / "onehot.npz", x=numbers, y=labels)


def _digits(folder: Path, mnist: Path) -> None:
    """55328966: digits with grey values of 0 to 255 as floats, and divided by 255."""
    with gzip.open(mnist / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(mnist / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    chosen = np.random.default_rng(0).permutation(len(images))[:5000]
    for name, divisor in (("raw", 1), ("scaled", 255)):
        inputs = (images[chosen] / divisor).astype(np.float32)
        np.savez(folder / "55328966" / f"{name}.npz", x=inputs, y=labels[chosen].astype(np.int64))


def _colours(folder: Path) -> None:
    """48594888: colour images of 0 to 255 as floats; a class is a coloured wave under strong noise."""
    random, side, classes, count = np.random.default_rng(13), 32, 10, 3000
    down, across = np.mgrid[0:side, 0:side] / side
    labels = random.integers(0, classes, count)
    waves, colours = random.integers(1, 5, (classes, 2)), random.normal(0, 1, (classes, 3))
    images = np.empty((count, 3, side, side), np.float32)
    for image, label in zip(images, labels, strict=True):
        wave = np.sin(2 * np.pi * (waves[label, 0] * across + waves[label, 1] * down) + random.uniform(0, 6.3))
        noise = random.normal(0, 45, (3, side, side)) + random.normal(0, 25, (3, 1, 1))
        image[:] = 120 + 18 * wave * colours[label][:, None, None] + noise
    images = np.clip(np.round(images), 0, 255).astype(np.float32)
    np.savez(folder / "48594888" / "raw.npz", x=images, y=labels)
    np.savez(folder / "48594888" / "scaled.npz", x=(images / 255).astype(np.float32), y=labels)
