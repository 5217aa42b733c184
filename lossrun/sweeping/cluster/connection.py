"""Connect to a Ray cluster: `lossrun sweep CONFIG --ray auto`. What it trains there is in `tasks.py`."""

import logging
import os
import signal
import socket
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from lossrun.digits import apart
from lossrun.errors import UsageError
from lossrun.sweeping.cluster.tasks import Tasks, receiving, train_on_node

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
    def workers(self, _jobs: int) -> Iterator[Tasks]:
        """Yield what sends stacks to the workers of the cluster."""
        import ray

        # A task waits until what it has sent last is received, so little is in memory on both sides.
        limits = {"max_retries": 0, "_generator_backpressure_num_objects": 1}
        remote = ray.remote(num_cpus=self.cpus, num_gpus=self.gpus, **limits)(train_on_node)
        with receiving(Tasks(remote, threads=max(int(self.cpus), 1), gpus=self.gpus)) as tasks:
            yield tasks

    def leave(self) -> None:
        """Disconnect. Tasks that still run end."""
        import ray

        ray.shutdown()


def connect(address: str, cpus: float = 1, gpus: float = 0) -> Cluster:
    """Connect to the cluster at this address; `auto` for the one that this machine belongs to.

    Raises UsageError if Ray is not installed, if no cluster answers, if the cluster has another version of Ray or
    Python, and for more than any of its nodes has.
    """
    if cpus <= 0 or gpus < 0:
        raise UsageError(f"cpus={cpus:g}, gpus={gpus:g}: expected CPUs above 0 and GPUs of at least 0 for each task")
    if gpus > 1 and gpus % 1:
        raise UsageError(f"--gpus {gpus:g}: Ray gives a task a part of one GPU, or whole ones")
    _refuse_silence(address)
    if address == "auto" and os.environ.get("RAY_ADDRESS"):
        _refuse_silence(os.environ["RAY_ADDRESS"])
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
        lines = [line.strip() for line in str(error).strip().splitlines()]
        if lines[0].startswith("Version mismatch"):
            raise UsageError(f"--ray {address}: {' '.join(lines)}") from error
        reason = lines[0]
        raise UsageError(
            f"--ray {address}: there is no cluster to connect to ({reason}); start one with `ray start --head`, or "
            "give the address of its head, such as 10.0.0.1:6379"
        ) from error
    finally:
        # Ray's own handler would exit at once.
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)
    try:
        _refuse_too_much(ray.nodes(), address, cpus, gpus)
    except UsageError:
        ray.shutdown()
        raise
    return Cluster(address, cpus, gpus)


def _refuse_silence(address: str) -> None:
    """Raise UsageError if no head answers at HOST:PORT: Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if address == "auto":
        return
    if address == "local":
        raise UsageError("--ray local: on a single machine, a sweep needs no Ray; leave out --ray")
    if "://" in address:
        raise UsageError(
            f"--ray {address}: a sweep runs on a machine of the cluster; start it there, with --ray auto (`ray job "
            "submit` does that from elsewhere)"
        )
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


def _refuse_too_much(nodes: Sequence[Mapping[str, Any]], address: str, cpus: float, gpus: float) -> None:
    """Raise UsageError for more than any node has, because the tasks would wait forever."""
    there = [node["Resources"] for node in nodes if node["Alive"]]
    wanted = {"CPU": cpus, "GPU": gpus}
    if any(all(node.get(kind, 0) >= amount for kind, amount in wanted.items()) for node in there):
        return
    for option, kind, amount in (("--cpus", "CPU", cpus), ("--gpus", "GPU", gpus)):
        most = max((node.get(kind, 0) for node in there), default=0)
        if not amount <= most:
            asked, highest = apart(amount, most)
            raise UsageError(f"{option} {asked}: no node of the cluster at {address} has more than {highest} {kind}s")
    raise UsageError(
        f"--cpus {cpus:g} --gpus {gpus:g}: no node of the cluster at {address} has as many CPUs and GPUs together"
    )
