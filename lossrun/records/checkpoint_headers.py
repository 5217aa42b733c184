"""Read the names and headers of checkpoints, without numpy, which listing runs does not need."""

import json
import re
from collections.abc import Iterable
from math import prod
from pathlib import Path
from typing import Any, Final

from lossrun.errors import CheckpointError
from lossrun.records.files import strict_json

READABLE: Final = (1, 2)  # format versions
NAME: Final = re.compile(r"step-(?P<step>\d{8,})-(?P<digest>[0-9a-f]{16})\.safetensors")
BEST_NAME: Final = re.compile(r"best-(?P<digest>[0-9a-f]{16})\.safetensors")
METADATA_KEY: Final = "lossrun"
_BEST_OF_SEED: Final = re.compile(r"best-seed\d+\.safetensors")  # of older versions, without a digest
_LARGEST_HEADER: Final = 100_000_000  # bytes; the limit of the safetensors format


def candidates(directory: Path) -> list[Path]:
    """Return the checkpoints in `directory` by their names, newest step first, without reading them."""
    if not directory.is_dir():
        return []
    return newest_first(directory.iterdir())


def best_files(directory: Path) -> list[Path]:
    """Return the files of best weights, including those of older versions, which have one seed each."""
    found = directory.glob("best-*.safetensors")
    return sorted(path for path in found if BEST_NAME.fullmatch(path.name) or _BEST_OF_SEED.fullmatch(path.name))


def metadata(path: Path) -> dict[str, Any]:
    """Return the metadata in the header of `path`; the digest is not checked.

    Raises:
        CheckpointError: If the header cannot be read.
    """
    return parsed_header(path, _beginning(path))


def numbers(path: Path, prefix: str = "") -> int:
    """Return how many numbers the tensors with names starting with `prefix` have, from the header.

    Raises:
        CheckpointError: If the header cannot be read.
    """
    try:
        tensors = {name: one for name, one in _header(_beginning(path)).items() if name != "__metadata__"}
        return sum(prod(one["shape"]) for name, one in tensors.items() if name.startswith(prefix))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path.name}: not a checkpoint of lossrun (its header cannot be read)") from error


def _beginning(path: Path) -> bytes:
    """Return eight bytes of length and the JSON header."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
            return start + file.read(min(int.from_bytes(start, "little"), _LARGEST_HEADER))
    except OSError as error:
        raise CheckpointError(f"{path.name}: cannot be read ({error.strerror or error})") from error


def _header(start: bytes) -> Any:
    return json.loads(start[8 : 8 + int.from_bytes(start[:8], "little")])


def parsed_header(path: Path, start: bytes) -> dict[str, Any]:
    """Return the metadata in the beginning of a file."""
    try:
        facts = strict_json.loads(_header(start)["__metadata__"][METADATA_KEY])
        version = facts["format_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path.name}: not a checkpoint of lossrun (its header cannot be read)") from error
    if version not in READABLE:
        raise CheckpointError(
            f"{path.name}: format version {version}, but this lossrun reads {' and '.join(map(str, READABLE))}; use "
            "the "
            "version that wrote it"
        )
    return dict(facts)


def newest_first(paths: Iterable[Path]) -> list[Path]:
    """Return the checkpoints among `paths`, newest step first."""
    return sorted((path for path in paths if NAME.fullmatch(path.name)), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    assert match, path
    return int(match["step"])
