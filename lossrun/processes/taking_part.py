"""Take part in a run of several processes: connect to the others, lead or follow, and exit.

A follower prints nothing, and exits after the leader, with the leader's exit code.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Final

from lossrun.errors import LostProcessError, UsageError
from lossrun.output import data_to
from lossrun.processes.exchange import LeaderLeftError, Processes

# Variables that torchrun sets for each process; any launcher that sets them works.
VARIABLES: Final = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

_current: list[Processes] = []


def current() -> Processes | None:
    """Return the processes of the run that this one takes part in; None if it trains alone."""
    return _current[-1] if _current else None


def is_leader() -> bool:
    """Return whether this process writes its run: it trains alone, or leads the others."""
    return not _current or _current[-1].leads


@contextmanager
def taking_part() -> Iterator[None]:
    """Take part in a run of several processes inside the block, if this one was started as one of them.

    A follower prints nothing inside the block, and leaves by SystemExit with the leader's exit code. If the leader was
    killed, it raises LostProcessError instead.
    """
    if not _several():
        yield
        return
    processes = _met()
    with _leading(processes) if processes.leads else _following(processes):
        _current.append(processes)
        try:
            yield
        finally:
            _current.pop()


def is_silent() -> bool:
    """Return whether a launcher has started this process as one of several, and not as the first, which prints."""
    return _several() and os.environ["RANK"] != "0"


def require_one_process(what: str, instead: str) -> None:
    """Raise UsageError if a launcher has started several processes for a command that must run once.

    `what`: a sentence that the command runs in one process; `instead`: what to do instead.
    """
    if _several():
        raise UsageError(f"{what}, and torchrun has started {os.environ['WORLD_SIZE']} processes; {instead}")


def _several() -> bool:
    """Return whether a launcher has started this process as one of several."""
    return all(name in os.environ for name in VARIABLES) and os.environ["WORLD_SIZE"] != "1"


def _met() -> Processes:
    """Connect to the store that the processes of the run share."""
    # Do not let torch print a message when a connection ends, because lossrun prints its own.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    try:
        store, rank, count = next(rendezvous("env://"))
    except ValueError as error:
        given = ", ".join(f"{name}={os.environ[name]}" for name in VARIABLES)
        raise UsageError(
            f"{given}: {error}; torchrun sets these variables; unset them to train in one process"
        ) from error
    # torchrun may start all processes again, and its store still holds the keys of the first attempt.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return Processes(rank, count, int(os.environ.get("LOCAL_RANK", rank)), PrefixStore(f"lossrun/{attempt}", store))


@contextmanager
def _leading(processes: Processes) -> Iterator[None]:
    code = 1
    try:
        yield
        code = 0
    except BaseException as error:
        code = 130 if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", 1)
        raise
    finally:
        processes.leave(code)


@contextmanager
def _following(processes: Processes) -> Iterator[None]:
    code = 0
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere), data_to(nowhere):
            yield
    except LeaderLeftError as left:
        code = left.code
    except LostProcessError:
        code = LostProcessError.exit_code
        if processes.reports_lost_leader():
            raise
    except BaseException as error:
        processes.report(error)
        code = getattr(error, "exit_code", 1)
    finally:
        processes.exit_as_follower(code)
    if code:
        sys.exit(code)
