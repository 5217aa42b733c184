"""Name run and sweep directories `<UTC time>-<name>`, and read names and times back from them."""

import os
import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_STAMP: Final = "%Y%m%d-%H%M%S"
_STAMPED: Final = re.compile(r"(?P<stamp>\d{8}-\d{6})-(?P<name>.+)")
NAMELESS: Final = "run"
# Characters. With the time, a number behind it and the hidden name of a new directory, a name stays below 143 bytes,
# which encrypted home folders (eCryptfs) allow; most file systems allow 255.
_LONGEST_SLUG: Final = 100


def slug(text: str) -> str:
    """Write `text` with the characters of a run's name: a-z, 0-9, dot, underscore, and dash; "run" if none is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._]+", "-", plain)[:_LONGEST_SLUG].strip("-.") or NAMELESS


def bare_name(path: Path) -> str:
    """Return the run's name without the time; runs from different times may share it."""
    match = _STAMPED.fullmatch(path.name)
    return match["name"] if match else path.name


def has_name(path: Path, name: str) -> bool:
    """Return whether a directory was named `name`; directories made within one second have a number after the name."""
    return bool(re.fullmatch(rf"{re.escape(slug(name))}(-\d+)?", bare_name(path)))


def stamped(name: str, when: datetime) -> str:
    """Return the name of a directory that is created at this time."""
    return f"{when.astimezone(UTC):{_STAMP}}-{slug(name)}"


def is_stamped(path: str) -> bool:
    """Return whether the directory's name begins with a time."""
    return _STAMPED.fullmatch(os.path.basename(path)) is not None  # noqa: PTH119  # of thousands of paths as text


def age(path: Path) -> tuple[str, int, str]:
    """Return a key that sorts runs and sweeps by age: the time in the name, then that of a file written only once."""
    written = 0  # the directory was removed in the meantime
    for file in ("config.yaml", "sweep.yaml"):
        with suppress(OSError):
            written = os.lstat(f"{path}/{file}").st_mtime_ns
            break
    match = _STAMPED.fullmatch(path.name)
    return match["stamp"] if match else f"{datetime.fromtimestamp(written / 1e9, UTC):{_STAMP}}", written, path.name


def oldest_first(folder: Path, belongs: Callable[[str], bool]) -> list[Path]:
    """Return the directories in `folder` that `belongs` accepts, oldest first; [] if there is no such folder.

    `belongs` gets a path as text, because creating thousands of path objects takes a while. OSError is raised if this
    process may not look into the folder.
    """
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if not entry.name.startswith(".")]
    os.lstat(f"{folder}/.")  # names alone may be allowed; then no run could be told from other folders
    return sorted((folder / name for name in names if belongs(f"{folder}/{name}")), key=age)
