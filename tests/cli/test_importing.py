"""Python's garbage collector during imports."""

import subprocess
import sys

PROGRAM = """
import gc, sys
from lossrun.commands.importing import torch_is_imported

try:
    with torch_is_imported():
        assert not gc.isenabled()
        sys.modules["torch"] = None
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
assert gc.isenabled()
frozen = gc.get_freeze_count()
assert frozen > 1000, frozen
later = [[] for _ in range(1000)]
with torch_is_imported():
    assert gc.isenabled()
assert gc.get_freeze_count() == frozen
"""


def test_what_was_imported_is_never_looked_through_again_and_everything_later_is() -> None:
    """In a process of its own, also where Ctrl-C comes in between."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
