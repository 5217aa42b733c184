"""Define every error that lossrun raises on purpose, with one exit code for each branch.

    LossrunError                     1  (never raised itself)
    ├── UsageError                   2
    │   └── ConfigError              2
    ├── DataError                    3
    │   └── AbsentDataError          3
    ├── RunError                     4
    │   ├── CheckpointError          4
    │   ├── LostProcessError         4
    │   └── OutOfMemoryError         4
    ├── LockedError                  5
    ├── DivergedError                6
    ├── OtherBetterError             7
    ├── UndecidedError               8
    └── StoppedError               130
        ├── TerminatedError        143
        └── HungUpError            129

A message says what happened, what was expected, and how to fix it. The library raises; only `cli.py` turns errors into
text on stderr and an exit code.
"""

import errno
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Final


class LossrunError(Exception):
    """One or more things that are wrong; `problems` holds one text for each."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *problems: str) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(problems))


class UsageError(LossrunError):
    """The command line or the config asks for something impossible."""

    exit_code = 2


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """The message about one mistake in a config; problems are sorted by place.

    Attributes:
        place: Line and column, from 0; an option comes before all lines.
        text: The message, which begins with the place or the option.
        path: The key with the mistake; () if the mistake belongs to no key.
        option: The option that set the key; "" if it is in the file.
        message: The text without the place and the excerpt, or without the option.
    """

    place: tuple[int, int]
    text: str
    path: tuple[str | int, ...] = field(default=(), compare=False)
    option: str = field(default="", compare=False)
    message: str = field(default="", compare=False)


class ConfigError(UsageError):
    """One or more mistakes in a config, in file order; `found` holds each with its key, if it has one."""

    def __init__(self, problems: Sequence[Problem | str]) -> None:
        self.found = [one if isinstance(one, Problem) else Problem((-1, 0), one) for one in problems]
        super().__init__(*(one.text for one in self.found))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[list[Problem]]]:
        return type(self), (self.found,)


class DataError(LossrunError):
    """Data are missing, damaged, or do not fit the config."""

    exit_code = 3


class AbsentDataError(DataError):
    """A public dataset is not here and could not be downloaded."""


class RunError(LossrunError):
    """A run directory, a checkpoint or the disk is at fault, or memory ran out."""

    exit_code = 4


class CheckpointError(RunError):
    """No checkpoint can be read, or one does not fit."""


class LostProcessError(RunError):
    """Another process that trains the same run has ended."""


class OutOfMemoryError(RunError):
    """There is less memory than was needed."""


class LockedError(LossrunError):
    """Another process is writing to the run."""

    exit_code = 5


class DivergedError(LossrunError):
    """Training diverged: the loss left the finite numbers, exploded, or the model died."""

    exit_code = 6


class OtherBetterError(LossrunError):
    """The answer to `compare --require` is no: the other run is better."""

    exit_code = 7


class UndecidedError(LossrunError):
    """The answer to `compare --require` is that these runs cannot tell."""

    exit_code = 8


class StoppedError(LossrunError):
    """Stopped from outside, by Ctrl-C; the state is saved."""

    exit_code = 130


class TerminatedError(StoppedError):
    """Stopped from outside, by SIGTERM; the state is saved."""

    exit_code = 143


class HungUpError(StoppedError):
    """Stopped from outside, by SIGHUP, as when the terminal is closed; the state is saved."""

    exit_code = 129


# The exit code of a command that SIGPIPE ended: 128 plus the number of the signal.
READER_GONE: Final = 141
_NO_ERROR_OF_OURS: Final = {
    0: "Everything went well.",
    1: "There is a bug in lossrun; the traceback shows where.",
    READER_GONE: "The program that read the output has ended.",
}


def exit_codes() -> dict[int, str]:
    """Return the meaning of each exit code, in ascending order."""
    found = dict(_NO_ERROR_OF_OURS)
    waiting = LossrunError.__subclasses__()
    for error in waiting:  # a class comes before its subclasses
        found.setdefault(error.exit_code, error.__doc__ or "")
        waiting += [below for below in error.__subclasses__() if below.__module__ == __name__]
    return dict(sorted(found.items()))


# Messages of torch and its libraries about too little memory; torch has no error class for this on the CPU.
_NO_MEMORY: Final = re.compile(
    r"can.?t allocate memory|cannot allocate|not enough memory|out of memory|enforce fail at alloc|bad_?alloc"
    r"|storage size calculation overflowed|could not create a memory|failed to allocate|ALLOC_FAILED"
    r"|failed to map segment",  # of a library of torch, on import
    re.IGNORECASE,
)


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether Python, numpy, torch, or the system could not allocate memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    told = isinstance(error, RuntimeError | ImportError) and _NO_MEMORY.search(str(error))
    return isinstance(error, MemoryError) or bool(told)


@contextmanager
def memory_errors(
    doing: str, fix: str | Callable[[], str], kind: type[LossrunError] = OutOfMemoryError
) -> Iterator[None]:
    """Turn an error about too little memory in the block into one message.

    Args:
        doing: What the block does: "to read the data".
        fix: What to do about it, or what says it, asked only when needed.
    """
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if isinstance(error, LossrunError) or not ran_out_of_memory(error):
            raise
        raise kind(f"not enough memory {doing}; {fix if isinstance(fix, str) else fix()}") from error
