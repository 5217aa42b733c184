"""The processes that train the stacks of a sweep, stood for by pools that do what the test says."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from lossrun.config import SourcedConfig
from lossrun.errors import RunError, StoppedError
from lossrun.records.sweep_directory import read_plan
from lossrun.sweeping import pool
from lossrun.sweeping.pool import local_workers
from lossrun.sweeping.run import Cells
from tests.sweeping.test_course import made


class Pool:
    """Keeps what it is given; a broken one takes nothing more."""

    def __init__(self) -> None:
        self.given: list[Future[Any]] = []
        self.is_broken = False

    def submit(self, *_: Any) -> Future[Any]:
        if self.is_broken:
            raise BrokenProcessPool
        self.given.append(Future())
        return self.given[-1]


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[Pool]:
    opened: list[Pool] = []

    @contextmanager
    def worker_pool(workers: int) -> Iterator[Pool]:
        assert workers == 1
        opened.append(Pool())
        yield opened[-1]

    monkeypatch.setattr(pool, "worker_pool", worker_pool)
    return opened


def test_each_worker_is_a_pool_of_its_own_that_is_used_again(pools: list[Pool]) -> None:
    with local_workers(2) as workers:

        def submit() -> Future[Any]:
            return workers.submit(Path(), [], Path(), Path())

        submit()
        second = submit()
        assert [len(one.given) for one in pools] == [1, 1]
        second.set_result({})
        submit()
        assert [len(one.given) for one in pools] == [1, 2]
        # The first one's process is killed: its stack has to be tried again, and the other one goes on.
        pools[0].is_broken = True
        pools[0].given[0].set_exception(BrokenProcessPool())
        submit()
        assert [len(one.given) for one in pools] == [1, 2, 1]


@pytest.mark.parametrize("killed", [EOFError, ConnectionRefusedError])
@pytest.mark.parametrize("times", [2, 3])
def test_a_worker_starts_again_if_the_process_that_starts_it_was_killed(
    monkeypatch: pytest.MonkeyPatch, killed: type[Exception], times: int
) -> None:
    def submit(*_: Any) -> Future[Any]:
        tries.append(1)
        if len(tries) <= times:
            raise killed
        return Future()

    tries: list[int] = []
    monkeypatch.setattr(pool, "prepare_workers", lambda: None)
    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    refused = nullcontext() if times < 3 else pytest.raises(RunError, match="killed before they begin, 3 times")
    with local_workers(1) as workers, refused:
        workers.submit(Path(), [], Path(), Path())
    assert len(tries) == 3


def test_a_second_interruption_says_how_to_go_on(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> None:
    class Interrupted:
        queues = False

        def submit(self, *_: Any) -> Future[Any]:
            raise KeyboardInterrupt

        def stop(self) -> None:
            """Nothing runs."""

    @contextmanager
    def workers(_: int) -> Iterator[Interrupted]:
        yield Interrupted()

    sweep = made(with_block({"loss": ["mse", "mae"]}), tmp_path / "runs")
    cells = Cells(sweep, 1, tmp_path, lambda cell, ended: None, workers=workers, options={"--jobs": "1"})
    with pytest.raises(StoppedError, match="interrupted twice") as stopped:
        cells.run(read_plan(sweep))
    assert f"lossrun resume {sweep.path} --jobs 1" in str(stopped.value)
