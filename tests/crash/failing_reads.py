"""A disk that fails, or a file server that forgot a file, wherever a process looks at one file or one folder.

The functions of `os` and `io` that look at files are replaced in this process for the length of a block.
"""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

LOOKING = ("stat", "lstat", "open", "scandir", "listdir", "readlink")


@contextmanager
def failing(place: Path, number: int) -> Iterator[None]:
    """Let every look at `place`, and at what is in it, fail with the error `number` in the block."""
    refused = str(place)

    def instead_of(function: Callable[..., Any]) -> Callable[..., Any]:
        def refusing(path: Any = ".", *args: Any, **options: Any) -> Any:
            if not isinstance(path, int):
                whole = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # Path.absolute keeps `..`
                if whole == refused or whole.startswith(refused + os.sep):
                    raise OSError(number, os.strerror(number), path)
            return function(path, *args, **options)

        return refusing

    with ExitStack() as stack:
        for name in LOOKING:
            stack.enter_context(mock.patch.object(os, name, instead_of(getattr(os, name))))
        stack.enter_context(mock.patch.object(io, "open", instead_of(io.open)))
        yield
