"""Signals from outside, turned into requests that the loop heeds between two steps.

Ctrl-C (SIGINT), SIGTERM and SIGHUP (a closed terminal) save the state and stop; a second Ctrl-C does not wait for the
save. SIGUSR1, which cluster schedulers send ahead of a time limit, saves the state and goes on.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from types import FrameType


class Request(Enum):
    """What somebody asks of a running session."""

    INTERRUPT = "interrupted"
    TERMINATE = "terminated"
    CHECKPOINT = "checkpoint"


class Requests:
    """The newest request not yet answered; call it to take that request."""

    def __init__(self) -> None:
        self.pending: Request | None = None

    def __call__(self) -> Request | None:
        request, self.pending = self.pending, None
        return request


@contextmanager
def listening() -> Iterator[Requests]:
    """Turn signals into requests until the end of the block. Works in the main thread only, as signals do."""
    requests = Requests()
    meanings = {signal.SIGINT: Request.INTERRUPT, signal.SIGTERM: Request.TERMINATE}
    # Windows has neither.
    if hasattr(signal, "SIGUSR1"):
        meanings[signal.SIGUSR1] = Request.CHECKPOINT
    if hasattr(signal, "SIGHUP"):
        meanings[signal.SIGHUP] = Request.TERMINATE

    def note(number: int, _frame: FrameType | None) -> None:
        request = meanings[signal.Signals(number)]
        if request is Request.INTERRUPT and requests.pending is Request.INTERRUPT:
            raise KeyboardInterrupt
        # A stop already asked for is not forgotten for a mere checkpoint.
        if request is not Request.CHECKPOINT or requests.pending is None:
            requests.pending = request

    before = {number: signal.signal(number, note) for number in meanings}
    try:
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
