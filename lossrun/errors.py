"""Every error lossrun raises on purpose, one exit code per branch.

    LossrunError                     1  (never raised itself)
    ├── UsageError                   2  the command line asks for something impossible
    │   └── ConfigError              2  a config file is wrong; carries every problem found
    ├── DataError                    3  data is missing, damaged or does not fit the config
    │   └── AbsentDataError          3  a public dataset that is not here and could not be downloaded
    ├── RunError                     4  a run directory, a checkpoint or the disk
    │   ├── CheckpointError          4  no readable checkpoint, or one that does not fit
    │   └── OutOfMemoryError         4  there is less memory than was needed
    ├── LockedError                  5  another process writes this run
    ├── DivergedError                6  the loss left the finite numbers
    └── StoppedError               130  stopped from outside: by Ctrl-C (SIGINT), or
        ├── TerminatedError        143  by SIGTERM
        └── HungUpError            129  by SIGHUP, as when the terminal is closed

The message says what happened, what was expected and how to mend it. The library raises; `cli.py` alone turns these
into text on stderr and an exit code.
"""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final


class LossrunError(Exception):
    """One or more things that are wrong; `problems` holds one text for each."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *problems: str) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(problems))


class UsageError(LossrunError):
    exit_code = 2


class ConfigError(UsageError):
    """One or more mistakes in a config, in file order."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(*problems)


class DataError(LossrunError):
    exit_code = 3


class AbsentDataError(DataError):
    pass


class RunError(LossrunError):
    exit_code = 4


class CheckpointError(RunError):
    pass


class OutOfMemoryError(RunError):
    pass


class LockedError(LossrunError):
    exit_code = 5


class DivergedError(LossrunError):
    exit_code = 6


class StoppedError(LossrunError):
    exit_code = 130


class TerminatedError(StoppedError):
    exit_code = 143


class HungUpError(StoppedError):
    exit_code = 129


# What torch and the libraries under it say where they cannot allocate; it has no error of its own for the CPU.
_NO_MEMORY: Final = re.compile(
    r"can.?t allocate memory|cannot allocate|not enough memory|out of memory|enforce fail at alloc|bad_?alloc"
    r"|storage size calculation overflowed|could not create a memory|failed to allocate|ALLOC_FAILED",
    re.IGNORECASE,
)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether Python, numpy, torch or the system could not allocate what it was asked for."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(_NO_MEMORY.search(str(error))))


@contextmanager
def memory_told(doing: str, fix: str, kind: type[LossrunError] = OutOfMemoryError) -> Iterator[None]:
    """Say in one message that there was not enough memory `doing` what the block does. `fix`: what to do about it."""
    try:
        yield
    except (MemoryError, RuntimeError, OSError) as error:
        if isinstance(error, LossrunError) or not ran_out_of_memory(error):
            raise
        raise kind(f"not enough memory {doing}; {fix}") from error
