"""Read the names and headers of checkpoints, without numpy, which listing runs does not need."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any, Final

from lossrun.errors import CheckpointError
from lossrun.files import is_there, open_regular
from lossrun.records import formats
from lossrun.records.files import strict_json
from lossrun.records.files.shapes import each, list_of, record, text, whole

READABLE: Final = (1, 2, 3)  # format versions
NAME: Final = re.compile(r"step-(?P<step>\d{8,})-(?P<digest>[0-9a-f]{16})\.safetensors")
BEST_NAME: Final = re.compile(r"best-(?P<digest>[0-9a-f]{16})\.safetensors")
METADATA_KEY: Final = "lossrun"
_BEST_OF_SEED: Final = re.compile(r"best-seed\d+\.safetensors")  # of older versions, without a digest
LARGEST_HEADER: Final = 1 << 25  # bytes; a tensor takes some 150
_TENSORS: Final = each(record({"dtype": text, "shape": list_of(whole()), "data_offsets": list_of(whole(), length=2)}))


def candidates(directory: Path) -> list[Path]:
    """Return the checkpoints in `directory` by their names, newest step first, without reading them.

    Raises:
        CheckpointError: If `directory` is not a folder, or cannot be read.
    """
    try:
        return newest_first(directory.iterdir())
    except OSError as error:
        if not is_there(directory):
            return []
        raise CheckpointError(f"{directory}: cannot be read ({error.strerror or error}); expected a folder") from error


def best_files(directory: Path) -> list[Path]:
    """Return the files of best weights, including those of older versions, which have one seed each."""
    found = directory.glob("best-*.safetensors")
    return sorted(path for path in found if BEST_NAME.fullmatch(path.name) or _BEST_OF_SEED.fullmatch(path.name))


@dataclass(frozen=True, slots=True)
class Header:
    """The beginning of a safetensors file.

    Attributes:
        tensors: {name: its type, shape and place}, as in the file.
        metadata: What lossrun wrote in addition to the tensors.
        size: The size of the whole file in bytes, according to the header.
    """

    tensors: dict[str, dict[str, Any]]
    metadata: dict[str, Any]
    size: int

    def numbers(self, prefix: str = "") -> int:
        """Return how many numbers the tensors with names starting with `prefix` have."""
        return sum(prod(one["shape"]) for name, one in self.tensors.items() if name.startswith(prefix))


def read_header(path: Path) -> Header:
    """Return the header of `path`; neither the digest nor the tensors are checked.

    Raises:
        CheckpointError: If the header cannot be read, or does not fit the file.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            content = file.read(min(int.from_bytes(start, "little"), LARGEST_HEADER + 1))
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read ({error.strerror or error})") from error
    return header_in(path, start + content, size)


def header_in(path: Path, start: bytes, size: int) -> Header:
    """Return the header in the beginning of a file that has `size` bytes.

    Raises:
        CheckpointError: If it cannot be read, or does not fit the file.
    """
    length = int.from_bytes(start[:8], "little")
    if length > LARGEST_HEADER:
        raise CheckpointError(
            f"{path.name}: damaged, or not a checkpoint of lossrun (its header has {length} bytes, but at most "
            f"{LARGEST_HEADER} are read)"
        )
    header = _parsed(path, start[8 : 8 + length])
    if size != 8 + length + header.size:
        raise CheckpointError(f"{path.name}: damaged: it has {size} bytes; expected {8 + length + header.size}")
    return replace(header, size=size)


def metadata(path: Path) -> dict[str, Any]:
    """Return the metadata in the header of `path`; the digest is not checked.

    Raises:
        CheckpointError: If the header cannot be read, or does not fit.
    """
    return read_header(path).metadata


def numbers(path: Path, prefix: str = "") -> int:
    """Return how many numbers the tensors with names starting with `prefix` have, from the header.

    Raises:
        CheckpointError: If the header cannot be read.
    """
    return read_header(path).numbers(prefix)


def _parsed(path: Path, content: bytes) -> Header:
    """Parse the header's JSON, which does not include the header's own size."""
    unreadable = f"{path.name}: damaged, or not a checkpoint of lossrun (its header cannot be read)"
    try:
        tree = strict_json.loads(content)
        facts = strict_json.loads(tree.pop("__metadata__")[METADATA_KEY])
        version = facts["format_version"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(unreadable) from error
    if _TENSORS(tree, ""):
        raise CheckpointError(unreadable)
    if type(version) is not int or version not in READABLE:
        newer = type(version) is int and version > max(READABLE)
        fix = "update lossrun" if newer else "restore it from a copy"
        raise CheckpointError(
            f"{path.name}: format version {version}, but this lossrun reads {', '.join(map(str, READABLE))}; {fix}"
        )
    if problem := _problem(path, facts, version):
        raise CheckpointError(f"{path.name}: damaged: {problem}")
    return Header(tree, facts, max((one["data_offsets"][1] for one in tree.values()), default=0))


def _problem(path: Path, facts: Mapping[str, Any], version: int) -> str:
    if NAME.fullmatch(path.name):
        return formats.state_problem(facts, version)
    if BEST_NAME.fullmatch(path.name) or _BEST_OF_SEED.fullmatch(path.name):
        return formats.BEST[version](facts, "")
    return ""


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Return the checkpoints among `paths`, newest step first."""
    return sorted((path for path in paths if NAME.fullmatch(path.name)), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    assert match, path
    return int(match["step"])
