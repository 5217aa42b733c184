"""Import torch without the cost of garbage collection."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lossrun.interrupts import held


@contextmanager
def torch_is_imported() -> Iterator[None]:
    """Keep Python's garbage collector from walking through all of torch, while it is imported and afterwards.

    The collector would do so several times and once more when the process exits, which takes 0.35 s of the 1.3 s that
    a process needs to import torch.
    """
    if "torch" in sys.modules:
        yield
        return
    was_on = gc.isenabled()
    gc.disable()
    try:
        with held():
            yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
