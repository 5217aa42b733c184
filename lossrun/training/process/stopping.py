"""Turn signals into requests, which the loop answers between two steps.

This is the one place where lossrun changes what a signal does, and it handles only signals that no other program has
set: `nohup` ignores SIGHUP, a shell ignores SIGINT in background jobs, and a program that calls lossrun may have its
own handlers.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from types import FrameType
from typing import Final

from lossrun.errors import HungUpError, StoppedError, TerminatedError
from lossrun.interrupts import Patience, is_ours


class Request(Enum):
    """What a signal asks of a running session: its name, what happened in words, and the error that the run ends with
    once its state is saved. Cluster schedulers send SIGUSR1 before a time limit: save the state and continue."""

    INTERRUPT = "SIGINT", "interrupted", StoppedError
    TERMINATE = "SIGTERM", "terminated", TerminatedError
    HANG_UP = "SIGHUP", "terminal closed", HungUpError
    CHECKPOINT = "SIGUSR1", "asked to save", None

    def __init__(self, signal_name: str, reason: str, error: type[StoppedError] | None) -> None:
        self.signal_name = signal_name
        self.reason = reason
        self.error = error


class StopNowError(BaseException):
    """A stop was requested during a long computation that changes no state. `except Exception` does not catch it."""


class Requests:
    """The newest request not yet answered; call it to take that request. `stopping`: whether a stop was asked for,
    answered or not; `at_once`: whether it interrupts what is being computed."""

    def __init__(self) -> None:
        self.pending: Request | None = None
        self.stopping = False
        self.at_once = False

    def __call__(self) -> Request | None:
        request, self.pending = self.pending, None
        return request


_listening: Final[list[Requests]] = []


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a stop interrupt the block, which changes no state and may take long, instead of waiting for its end.

    Raises:
        StopNowError: A stop was asked for; the request is still to be taken.
    """
    if not _listening or threading.current_thread() is not threading.main_thread():
        yield
        return
    requests = _listening[-1]
    requests.at_once = True
    try:
        if requests.pending and requests.pending.error:
            raise StopNowError
        yield
    finally:
        requests.at_once = False


@contextmanager
def listening(on_interrupt: Callable[[], None] = lambda: None) -> Iterator[Requests]:
    """Turn signals into requests until the end of the block. `on_interrupt`: called at the first Ctrl-C, between any
    two instructions; the second one does not wait for the save and raises KeyboardInterrupt.

    A signal that is ignored, or has a handler of another program, is left unchanged. Outside the main thread all
    signals are, because Python allows no changes there.
    """
    requests, patience = Requests(), Patience()
    # Windows has neither SIGHUP nor SIGUSR1.
    meanings = {signal.Signals[one.signal_name]: one for one in Request if hasattr(signal, one.signal_name)}

    def note(number: int, _frame: FrameType | None) -> None:
        request = meanings[signal.Signals(number)]
        if request is Request.INTERRUPT:
            if requests.stopping:
                if patience.is_over():
                    raise KeyboardInterrupt
                return
            on_interrupt()
        requests.stopping = requests.stopping or request.error is not None
        # A request to checkpoint does not replace an earlier request to stop.
        if request.error or requests.pending is None:
            requests.pending = request
        if request.error and requests.at_once:
            requests.at_once = False  # once is enough
            raise StopNowError

    before: dict[signal.Signals, signal.Handlers | Callable[..., object]] = {}
    try:
        for number in meanings:
            if (undecided := _undecided(number)) is not None:
                before[number] = undecided
                signal.signal(number, note)
        _listening.append(requests)
        yield requests
    finally:
        _listening.remove(requests)
        for number, handler in before.items():
            signal.signal(number, handler)


def _undecided(number: signal.Signals) -> signal.Handlers | Callable[..., object] | None:
    """Return the handler of a signal if it is still the default (for Ctrl-C, Python's own); else None."""
    if threading.current_thread() is not threading.main_thread():
        return None
    handler = signal.getsignal(number)
    if handler in (signal.SIG_DFL, signal.default_int_handler) or is_ours(handler):
        return handler  # type: ignore[return-value]  # neither None nor a number
    return None
