"""Sweeps whose cells are trained in the process itself, so that its operations on files are those of all workers."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from unittest import mock

from lossrun.sweeping import pool
from tests.crash import file_operations


class InlinePool:
    """Does the work when it is submitted."""

    def submit(self, work: Any, *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments))
        return future


@contextmanager
def inline_pool(_: int) -> Iterator[InlinePool]:
    """Stands for the pool of worker processes."""
    yield InlinePool()


@contextmanager
def installed() -> Iterator[None]:
    """In the block."""
    with mock.patch.object(pool, "worker_pool", inline_pool):
        yield


def install() -> None:
    """For the rest of the process."""
    mock.patch.object(pool, "worker_pool", inline_pool).start()


def record(**given: Any) -> None:
    install()
    file_operations.record(**given)


def fail(**given: Any) -> None:
    install()
    file_operations.fail(**given)
