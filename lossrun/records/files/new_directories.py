"""Create directories so that nobody sees half of one: each is built under a hidden name and then renamed."""

import shutil
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from lossrun.interrupts import held
from lossrun.records.files import durable


def create(
    paths: Sequence[Path],
    build: Callable[[Sequence[Path]], object],
    *,
    numbered: bool = False,
    makes_folder: bool = True,
    created: Callable[[Sequence[Path]], object] = lambda paths: None,
) -> Sequence[Path]:
    """Create directories of one folder, and return their paths: all of them, or none if anything fails.

    A crash between the renames may leave some of them and not the others.

    Args:
        build: Called with the hidden directories, in the order of `paths`, to fill them.
        numbered: Whether a name that is taken gets -2, -3, and so on.
        makes_folder: Whether their folder is created if it does not exist. Otherwise it was removed meanwhile.
        created: Called with their paths once they have these names, before a stop can end the command.

    Raises:
        RunError: If writing fails, or a name is taken and not `numbered`.
    """
    folder = paths[0].parent
    hidden = [durable.hidden(path) for path in paths]
    with durable.refusals_of_the_disk(paths[0] if len(paths) == 1 else folder):
        try:
            if makes_folder:
                durable.make_directory(folder)
            for directory in hidden:
                directory.mkdir()
            build(hidden)
            for directory in hidden:
                durable.sync_directory(directory)
            rename = _renamed if numbered else Path.rename
            with held():
                named = [rename(directory, path) for directory, path in zip(hidden, paths, strict=True)]
                created(named)
        except BaseException:
            for directory in hidden:
                shutil.rmtree(directory, ignore_errors=True)
            raise
        durable.sync_directory(folder)
    return named


def _renamed(directory: Path, path: Path) -> Path:
    """Move a directory to the first free name. A directory with files in it is never overwritten."""
    for number in count(1):
        final = path if number == 1 else path.with_name(f"{path.name}-{number}")
        if final.exists():
            continue
        try:
            return directory.rename(final)
        except OSError:
            if not final.exists():
                raise
    raise AssertionError("count() never ends")
