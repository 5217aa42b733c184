"""A stop of a block, whatever became of the command around it. Stops of commands: tests/cli/test_early_signals.py."""

import os
import signal
import sys

import pytest

from lossrun import interrupts


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_block_ends_in_order_even_after_a_command_has_left_in_the_same_process() -> None:
    """Twice within a moment: a command would take the second stop for the first, and end the process at a third."""
    before = signal.getsignal(signal.SIGTERM), interrupts.ended()
    interrupts.leaving()
    for _ in range(3):
        with pytest.raises(interrupts.EndedError, match="terminated"), interrupts.ended_by("SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
        assert (signal.getsignal(signal.SIGTERM), interrupts.ended()) == before
