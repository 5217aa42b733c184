"""Run the cells of a sweep in worker processes, and continue after any process was killed."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lossrun.errors import StoppedError
from lossrun.interrupts import leave_behind
from lossrun.records import sweep_directory
from lossrun.records.provenance.whereabouts import config_folder
from lossrun.records.sweep_directory import PlannedCell, SweepDirectory, read_events
from lossrun.shell import command, run_word
from lossrun.sweeping import worker
from lossrun.sweeping.pool import Workers, local_workers
from lossrun.sweeping.stacks import by_stack, with_stacks
from lossrun.sweeping.worker import Ended
from lossrun.training.process.stopping import Request, Requests, listening

# After this many kills, the cell that was training is considered the cause. In a stack it may be any of the cells, so
# they are first trained one by one.
MOST_KILLS: Final = 3
MOST_KILLS_OF_A_STACK: Final = 2
CHECKED_EVERY: Final = 0.1  # seconds between checks for requests from outside


@dataclass
class Cells:
    """The cells of a sweep being run. `report(cell, ended)` is called as soon as one ends.

    Attributes:
        workers: Returns, for a number of jobs, the workers that train the stacks.
        options: The options with which `lossrun resume` continues on the same workers.
        fail_fast: Whether the first failure ends the sweep. A cell whose data could not be read, or whose files could
            not be written, always does: the next cells would fail in the same way.
        endings: How each cell ended, by its directory.
        has_run: Whether there was anything left to run.
        trains: Called with all cells that are being trained, when they change.
        writing: Returns the lock under which the sweep's ledger is written, if this process does not already hold it.
    """

    sweep: SweepDirectory
    jobs: int
    data_dir: Path
    report: Callable[[PlannedCell, Ended], None]
    fail_fast: bool = False
    workers: Callable[[int], AbstractContextManager[Workers]] = local_workers
    options: Mapping[str, object] = field(default_factory=dict)
    endings: dict[str, Ended] = field(default_factory=dict)
    has_run: bool = False
    trains: Callable[[Sequence[PlannedCell]], None] = lambda cells: None
    writing: Callable[[], AbstractContextManager[object]] = nullcontext
    _kills: dict[tuple[str, ...], int] = field(default_factory=dict)

    def run(self, cells: Sequence[PlannedCell]) -> None:
        """Run every cell that is not finished.

        Raises StoppedError, or its kind for the signal, once the workers have saved the state of their cells.
        """
        leave_behind(f"continue with\n  {self.how_to_continue}")
        for cell in cells:
            if ended := recorded_ending(self.sweep, cell):
                self._end(cell, ended)
        alone = sweep_directory.divided(self.sweep)
        cells = [replace(cell, stack="") if cell.stack in alone else cell for cell in cells]
        left = [stack for stack in by_stack(cells).values() if not self._have_ended(stack)]
        self.has_run = self.has_run or bool(left)
        with listening() as asked:
            try:
                self._run_stacks(left, asked)
            except KeyboardInterrupt:
                # The second Ctrl-C. The workers were asked to save, and have ended by now.
                text = f"interrupted twice; each cell continues from its last saved state:\n  {self.how_to_continue}"
                raise StoppedError(text) from None

    @property
    def is_over(self) -> bool:
        """Whether a cell has ended in a way that ends the sweep."""
        return any(self._ends_all(ended) for ended in self.endings.values())

    def _ends_all(self, ended: Ended) -> bool:
        return ended.ending == "blocked" or (self.fail_fast and ended.ending == "failed")

    def _end(self, cell: PlannedCell, ended: Ended) -> None:
        self.endings[cell.directory] = ended
        self.report(cell, ended)

    def with_stacks(self, cells: Sequence[PlannedCell]) -> list[PlannedCell]:
        """Return the cells with their stacks; see `lossrun.sweeping.stacks.with_stacks`."""
        return with_stacks(cells, self._config_dir(cells[0]), self.data_dir) if cells else []

    def _have_ended(self, cells: Sequence[PlannedCell]) -> bool:
        return all(cell.directory in self.endings for cell in cells)

    def _run_stacks(self, stacks: Sequence[Sequence[PlannedCell]], asked: Requests) -> None:
        running: dict[Future[dict[str, Ended]], Sequence[PlannedCell]] = {}
        waiting = deque(stacks)
        with self.workers(min(self.jobs, len(stacks))) as workers:
            while True:
                while len(running) < self.jobs and waiting and not (asked.stopping or self.is_over):
                    stack = waiting.popleft()
                    running[self._submit(workers, stack)] = stack
                    self.trains(self._left_of(running.values()))
                if not running:
                    break
                done, _ = wait(running, timeout=CHECKED_EVERY, return_when=FIRST_COMPLETED)
                if asked.stopping or (self.is_over and workers.queues):
                    workers.stop()
                for future in done:
                    waiting.extend(self._to_train_again(running.pop(future), future, asked))
                if done:
                    self.trains(self._left_of(running.values()))
        if asked.stopping:
            raise self._stopped(asked())

    def _to_train_again(
        self, stack: Sequence[PlannedCell], future: Future[dict[str, Ended]], asked: Requests
    ) -> list[list[PlannedCell]]:
        """Record how the cells of a stack have ended, and return what is left of them, as a list of stacks."""
        try:
            endings = future.result()
        except BrokenProcessPool:
            return [] if asked.stopping else self._after_a_kill(stack)
        for cell in stack:
            ended = endings[cell.directory]
            if ended.ending not in ("stopped", "apart") and cell.directory not in self.endings:
                self._end(cell, ended)
        if any(ended.ending == "stopped" for ended in endings.values()) and not (asked.stopping or self.is_over):
            return self._after_a_kill(stack)  # another program has terminated the worker alone
        whys = [ended.problem for ended in endings.values() if ended.ending == "apart"]
        return self._divided(stack, last_line(whys[0])) if whys else []

    def _left_of(self, stacks: Iterable[Sequence[PlannedCell]]) -> list[PlannedCell]:
        return [cell for stack in stacks for cell in stack if cell.directory not in self.endings]

    def _after_a_kill(self, stack: Sequence[PlannedCell]) -> list[list[PlannedCell]]:
        """Return the unfinished part of a stack whose worker was killed, as a list of stacks."""
        names = tuple(cell.directory for cell in stack)
        kills = self._kills[names] = self._kills.get(names, 0) + 1
        if len(stack) > 1:
            often = kills >= MOST_KILLS_OF_A_STACK
            return self._divided(stack, f"its worker process was killed {kills} times") if often else [list(stack)]
        if kills < MOST_KILLS:
            return [list(stack)]
        self._end(stack[0], Ended("failed", f"its worker process was killed {kills} times"))
        return []

    def _divided(self, stack: Sequence[PlannedCell], why: str) -> list[list[PlannedCell]]:
        """Record that the cells of a stack are trained alone, from their beginning, and return those that are left."""
        with self.writing():
            sweep_directory.divide(self.sweep, stack[0].stack, why)
        left = [replace(cell, stack="") for cell in stack if cell.directory not in self.endings]
        for cell in left:
            if ended := recorded_ending(self.sweep, cell):
                self._end(cell, ended)
        return [[cell] for cell in left if cell.directory not in self.endings]

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
        return config_folder(cell.config, read_events(self.sweep)[0], self.sweep.path)


def recorded_ending(sweep: SweepDirectory, cell: PlannedCell) -> Ended | None:
    """Return how a cell has ended; None if it has not."""
    return worker.read_ending(sweep.run(cell))


def last_line(problem: str) -> str:
    """Return the last line of a problem, such as the error of a traceback, without commands to paste."""
    return next((line for line in reversed(problem.splitlines()) if line.strip() and line[0] != " "), "")
