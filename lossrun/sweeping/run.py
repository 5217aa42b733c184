"""Running the cells of a sweep in worker processes, and going on after any of them, or all of it, was killed."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lossrun.errors import StoppedError
from lossrun.records import ledger
from lossrun.records.provenance.whereabouts import config_folder
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory
from lossrun.shell import command, run_word
from lossrun.sweeping import worker
from lossrun.sweeping.pool import Workers, local_workers
from lossrun.sweeping.stacks import by_stack, with_stacks
from lossrun.sweeping.worker import Ended
from lossrun.training.process.stopping import Request, Requests, listening

# A cell whose worker has been killed so often is taken to be the cause.
MOST_KILLS: Final = 3
CHECKED_EVERY: Final = 0.1  # seconds between looks at what was asked from outside


@dataclass
class Cells:
    """The cells of a sweep being run. `told(cell, ended)` is called as soon as one ends.

    Attributes:
        workers: Gives, for a number of jobs, what the stacks are handed to.
        options: What `lossrun resume` needs to continue there.
        fail_fast: Whether the first failure ends all. A cell that could not be run because the data or the disk were
            not to be had always does: the next ones would meet the same.
        endings: How each cell ended, by its directory.
    """

    sweep: SweepDirectory
    jobs: int
    data_dir: Path
    told: Callable[[PlannedCell, Ended], None]
    fail_fast: bool = False
    workers: Callable[[int], AbstractContextManager[Workers]] = local_workers
    options: Mapping[str, object] = field(default_factory=dict)
    endings: dict[str, Ended] = field(default_factory=dict)
    _kills: dict[str, int] = field(default_factory=dict)

    def run(self, cells: Sequence[PlannedCell]) -> None:
        """Run every cell that is not finished.

        Raises StoppedError, or its kind for the signal, once the workers have saved the state of their cells.
        """
        for cell in cells:
            if ended := recorded_ending(self.sweep, cell):
                self._end(cell, ended)
        with listening() as asked:
            while left := [stack for stack in by_stack(cells).values() if not self._have_ended(stack)]:
                try:
                    self._run_in_a_pool(left, asked)
                except BrokenProcessPool:
                    if asked.stopping:
                        raise self._stopped(asked()) from None
                    continue  # the cells that were running are tried again
                if self.is_over:
                    return

    @property
    def is_over(self) -> bool:
        """Whether a cell has ended in a way that ends the sweep."""
        return any(self._ends_all(ended) for ended in self.endings.values())

    def _ends_all(self, ended: Ended) -> bool:
        return ended.ending == "blocked" or (self.fail_fast and ended.ending == "failed")

    def _end(self, cell: PlannedCell, ended: Ended) -> None:
        self.endings[cell.directory] = ended
        self.told(cell, ended)

    def with_stacks(self, cells: Sequence[PlannedCell]) -> list[PlannedCell]:
        """Return the cells with their stacks; see `lossrun.sweeping.stacks.with_stacks`."""
        return with_stacks(cells, self._config_dir(cells[0]), self.data_dir) if cells else []

    def _have_ended(self, cells: Sequence[PlannedCell]) -> bool:
        return all(cell.directory in self.endings for cell in cells)

    def _run_in_a_pool(self, stacks: Sequence[Sequence[PlannedCell]], asked: Requests) -> None:
        """Raises BrokenProcessPool where a worker was killed."""
        running: dict[Future[dict[str, Ended]], Sequence[PlannedCell]] = {}
        queue, over = iter(stacks), False
        with self.workers(min(self.jobs, len(stacks))) as workers:
            try:
                while True:
                    while len(running) < self.jobs and not (asked.stopping or over) and (stack := next(queue, None)):
                        running[self._submit(workers, stack)] = stack
                    if not running:
                        break
                    done, _ = wait(running, timeout=CHECKED_EVERY, return_when=FIRST_COMPLETED)
                    if asked.stopping or (over and workers.queues):
                        workers.stop()
                    for future in done:
                        endings, stack = future.result(), running.pop(future)
                        for cell in stack:
                            ended = endings[cell.directory]
                            if ended.ending != "stopped" and cell.directory not in self.endings:
                                self._end(cell, ended)
                            over = over or self._ends_all(ended)
            except BrokenProcessPool:
                for stack in running.values():
                    self._count_kill(stack)
                raise
        if asked.stopping:
            raise self._stopped(asked())

    @property
    def how_to_continue(self) -> str:
        """The command."""
        return command("resume", run_word(self.sweep.path), options=self.options)

    def _stopped(self, request: Request | None) -> StoppedError:
        kind = request.error if request and request.error else StoppedError
        reason = request.reason if request else Request.INTERRUPT.reason
        return kind(f"{reason}; the state of every cell is saved; to continue:\n  {self.how_to_continue}")

    def _submit(self, workers: Workers, stack: Sequence[PlannedCell]) -> Future[dict[str, Ended]]:
        return workers.submit(self.sweep.path, stack, self._config_dir(stack[0]), self.data_dir)

    def _config_dir(self, cell: PlannedCell) -> Path:
        return config_folder(cell.config, ledger.read(self.sweep.ledger_path)[0], self.sweep.path)

    def _count_kill(self, stack: Sequence[PlannedCell]) -> None:
        name = stack[0].directory
        self._kills[name] = self._kills.get(name, 0) + 1
        if self._kills[name] >= MOST_KILLS:
            for cell in stack:
                if cell.directory not in self.endings:
                    self._end(cell, Ended("failed", f"its worker process was killed {MOST_KILLS} times"))


def recorded_ending(sweep: SweepDirectory, cell: PlannedCell) -> Ended | None:
    """How a cell has ended; None where there is something left to train."""
    return worker.ending_of(sweep.run(cell))
