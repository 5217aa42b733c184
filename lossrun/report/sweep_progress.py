"""Show a sweep while it runs: cells that have ended and how, those that are being trained, the time left, and the best
of each pair so far.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from lossrun.analysis.sweeps.words import words
from lossrun.catalog.metric_names import Goal, sign
from lossrun.records.sweep_directory import PlannedCell
from lossrun.report.layout.console import note, warning
from lossrun.report.layout.numbers import format_number
from lossrun.report.layout.text_table import print_line

_PHASES: Final = {"tune": "tuning", "final": "final runs"}
MOST_PAIRS: Final = 8  # below the bar
READ_EVERY: Final = 1.0  # seconds between looks at the histories of cells that are being trained


class LiveScores:
    """The best tuning score of each pair so far. `score_of`: returns a cell's score, None if it has none."""

    def __init__(self, metric: str, goal: Goal, score_of: Callable[[PlannedCell], float | None]) -> None:
        self.metric, self.upward, self.score_of = metric, sign(goal), score_of
        self.found: dict[str, tuple[float, str]] = {}

    def add(self, cell: PlannedCell) -> None:
        """Count a cell that has ended; final cells are not compared before all have ended."""
        score = self.score_of(cell) if cell.phase == "tune" else None
        if score is None:
            return
        pair = words(cell.pair) or "base config"
        if pair not in self.found or self.upward * score > self.upward * self.found[pair][0]:
            values = {key: value for key, value in cell.changes.items() if key not in cell.pair}
            self.found[pair] = score, words(values)

    def lines(self) -> Iterator[str]:
        """Yield a line for each pair: `loss=mse: val_rmse 0.1234 with learning_rate=0.1`."""
        pairs = sorted(self.found.items(), key=lambda one: -self.upward * one[1][0])
        for pair, (score, values) in pairs[:MOST_PAIRS]:
            yield f"{pair}: {self.metric} {format_number(score)} with {values}"
        if len(pairs) > MOST_PAIRS:
            yield f"... and {len(pairs) - MOST_PAIRS} more pairs"


class LiveEpochs:
    """The cells that are being trained, and how far they have come.

    `epochs_of`: returns how many epochs of a cell are done; None before it has begun.
    """

    def __init__(self, epochs_of: Callable[[PlannedCell], int | None]) -> None:
        self.epochs_of = epochs_of
        self._given: list[PlannedCell] = []
        self._shares: dict[str, float] = {}
        self._read_at = -READ_EVERY

    def trains(self, cells: Iterable[PlannedCell]) -> None:
        """Replace the cells that were given to the workers."""
        self._given = list(cells)

    def ended(self, cell: PlannedCell) -> None:
        """Remove a cell that has ended."""
        self.trains(one for one in self._given if one.directory != cell.directory)

    def shares(self) -> list[float]:
        """Return which share of its epochs each cell has done that has begun, as of the last look at the histories."""
        given, now = self._given, time.monotonic()
        if now - self._read_at >= READ_EVERY:
            self._read_at = now
            # The cells of a stack are trained in lockstep.
            firsts = {_stack(cell): cell for cell in reversed(given)}
            read = {name: (self.epochs_of(cell), cell.config["epochs"]) for name, cell in firsts.items()}
            self._shares = {
                name: min(done / planned, 1.0) for name, (done, planned) in read.items() if done is not None
            }
        return [self._shares[stack] for cell in given if (stack := _stack(cell)) in self._shares]


def _stack(cell: PlannedCell) -> str:
    return cell.stack or cell.directory


class _Bar(Progress):
    """A bar with lines below it. `ended`: the number of cells that have."""

    best: LiveScores | None = None
    epochs: LiveEpochs | None = None
    ended = 0

    def get_renderables(self) -> Iterable[RenderableType]:
        lines: list[str] = []
        if self.epochs is not None and (shares := self.epochs.shares()):
            done = sum(shares)
            lines.append(f"{len(shares)} running, {100 * done / len(shares):.0f} % of their epochs done")
            for task in self.tasks:
                self.update(task.id, completed=self.ended + done)
        yield from super().get_renderables()
        for line in (*lines, *(self.best.lines() if self.best else ())):
            yield Text(line)  # wrapped, because the score comes after a name that may be long


@contextmanager
def cells_progress(
    console: Console, best: LiveScores | None = None, epochs: LiveEpochs | None = None, *, hidden: bool
) -> Iterator[tuple[Callable[[str, int], None], Callable[..., None]]]:
    """Show that a phase begins and that a cell has ended: on a terminal live, in a pipe by a line for each cell.

    `best` and `epochs`: shown on a terminal, below the bar.
    """
    phase, total = "", 0
    live = console.is_terminal and not hidden
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeRemainingColumn(),
    )
    progress = _Bar(*columns, console=console, transient=True, disable=not live)
    progress.best, progress.epochs = best, epochs
    # Where nothing is live it is not begun: older releases of rich print an empty line at its end.
    with progress if live else nullcontext():
        bar: Any = None
        counts: dict[str, int] = {}

        def begins(name: str, cells: int) -> None:
            nonlocal bar, phase, total
            progress.ended, phase, total = 0, _PHASES[name], cells
            counts.clear()
            if bar is not None:
                progress.remove_task(bar)
            bar = progress.add_task(phase, total=cells, counts=f"0/{cells}")

        def ended(cell: PlannedCell, ending: str, problem: str, notes: Iterable[str] = ()) -> None:
            progress.ended += 1
            if epochs is not None:
                epochs.ended(cell)
            counts[ending] = counts.get(ending, 0) + 1
            others = "".join(f", {count} {what}" for what, count in sorted(counts.items()) if what != "finished")
            if live and best is not None:
                best.add(cell)
            progress.update(bar, completed=progress.ended, counts=f"{progress.ended}/{total}{others}")
            for text in notes:
                warning(console, f"{cell.directory}: {text}")
            if hidden:
                return
            if ending == "failed":
                note(console, f"{cell.directory} failed: {problem.strip().splitlines()[-1] if problem else ''}")
            elif not live:
                print_line(console, f"{phase} {progress.ended}/{total}: {words(cell.changes)}: {ending}")

        yield begins, ended
