"""Lend a temporary folder that a stop does not leave behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lossrun.interrupts import held


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Make a temporary folder, which is gone after the block, however it ends."""
    folder = TemporaryDirectory(prefix=prefix)
    try:
        yield Path(folder.name)
    finally:
        with held():
            folder.cleanup()
