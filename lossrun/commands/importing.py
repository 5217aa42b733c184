"""Importing what takes long."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def torch_is_imported() -> Iterator[None]:
    """Python's collector off meanwhile, and then never again over what was imported, which it would look through time
    and again and once more at the end: 0.35 s of the 1.3 that `import torch` takes with a process around it."""
    if "torch" in sys.modules:
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
