"""Signals become requests, which the loop answers between two steps.

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

from lossrun.errors import HungUpError, StoppedError, TerminatedError
from lossrun.interrupts import is_ours


class Request(Enum):
    """What a signal asks of a running session: its name, what happened in words, and the error that the run ends with
    once its state is saved. Cluster schedulers send SIGUSR1 ahead of a time limit: save the state and go on."""

    INTERRUPT = "SIGINT", "interrupted", StoppedError
    TERMINATE = "SIGTERM", "terminated", TerminatedError
    HANG_UP = "SIGHUP", "terminal closed", HungUpError
    CHECKPOINT = "SIGUSR1", "asked to save", None

    def __init__(self, signal_name: str, reason: str, error: type[StoppedError] | None) -> None:
        self.signal_name = signal_name
        self.reason = reason
        self.error = error


class Requests:
    """The newest request not yet answered; call it to take that request. `stopping`: whether a stop was asked for,
    answered or not."""

    def __init__(self) -> None:
        self.pending: Request | None = None
        self.stopping = False

    def __call__(self) -> Request | None:
        request, self.pending = self.pending, None
        return request


@contextmanager
def listening(on_interrupt: Callable[[], None] = lambda: None) -> Iterator[Requests]:
    """Turn signals into requests until the end of the block. `on_interrupt`: called at the first Ctrl-C, between any
    two instructions; the second one does not wait for the save and raises KeyboardInterrupt.

    A signal that is ignored, or has somebody else's handler, is left as it is; so are all of them outside the main
    thread, where Python lets nobody change them.
    """
    requests = Requests()
    # Windows has neither SIGHUP nor SIGUSR1.
    meanings = {signal.Signals[one.signal_name]: one for one in Request if hasattr(signal, one.signal_name)}

    def note(number: int, _frame: FrameType | None) -> None:
        request = meanings[signal.Signals(number)]
        if request is Request.INTERRUPT:
            if requests.stopping:
                raise KeyboardInterrupt
            on_interrupt()
        requests.stopping = requests.stopping or request.error is not None
        # A stop already asked for is not forgotten for a mere checkpoint.
        if request.error or requests.pending is None:
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
    """The handler that a signal has where nobody else has changed it, Python's own for Ctrl-C; else None."""
    if threading.current_thread() is not threading.main_thread():
        return None
    handler = signal.getsignal(number)
    if handler in (signal.SIG_DFL, signal.default_int_handler) or is_ours(handler):
        return handler  # type: ignore[return-value]  # neither None nor a number
    return None
