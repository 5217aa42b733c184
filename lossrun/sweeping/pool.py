"""Start worker processes of one thread each, which share what one process has imported."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from itertools import chain
from multiprocessing import current_process, forkserver, get_context, resource_tracker
from pathlib import Path
from types import ModuleType
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from lossrun.errors import RunError, UsageError
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping import worker
from lossrun.sweeping.worker import Ended

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

MOST_JOBS: Final = 64
MOST_STARTS: Final = 3  # of a worker, if the process that starts it is killed each time


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_workers() -> None:
    """Start importing torch, which takes a second, in the process that workers are forked from, if there is one.

    Raises:
        UsageError: In a daemonic process, such as a worker of `multiprocessing.Pool`: it may not start others.
        RunError: If the system refuses.
    """
    if current_process().daemon:
        raise UsageError(
            "this needs worker processes, but a daemonic process of multiprocessing, such as this one, may not "
            "start any; call it in the main process, or in a concurrent.futures.ProcessPoolExecutor"
        )
    if sys.platform == "win32":
        return
    try:
        with _sheltering():
            resource_tracker.ensure_running()  # which lets Ctrl-C through again
        with _sheltering():
            forkserver.set_forkserver_preload(worker.PRELOADED)
            forkserver.ensure_running()
    except OSError as error:
        # Processes meet at a socket in the temporary folder, and its path has at most 108 characters.
        raise RunError(
            f"worker processes cannot be started: {error.strerror or error}; the variable TMPDIR names the folder of "
            "their temporary files, which must be writable and have a short path"
        ) from error


class WorkerPool(ProcessPoolExecutor):
    """Processes that do not run the main script again.

    multiprocessing makes each new process import the main script, for functions that are defined there. Workers do not
    need them, and a script without `if __name__ == "__main__"` would start the sweep again in every worker.
    """

    def submit(self, task: Callable[Parameters, Result], /, *arguments: Any, **keywords: Any) -> Future[Result]:
        """Submit a task. The pool starts its processes here.

        Ctrl-C waits until they have started: nothing would end a process that the pool does not know yet, and it would
        print a traceback once this one is gone.

        Raises BrokenProcessPool if the process that starts them was killed meanwhile; another pool starts it again.
        """
        with _without_main_script(), _deferring("SIGINT"):
            try:
                return super().submit(task, *arguments, **keywords)
            except (EOFError, ConnectionError) as error:
                raise BrokenProcessPool("no process could be started") from error

    def terminate(self) -> None:
        """Send SIGTERM to the pool's processes, and to no other processes of the program."""
        for process in list((self._processes or {}).values()):
            process.terminate()


@contextmanager
def worker_pool(workers: int) -> Iterator[WorkerPool]:
    """Return the start method for processes that share what one of them has imported, if the system can fork."""
    prepare_workers()
    way = "spawn" if sys.platform == "win32" else "forkserver"
    pool = WorkerPool(workers, get_context(way), initializer=worker.begin_worker)
    try:
        yield pool
    except BaseException:
        pool.terminate()  # otherwise the end of the pool waits for what they are doing
        raise
    finally:
        pool.shutdown(cancel_futures=True)


class Workers(Protocol):
    """Trains stacks of cells: processes of this machine, or tasks of a cluster.

    Attributes:
        queues: Whether stacks may have to wait, so that the end of a sweep has to stop them.
    """

    queues: bool

    def submit(
        self, sweep: Path, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path
    ) -> Future[dict[str, Ended]]:
        """Train a stack; the result says how each of its cells ended, by its directory."""
        ...

    def stop(self) -> None:
        """Make all running trainings save their state and end."""
        ...


class LocalWorkers:
    """Processes of this machine. Each has its own pool, so that killing one does not end the others."""

    queues = False

    def __init__(self, opened: ExitStack) -> None:
        """`opened`: closes the pools."""
        self._opened = opened
        self._newest: dict[WorkerPool, Future[dict[str, Ended]]] = {}

    def submit(
        self, sweep: Path, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path
    ) -> Future[dict[str, Ended]]:
        """Train a stack in an idle process, or in a new one.

        The result raises BrokenProcessPool if the process was killed. Raises RunError if no process can be started.
        """
        idle = [pool for pool, newest in self._newest.items() if newest.done()]
        for pool in chain(idle, (self._opened.enter_context(worker_pool(1)) for _ in range(MOST_STARTS))):
            try:
                future = pool.submit(worker.train_stack, sweep, stack, config_dir, data_dir)
            except BrokenProcessPool:
                self._newest.pop(pool, None)
            else:
                self._newest[pool] = future
                return future
        raise RunError(
            f"worker processes are killed before they begin, {MOST_STARTS} times in a row, probably for lack of memory"
        )

    def stop(self) -> None:
        for pool in self._newest:
            pool.terminate()


@contextmanager
def local_workers(_jobs: int) -> Iterator[LocalWorkers]:
    """Give workers whose processes start when they are needed."""
    with ExitStack() as opened:
        workers = LocalWorkers(opened)
        try:
            yield workers
        except BaseException:
            workers.stop()  # all of them, before the first one is waited for
            raise


@contextmanager
def _without_main_script() -> Iterator[None]:
    """Prevent processes that are started in the block from importing the main script."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _deferring(*names: str) -> Iterator[None]:
    """Deliver these signals only after the block.

    Blocking them would not do: another thread, such as one of torch's, receives them instead.
    """
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    main = threading.current_thread() is threading.main_thread()
    # A handler that Python does not know stays.
    before = {number: handler for number in numbers if main and (handler := signal.getsignal(number)) is not None}
    came: list[int] = []
    for number in before:
        signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in came:
            signal.raise_signal(number)


@contextmanager
def _sheltering() -> Iterator[None]:
    """Let no signal reach processes that are started in the block, even while they import.

    Ctrl-C and the end of the terminal reach all processes of a terminal, and a batch system may signal all processes of
    a job, but this process stops its workers; without multiprocessing's tracker of resources, which it would restart,
    there are tracebacks. New processes inherit what this thread blocks. Ignoring the signals here for a moment would
    lose a Ctrl-C of that moment.
    """
    names = [name for name in ("SIGINT", "SIGHUP", "SIGTERM", "SIGUSR1") if hasattr(signal, name)]
    with _deferring(*names):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {getattr(signal, name) for name in names})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
