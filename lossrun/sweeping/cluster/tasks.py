"""Train stacks of cells as tasks of a Ray cluster.

A task trains one stack. If its node sees the folder of the sweep, it trains there and yields how each cell ended. If
not, it trains from the state that it is given, and yields the files to write (`carrying.py`). One thread receives from
all tasks. When a task is lost, another one is submitted with the newest state. Ray's own retries are off, because they
would begin with the first state again.
"""

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from lossrun.errors import LockedError, RunError
from lossrun.records.sweep_directory import PlannedCell
from lossrun.sweeping.cluster.carrying import Delivery, trained_elsewhere
from lossrun.sweeping.cluster.receiving import Receiver, steps_done
from lossrun.sweeping.worker import Ended, train_stack
from lossrun.version import __version__

# After this many losses without a step in between, the stack is considered the cause.
MOST_LOSSES: Final = 10
CHECKED_EVERY: Final = 0.1  # seconds between looks at tasks that were submitted meanwhile


class Terms(NamedTuple):
    """The version of lossrun that a task needs, its threads, and its GPUs."""

    version: str
    threads: int
    gpus: float = 0


@dataclass
class _Attempt:
    """A task, and what it was given.

    Attributes:
        losses: How often in a row a task of this stack was lost without having done a step.
    """

    sweep: Path
    stack: Sequence[PlannedCell]
    folders: tuple[Path, Path]
    future: "Future[dict[str, Ended]]"
    receiver: Receiver
    losses: int = 0


@dataclass
class Tasks:
    """The tasks of one phase of a sweep. `threads` and `gpus`: of each task."""

    remote: Any
    threads: int
    gpus: float
    queues: bool = True
    _running: dict[Any, _Attempt] = field(default_factory=dict)
    _changing: threading.Lock = field(default_factory=threading.Lock)
    _is_stopping: bool = False

    def submit(
        self, sweep: Path, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path
    ) -> "Future[dict[str, Ended]]":
        """Train a stack on a node; how each of its cells ended, by its directory.

        The result raises BrokenProcessPool if the process was killed, and its node was not lost.
        """
        # The current folder of a node is another one.
        sweep, folders = sweep.absolute(), (config_dir.absolute(), data_dir.absolute())
        future: Future[dict[str, Ended]] = Future()
        self._start(_Attempt(sweep, stack, folders, future, Receiver(sweep, stack)))
        return future

    def stop(self) -> None:
        """Make every task save its state and end: a task receives a cancellation as a Ctrl-C."""
        with self._changing:
            if self._is_stopping:
                return
            self._is_stopping = True
            running = list(self._running)
        for generator in running:
            _cancel(generator)

    def _start(self, attempt: _Attempt) -> None:
        import ray

        state = attempt.receiver.state()
        # Inside a list, it is fetched only where it is needed.
        given = [] if state == {} else [ray.put(state)]
        generator = self.remote.remote(
            Terms(__version__, self.threads, self.gpus), attempt.sweep, list(attempt.stack), *attempt.folders, given
        )
        with self._changing:
            self._running[generator] = attempt
            is_late = self._is_stopping
        if is_late:
            _cancel(generator)

    def receive(self, over: threading.Event) -> None:
        """Receive from all tasks, until this is over."""
        import ray

        while not over.is_set():
            with self._changing:
                running = list(self._running)
            if not running:
                over.wait(CHECKED_EVERY)
                continue
            ready, _ = ray.wait(running, timeout=CHECKED_EVERY, fetch_local=False)
            for generator in ready:
                with self._changing:
                    attempt = self._running.pop(generator)
                if self._goes_on(generator, attempt):
                    with self._changing:
                        self._running[generator] = attempt  # behind the others

    def _goes_on(self, generator: Any, attempt: _Attempt) -> bool:
        """Take what a task has sent; return whether there is more to come."""
        import ray
        from ray.exceptions import RayError, RayTaskError, TaskCancelledError

        endings: Mapping[str, Ended]
        try:
            delivery: Delivery = ray.get(next(generator))
            if delivery.files:
                attempt.receiver.take(delivery)
            if delivery.endings is None:
                return True
            endings = delivery.endings
        except TaskCancelledError:
            endings = _all(attempt, Ended("stopped"))
        except RayTaskError as error:
            endings = _all(attempt, Ended("blocked", f"its task failed: {_last_line(error)}"))
        except (RayError, StopIteration) as error:
            self._lost(attempt, _last_line(error), by_itself=_is_crash(error))
            return False
        except RunError as error:
            _cancel(generator)
            endings = _all(attempt, Ended("blocked", "\n".join(error.problems)))
        except LockedError as error:
            # A process on a node that was given up is still writing, or a cell was resumed by itself.
            _cancel(generator)
            self._lost(attempt, "\n".join(error.problems))
            return False
        except BaseException as error:
            _cancel(generator)
            attempt.receiver.close()
            attempt.future.set_exception(error)
            return False
        attempt.receiver.close()
        attempt.future.set_result(dict(endings))
        return False

    def _lost(self, attempt: _Attempt, problem: str, *, by_itself: bool = False) -> None:
        """Submit another task for the same stack, or give up.

        `by_itself`: whether its process died on a node that lives, so that the stack may be the cause.
        """
        attempt.receiver.close()
        progressed = steps_done(attempt.sweep, attempt.stack) > attempt.receiver.steps
        losses = 1 if progressed else attempt.losses + 1
        if self._is_stopping:
            attempt.future.set_result(_all(attempt, Ended("stopped")))
        elif by_itself and not progressed:
            attempt.future.set_exception(BrokenProcessPool(problem))
        elif losses > MOST_LOSSES:
            attempt.future.set_result(_all(attempt, Ended("blocked", f"its task was lost {losses} times: {problem}")))
        else:
            receiver = Receiver(attempt.sweep, attempt.stack)
            self._start(_Attempt(attempt.sweep, attempt.stack, attempt.folders, attempt.future, receiver, losses))


