"""Worker processes of one thread each, which share what one process has imported."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, forkserver, get_context
from pathlib import Path
from typing import Final, Protocol

from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping import worker
from lossrun.sweeping.worker import Ended

MOST_JOBS: Final = 64


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_workers() -> None:
    """Begin to import torch in the process that workers are forked from, where there is one; it takes a second."""
    if sys.platform != "win32":
        with _ignoring_interrupts():
            forkserver.set_forkserver_preload(worker.PRELOADED)
            forkserver.ensure_running()


@contextmanager
def worker_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that share what one of them has imported, where the system can fork."""
    if sys.platform == "win32":
        pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=worker.begin_worker)
    else:
        prepare_workers()
        pool = ProcessPoolExecutor(workers, get_context("forkserver"), initializer=worker.begin_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


class Workers(Protocol):
    """What trains stacks of cells: processes of this machine, or tasks of a cluster.

    Attributes:
        queues: Whether stacks may have to wait, so that the end of a sweep has to stop them.
    """

    queues: bool

    def submit(
        self, sweep: Path, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path
    ) -> Future[dict[str, Ended]]:
        """Train a stack; how each of its cells ended, by its directory."""
        ...

    def stop(self) -> None:
        """Let everything that is being trained save its state and end."""
        ...


class LocalWorkers:
    """Processes of this machine."""

    queues = False

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self.pool = pool

    def submit(
        self, sweep: Path, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path
    ) -> Future[dict[str, Ended]]:
        return self.pool.submit(worker.train_stack, sweep, stack, config_dir, data_dir)

    def stop(self) -> None:
        for process in active_children():
            process.terminate()


@contextmanager
def local_workers(jobs: int) -> Iterator[LocalWorkers]:
    with worker_pool(jobs) as pool:
        yield LocalWorkers(pool)


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Processes started in the block ignore Ctrl-C, also while they are still importing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
