"""Signals from outside, turned into requests that the loop heeds between two steps.

Ctrl-C (SIGINT), SIGTERM and SIGHUP (a closed terminal) save the state and stop; a second Ctrl-C does not wait for the
save. SIGUSR1, which cluster schedulers send ahead of a time limit, saves the state and goes on.

This is the one place where lossrun changes what a signal does, and it takes only signals that nobody else has decided
about: `nohup` ignores SIGHUP, a shell ignores SIGINT in background jobs, and a program that calls us may have handlers
of its own.
"""

import signal
import threading
from collections.abc import Callable, Iterator
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
    """Turn signals into requests until the end of the block.

    A signal that is ignored, or has somebody else's handler, is left as it is; so are all of them outside the main
    thread, where Python lets nobody change them.
    """
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

    before: dict[signal.Signals, signal.Handlers | Callable[..., object]] = {}
    try:
        for number in meanings:
            if (undecided := _undecided(number)) is not None:
                before[number] = undecided
                signal.signal(number, note)
        yield requests
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _undecided(number: signal.Signals) -> signal.Handlers | Callable[..., object] | None:
    """The handler that a signal has where nobody has changed it, Python's own for Ctrl-C; else None."""
    if threading.current_thread() is not threading.main_thread():
        return None
    handler = signal.getsignal(number)
    if handler is signal.SIG_DFL:
        return signal.SIG_DFL
    return signal.default_int_handler if handler is signal.default_int_handler else None
