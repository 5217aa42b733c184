"""A stack that fails as a whole: its cells are trained alone, so that only the guilty one fails."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lossrun.analysis.sweeps.result import result_of
from lossrun.config import SourcedConfig
from lossrun.records.recorded import load
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, divided, read_events, read_plan
from lossrun.sweeping.course import missing
from lossrun.sweeping.run import Cells
from lossrun.sweeping.worker import Ended, train_stack
from tests.sweeping.test_course import losses, made

pytestmark = pytest.mark.slow
RATES = [0.001, 0.01, 0.1]
GUILTY = 0.01


@dataclass
class Workers:
    """Trains in this process, but dies of the cell with the guilty rate."""

    failing: Callable[[], dict[str, Ended]] | None = None
    queues: bool = False
    submitted: list[list[float]] = field(default_factory=list)

    def submit(
        self, sweep: Path, stack: Sequence[PlannedCell], config_dir: Path, data_dir: Path
    ) -> Future[dict[str, Ended]]:
        self.submitted.append([cell.changes["learning_rate"] for cell in stack])
        found: Future[dict[str, Ended]] = Future()
        try:
            if self.failing and GUILTY in self.submitted[-1]:
                found.set_result(self.failing())
            else:
                found.set_result(train_stack(sweep, stack, config_dir, data_dir))
        except BrokenProcessPool as error:
            found.set_exception(error)
        return found

    def stop(self) -> None:
        """Nothing runs when it is called."""


def killed() -> dict[str, Ended]:
    raise BrokenProcessPool


def run(sweep: SweepDirectory, workers: Workers) -> Cells:
    @contextmanager
    def opened(_: int) -> Iterator[Workers]:
        yield workers

    cells = Cells(sweep, 1, sweep.path, lambda cell, ended: None, workers=opened)
    cells.run(read_plan(sweep))
    return cells


def test_a_cell_that_kills_its_worker_fails_alone(with_block: Callable[..., SourcedConfig], tmp_path: Path) -> None:
    sweep = made(with_block({"learning_rate": RATES, "tune": False}), tmp_path / "runs")
    (stack,) = {cell.stack for cell in read_plan(sweep)}
    workers = Workers(killed)
    cells = run(sweep, workers)
    # Twice together, then each alone; three deaths of its own for the guilty one.
    assert workers.submitted == [RATES, RATES, [0.001], [0.01], [0.1], [0.01], [0.01]]
    endings = {cell.changes["learning_rate"]: cells.endings[cell.directory].ending for cell in read_plan(sweep)}
    assert endings == {0.001: "finished", 0.01: "failed", 0.1: "finished"}
    assert divided(sweep) == {stack: "its worker process was killed 2 times"}
    assert [event["event"] for event in read_events(sweep)] == ["started", "divided"]
    for cell in read_plan(sweep):
        if cell.changes["learning_rate"] != GUILTY:
            assert "stack" not in load(sweep.run(cell)).environment

    # A later process divides it, too, and what was trained alone is what a lone cell gives.
    assert [cell.changes["learning_rate"] for cell in missing(sweep)] == [GUILTY]
    later = Workers()
    run(sweep, later)
    assert later.submitted == [[GUILTY]]
    lone = made(with_block({"learning_rate": [0.1], "tune": False}), tmp_path / "lone")
    run(lone, Workers())
    assert list(losses(lone).values()) == [losses(sweep)[read_plan(sweep)[2].directory]]
    assert result_of(sweep).unfinished == 0
    assert result_of(sweep).divided == divided(sweep)


def test_an_error_of_a_whole_stack_is_taken_to_be_that_of_one_cell(
    with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    sweep = made(with_block({"learning_rate": RATES, "tune": False}), tmp_path / "runs")
    names = [cell.directory for cell in read_plan(sweep)]
    answers = iter([dict.fromkeys(names, Ended("apart", "a trace\nof this")), {names[1]: Ended("failed", "of this")}])
    cells = run(sweep, Workers(lambda: next(answers)))
    assert [cells.endings[name].ending for name in names] == ["finished", "failed", "finished"]
    assert list(divided(sweep).values()) == ["of this"]


def test_a_cell_whose_directory_is_gone_is_trained_again_and_the_others_are_left_alone(
    with_block: Callable[..., SourcedConfig], tmp_path: Path
) -> None:
    sweep = made(with_block({"learning_rate": RATES, "tune": False}), tmp_path / "runs")
    run(sweep, Workers())
    before = losses(sweep)
    first, gone, last = read_plan(sweep)
    shutil.rmtree(sweep.run(gone))
    cells = run(sweep, Workers())
    assert {ended.ending for ended in cells.endings.values()} == {"finished"}
    after = losses(sweep)
    for cell in (first, last):
        assert after[cell.directory] == before[cell.directory]
    for one, other in zip(after[gone.directory], before[gone.directory], strict=True):
        assert one == pytest.approx(other, rel=1e-5)