@contextmanager
def receiving(tasks: Tasks) -> Iterator[Tasks]:
    """Receive what the tasks send until the end of the block."""
    over = threading.Event()
    thread = threading.Thread(target=tasks.receive, args=(over,), name="lossrun-receiver", daemon=True)
    thread.start()
    try:
        yield tasks
    finally:
        over.set()
        thread.join()


def train_on_node(
    terms: Terms,
    sweep: Path,
    stack: Sequence[PlannedCell],
    config_dir: Path,
    data_dir: Path,
    state: Sequence[Any],
) -> Iterator[Delivery]:
    """Train a stack on a node; yield what to write if the node does not see the sweep, and how each cell ended.

    Args:
        state: A reference to the files that the stack has so far; empty if there are none.
    """
    if terms.version != __version__:
        problem = (
            f"{socket.gethostname()} has lossrun {__version__}, but the sweep was started with {terms.version}; all "
            "nodes need the same version"
        )
        yield Delivery({}, frozenset(), {cell.directory: Ended("blocked", problem) for cell in stack})
        return
    if not terms.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray hides them in some versions only
    import torch

    torch.set_num_threads(terms.threads)
    if sweep.is_dir():
        yield Delivery({}, frozenset(), train_stack(sweep, stack, config_dir, data_dir))
        return
    import ray

    files = ray.get(state[0]) if state else {}
    yield from trained_elsewhere(sweep.name, stack, config_dir, data_dir, files)


def _all(attempt: _Attempt, ended: Ended) -> dict[str, Ended]:
    return {cell.directory: ended for cell in attempt.stack}


def _cancel(generator: Any) -> None:
    import ray

    with suppress(Exception):  # it has ended meanwhile
        ray.cancel(generator)


def _is_crash(error: BaseException) -> bool:
    from ray.exceptions import OutOfMemoryError, WorkerCrashedError

    return isinstance(error, OutOfMemoryError | WorkerCrashedError)


def _last_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
