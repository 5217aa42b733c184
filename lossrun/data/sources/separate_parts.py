"""Check that the parts are separate, because a model must not be scored on samples that it was trained on."""

import hashlib
from collections.abc import Collection, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossrun.data.samples.dataset import Part, UnsplitData
from lossrun.errors import DataError
from lossrun.files import named_path, open_regular

HELD_OUT: Final = ("validation", "test")
# What follows for the scores of a part that repeats this part.
_CONSEQUENCE: Final = {
    "train": "its scores would say nothing about new samples",
    "validation": "its scores would be biased by the choices made on the validation part",
}


def part_files(parameters: Mapping[str, Any], config_dir: Path) -> dict[str, Path]:
    """Return the file of each part: `path`, and the files that a split names.

    Raises:
        DataError: If a held-out part is the training file, or a copy of it.
    """
    split = parameters["split"] or {}
    named = {"train": parameters["path"], "validation": split.get("validation"), "test": split.get("test")}
    files = {part: config_dir / named_path(name) for part, name in named.items() if name is not None}
    for part in [part for part in HELD_OUT if part in files]:
        if same := _sameness(files[part], files["train"]):
            raise DataError(
                f"dataset.split.{part}: {files[part]} {same} the training file; {_CONSEQUENCE['train']}. Name a file "
                f"with other samples, or leave split.{part} out"
            )
    return files


def repeated_notes(source: UnsplitData, used: Collection[str]) -> list[str]:
    """Return a note for each `used` held-out part that holds exactly the samples of another part."""
    held_out = {name: part for name, part in zip(HELD_OUT, (source.validation, source.test), strict=True) if part}
    parts = {"train": source.train, **{name: part for name, part in held_out.items() if name in used}}
    pairs = combinations(parts.items(), 2)
    return [
        f"the {second} part holds exactly the samples of the {first} part: {_CONSEQUENCE[first]}"
        for (first, one), (second, other) in pairs
        if _same_samples(one, other)
    ]


def _sameness(one: Path, other: Path) -> str:
    """Say how two files have the same content; "" if they do not, or if one cannot be read."""
    try:
        if one.samefile(other):
            return "is the same file as"
        if one.stat().st_size != other.stat().st_size:
            return ""
        return "has the same content as" if _digest(one) == _digest(other) else ""
    except OSError:
        return ""


def _digest(path: Path) -> str:
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same_samples(one: Part, other: Part) -> bool:
    pairs = ((one.inputs, other.inputs), (one.targets, other.targets))
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f" == b.dtype.kind) for a, b in pairs)
