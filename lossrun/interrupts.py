"""What signals do before training begins and after it has ended, from the first import on.

A stop ends the command in order, with its exit code and without a traceback; while something is imported, once that is
done, because libraries in C may end the process when they are interrupted. A request to save does nothing, because
nothing is lost yet. Signals whose handling was set by another program stay as they are: `nohup` ignores SIGHUP, and a
shell ignores SIGINT in background jobs. During training `training/process/stopping.py` takes their place.
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any, Final

_STOPS: Final = {
    "SIGINT": (130, "interrupted"),
    "SIGTERM": (143, "terminated"),
    "SIGHUP": (129, "terminal closed"),
}
# Seconds until a stop that Python has dropped is sent again: what dropped it has ended by then.
_SOON: Final = 0.02
# Seconds in which another stop counts as the same one: a launcher sends it too, or somebody is impatient.
_AT_ONCE: Final = 1.0
_NOTHING: Final = "nothing was being trained"


class EndedError(KeyboardInterrupt):
    """A signal ended the command. No `except Exception` catches it.

    Attributes:
        signal_name: Such as "SIGTERM".
        exit_code: 128 plus the signal's number.
        reason: What happened, in words.
    """

    def __init__(self, signal_name: str) -> None:
        self.signal_name = signal_name
        self.exit_code, self.reason = _STOPS[signal_name]
        super().__init__(self.reason)


class Patience:
    """Keeps stops from interrupting what an earlier one has begun: removing files that are half written."""

    def __init__(self) -> None:
        self._raised = -_AT_ONCE

    def is_over(self) -> bool:
        """Return whether a stop may be raised now; then the next one has to wait."""
        now = time.monotonic()
        if now - self._raised < _AT_ONCE:
            return False
        self._raised = now
        return True


class _State:
    """What has come in so far."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.held = 0
        self.waiting: EndedError | None = None
        self.ended: EndedError | None = None
        self.patience = Patience()
        self.left = _NOTHING
        self.leaving = False
        self.late = False  # whether a stop has come while leaving


_state: Final = _State()


def take_over() -> None:
    """Let signals end the command in order, where nobody else has decided about them."""
    _state.begin()
    for name, handler in ((name, _end) for name in _STOPS):
        _take(name, handler)
    _take("SIGUSR1", go_on)
    sys.unraisablehook = partial(_again, usual=sys.unraisablehook)


@contextmanager
def ended_by(name: str) -> Iterator[None]:
    """Let a signal end the block in order, by EndedError, whatever it does outside of the block."""
    number = getattr(signal, name, None)
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    usual, sys.unraisablehook = sys.unraisablehook, partial(_again, usual=sys.unraisablehook)
    before, ended_before = signal.signal(number, _stop), _state.ended
    _state.patience = Patience()
    try:
        yield
    finally:
        signal.signal(number, before)
        _state.ended = ended_before  # the stop has ended the block alone
        sys.unraisablehook = usual


def go_on(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: a handler of the request to save, while nothing is lost yet."""


def is_ours(handler: Any) -> bool:
    """Return whether a signal's handler is one of this module."""
    return handler in (_end, _stop, go_on)


def ended() -> EndedError | None:
    """Return the stop that was raised last, for callers that turned it into something else."""
    return _state.ended


def leave_behind(words: str) -> None:
    """Have a stop say this from now on: that there is a run, and how it continues, instead of that there is none."""
    _state.left = words


def left_behind() -> str:
    """Return what a stop has to say: what became of the command's work."""
    return _state.left


@contextmanager
def held() -> Iterator[None]:
    """Keep stops waiting until the end of the block, which is short or cannot be interrupted."""
    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        yield
        return
    _state.held += 1
    try:
        yield
    finally:
        _state.held -= 1
    if _state.waiting and not _state.held:
        waiting, _state.waiting = _state.waiting, None
        _raise(waiting)


def leaving() -> None:
    """Let nothing disturb the end of the command, whose exit code is decided.

    One more stop is ignored, because the last words are printed in a moment; another one ends the process at once.
    """
    if not _state.leaving:
        _state.leaving = True
        # After the last words Python would give back their defaults to handlers of its own, not to what is ignored.
        atexit.register(lambda: [signal.signal(number, signal.SIG_IGN) for number in _ours()])


def _ours() -> list[int]:
    """Return the signals that this module handles."""
    names = [name for name in (*_STOPS, "SIGUSR1") if hasattr(signal, name)]
    numbers = [int(getattr(signal, name)) for name in names]
    return [number for number in numbers if is_ours(signal.getsignal(number))]


def _again(dropped: "sys.UnraisableHookArgs", usual: Callable[["sys.UnraisableHookArgs"], object]) -> None:
    """Send a stop again that was raised where Python drops exceptions: in `__del__`, or while garbage is collected."""
    stop = dropped.exc_value
    if isinstance(stop, EndedError):
        _state.patience = Patience()
        again = threading.Timer(_SOON, signal.raise_signal, [getattr(signal, stop.signal_name)])
        again.daemon = True
        again.start()
    else:
        usual(dropped)


def _take(name: str, handler: Callable[[int, FrameType | None], object]) -> None:
    number = getattr(signal, name, None)  # Windows has neither SIGHUP nor SIGUSR1
    if number is None or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
        signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> None:
    if not _state.leaving:
        _stop(number, frame)
    elif _state.late:
        os._exit(128 + number)
    else:
        _state.late = True


def _stop(number: int, _frame: FrameType | None) -> None:
    """Raise a stop, or have it wait. Unlike a command, a block has no last words."""
    stop = EndedError(signal.Signals(number).name)
    if _state.held:
        _state.waiting = _state.waiting or stop
    elif _state.patience.is_over():
        _raise(stop)


def _raise(stop: EndedError) -> None:
    _state.ended = stop
    raise stop
