"""Sweeps whose cells are trained in the process itself, so that its operations on files are those of all workers."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from unittest import mock

from lossrun.sweeping import run
from tests.crash import file_operations


class InlinePool:
    """Does the work when it is submitted."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> "InlinePool":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Any, *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments))
        return future

    def shutdown(self, **_: Any) -> None:
        pass


class NoServer:
    """Stands for the module `forkserver`."""

    def set_forkserver_preload(self, _: Any) -> None:
        pass

    def ensure_running(self) -> None:
        pass


@contextmanager
def installed() -> Iterator[None]:
    """In the block."""
    with mock.patch.multiple(run, ProcessPoolExecutor=InlinePool, forkserver=NoServer()):
        yield


def install() -> None:
    """For the rest of the process."""
    mock.patch.multiple(run, ProcessPoolExecutor=InlinePool, forkserver=NoServer()).start()


def record(**given: Any) -> None:
    install()
    file_operations.record(**given)


def fail(**given: Any) -> None:
    install()
    file_operations.fail(**given)
