"""Train the stacks of a sweep as tasks of a Ray cluster: `lossrun sweep CONFIG --ray auto`.

A task trains one stack from its state on disk, so it can be run again at any time, on any node. When a node is lost,
Ray runs its tasks again elsewhere. A process that only lost its connection still holds the locks of its runs, and the
new process waits for it. A node that does not see the folder of the runs starts from the beginning, and sends back the
runs that have ended.
"""

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from lossrun.errors import RunError, UsageError
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.carrying import Carried, received, trained_elsewhere
from lossrun.sweeping.worker import Ended, train_stack

# After this many losses of a node or a process, its stack is considered the cause.
MOST_RETRIES: Final = 10
# Tasks that are submitted to Ray at once; Ray runs as many of them as it has resources for.
MOST_TASKS: Final = 1000
ANSWERS_WITHIN: Final = 5.0  # seconds
# The head of a cluster speaks HTTP/2, in which both sides begin with their settings (RFC 9113, section 3.4).
_SETTINGS: Final = b"\x04"
_GREETING: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0" + _SETTINGS + bytes(5)


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster that this process is connected to. `cpus` and `gpus`: what each task gets; a GPU can be shared."""

    address: str
    cpus: float = 1
    gpus: float = 0

    @property
    def options(self) -> dict[str, object]:
        """What `resume` needs to go on here."""
        cpus, gpus = (None if value == usual else f"{value:g}" for value, usual in ((self.cpus, 1), (self.gpus, 0)))
        return {"--ray": self.address, "--cpus": cpus, "--gpus": gpus}

    @contextmanager
    def workers(self, _jobs: int) -> Iterator["Tasks"]:
        """The workers of the cluster, which train stacks."""
        import ray

        threads = max(int(self.cpus), 1)
        limits = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_retries": MOST_RETRIES}
        yield Tasks(ray.remote(**limits)(train_on_node), threads)

    def leave(self) -> None:
        """Disconnect. Tasks that still run end."""
        import ray

        ray.shutdown()


@dataclass
class Tasks:
    """The tasks of one phase of a sweep."""

    remote: Any
    threads: int
    references: list[Any] = field(default_factory=list)
    are_stopping: bool = False
    queues: bool = True

    def submit(
        self, sweep: Path, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path
    ) -> "Future[dict[str, Ended]]":
        # A node is in another folder.
        sweep, config_dir, data_dir = sweep.absolute(), config_dir.absolute(), data_dir.absolute()
        reference = self.remote.remote(self.threads, sweep, list(stack), config_dir, data_dir)
        self.references.append(reference)
        told: Future[dict[str, Ended]] = Future()
        reference.future().add_done_callback(partial(_tell, told, sweep, stack))
        return told

    def stop(self) -> None:
        """Make every task save its state and end: a task receives a cancellation as a Ctrl-C."""
        import ray

        if not self.are_stopping:
            self.are_stopping = True
            for reference in self.references:
                ray.cancel(reference)


def connect(address: str, cpus: float = 1, gpus: float = 0) -> Cluster:
    """Connect to the cluster at this address; `auto` for the one that this machine belongs to.

    Raises UsageError if Ray is not installed, or if no cluster answers.
    """
    _refuse_silence(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise UsageError(f'--ray: Ray is not installed ({error}); it comes with: pip install "lossrun[ray]"') from error
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about changes in later versions of Ray
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"--ray {address}: there is no cluster to connect to ({reason}); start one with `ray start --head`, or "
            "give the address of its head, such as 10.0.0.1:6379"
        ) from error
    finally:
        # Ray's own handler would exit at once.
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)
    _refuse_too_much(ray.cluster_resources(), address, cpus, gpus)
    return Cluster(address, cpus, gpus)


def _refuse_silence(address: str) -> None:
    """Raise UsageError if no head answers at HOST:PORT: Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if address in ("auto", "local") or "://" in address:
        if address == "local":
            raise UsageError("--ray local: a cluster of this machine alone is what a sweep has without --ray")
        return
    if not (colon and host and port.isdecimal()):
        raise UsageError(f"--ray {address}: expected auto, or an address such as 10.0.0.1:6379")
    try:
        with socket.create_connection((host, int(port)), ANSWERS_WITHIN) as connection:
            connection.sendall(_GREETING)
            is_head = connection.recv(9)[3:4] == _SETTINGS
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"--ray {address}: no program answers there ({getattr(error, 'strerror', None) or error}); "
            "`ray status` on the head shows the address of a cluster"
        ) from error
    if not is_head:
        raise UsageError(
            f"--ray {address}: the program that answers there is not a Ray head; the port of a head is 6379, unless "
            "`ray start` was given another one"
        )


def _refuse_too_much(there: dict[str, float], address: str, cpus: float, gpus: float) -> None:
    """Raise UsageError for more than the whole cluster has, because the tasks would wait forever."""
    for option, kind, wanted in (("--cpus", "CPU", cpus), ("--gpus", "GPU", gpus)):
        if wanted > there.get(kind, 0):
            raise UsageError(f"{option} {wanted:g}: the cluster at {address} has {there.get(kind, 0):g} {kind}s now")


def train_on_node(threads: int, sweep: Path, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path) -> Carried:
    """Train a stack on a node; return how each cell ended, with the runs if the node does not see the sweep."""
    import torch

    torch.set_num_threads(threads)
    if not sweep.is_dir():
        return trained_elsewhere(sweep.name, stack, config_dir, data_dir)
    return Carried(train_stack(sweep, stack, config_dir, data_dir), b"")


def _tell(
    told: "Future[dict[str, Ended]]", sweep: Path, stack: Sequence[PlannedCell], future: "Future[Carried]"
) -> None:
    """Forward the result of a task. An error of Ray counts as a result."""
    from ray.exceptions import RayError, TaskCancelledError

    try:
        told.set_result(received(sweep, stack, future.result()))
    except RunError as error:
        told.set_result({cell.directory: Ended("blocked", "\n".join(error.problems)) for cell in stack})
    except TaskCancelledError:
        told.set_result({cell.directory: Ended("stopped") for cell in stack})
    except RayError as error:
        lines = str(error).strip().splitlines()
        problem = f"its task was lost: {lines[-1] if lines else type(error).__name__}"
        told.set_result({cell.directory: Ended("blocked", problem) for cell in stack})
    except BaseException as error:
        told.set_exception(error)
