"""Work of a pool done in the process itself, so that its operations on files are those of all workers."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from lossrun.sweeping import pool, rate_finder


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
    with ExitStack() as patches:
        for patch in _patches():
            patches.enter_context(patch)
        yield


def install() -> None:
    """For the rest of the process."""
    for patch in _patches():
        patch.start()


def _patches() -> list[Any]:
    """Return what stands in for the pool in every module that has its name."""
    return [mock.patch.object(user, "worker_pool", inline_pool) for user in (pool, rate_finder)]
