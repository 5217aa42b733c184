"""Worker processes of one thread each, which share what one process has imported."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import forkserver, get_context
from typing import Final

from lossrun.sweeping import worker

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
