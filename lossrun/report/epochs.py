"""A row per epoch on stdout, while training goes on."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from lossrun.analysis.values.readings import spread
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.report.layout.console import plus_minus
from lossrun.report.layout.numbers import format_clock, format_number, format_spread

MOST_EPOCHS: Final = 100  # that are all shown on a terminal
ROWS: Final = 50  # shown of more than that
LONGEST_SILENCE: Final = 10.0  # seconds of training after which an epoch is shown in any case

_GAP: Final = "  "
_SPREAD_WIDTH: Final = 18  # cells: 0.001234 ± 0.00012
_NUMBER_WIDTH: Final = 9  # cells: -1.234e-7
_CLOCK_WIDTH: Final = 6  # cells: 12.34s
_ALIKE: Final = ("learning_rate", "grad_norm")  # shown as means: they are no results


class EpochTable:
    """A row per epoch, printed when the epoch is over: columns keep their width, so that no row needs the others.

    Several seeds show as mean and standard deviation. A star marks the best epoch so far; for several seeds, how many
    of them have their best there. A terminal gets what it has room for, and some of the rows where they are many; a
    pipe gets everything.
    """

    def __init__(self, console: Console, *, task: str, epochs: int, seeds: int, constant_rate: bool) -> None:
        self.console = console
        self.epochs = epochs
        self.seeds = seeds
        self.primary = [f"val_{name}" for name in PRIMARY_METRICS[task]]
        self.columns = ["train_loss", "val_loss", *self.primary]
        if not (constant_rate and console.is_terminal):
            self.columns.append("learning_rate")
        if not console.is_terminal:
            self.columns.append("grad_norm")
        self.means = set(_ALIKE) if seeds > 1 else {*_ALIKE, *self.columns}
        self.stride = -(-epochs // ROWS) if console.is_terminal and epochs > MOST_EPOCHS else 1
        self.silence = 0.0
        self.started = False

    def add(self, epoch: int, rows: Sequence[Mapping[str, Any]], best_seeds: frozenset[int]) -> None:
        """Print the epoch, or leave it out where there are too many. `rows`: its history, one per seed that trained;
        `best_seeds`: those that have never been better."""
        if not rows:
            return
        self.silence += rows[0]["seconds"]
        if not self.started:
            self._start([name for name in self.columns if name in rows[0]])
        elif epoch % self.stride and epoch != self.epochs and self.silence < LONGEST_SILENCE:
            return
        self.silence = 0.0
        cells = [self._cell({row["seed"]: row[name] for row in rows}, name) for name in self.columns]
        star = "" if not best_seeds else "*" if self.seeds == 1 else f"*{len(best_seeds)}"
        line = [
            self._epoch(f"{epoch}/{self.epochs}"),
            *cells,
            f"{format_clock(rows[0]['seconds']):>{_CLOCK_WIDTH}}",
            star,
        ]
        self._print(_GAP.join(line).rstrip(), "bold" if best_seeds else "")

    def _start(self, columns: list[str]) -> None:
        self.columns = columns
        self._fit()
        if self.console.is_terminal and self.seeds > 1:
            self._print(
                f"mean {plus_minus(self.console)} deviation over seeds; *2: two of them are at their best here", "dim"
            )
        if self.stride > 1:
            self._print(f"one epoch in {self.stride} is shown; history.jsonl has all", "dim")
        self._print(self._header(), "bold")
        self.started = True

    def _fit(self) -> None:
        """Leave out what is least missed until the row fits; all of it is in history.jsonl."""
        if self._too_wide():
            self.means.add("train_loss")
        for name in (*self.primary[:0:-1], "learning_rate", *self.primary[:1]):
            if self._too_wide() and name in self.columns:
                self.columns.remove(name)

    def _too_wide(self) -> bool:
        # In a pipe the rows are data, whatever COLUMNS says.
        return self.console.is_terminal and len(self._header()) > self.console.width

    def _header(self) -> str:
        names = [f"{_short(name):>{self._width(name)}}" for name in self.columns]
        return _GAP.join([self._epoch("epoch"), *names, f"{'time':>{_CLOCK_WIDTH}}", "best"])

    def _epoch(self, text: str) -> str:
        return f"{text:>{max(len('epoch'), len(f'{self.epochs}/{self.epochs}'))}}"

    def _width(self, name: str) -> int:
        return max(len(_short(name)), _NUMBER_WIDTH if name in self.means else _SPREAD_WIDTH)

    def _cell(self, per_seed: Mapping[int, float], name: str) -> str:
        value, width = spread(per_seed), self._width(name)
        assert value is not None
        if name in self.means:
            return f"{format_number(value.mean):>{width}}"
        # Small numbers are long ones: 0.0001234 +- 0.00012.
        texts = [format_spread(value, plus_minus(self.console), digits) for digits in (4, 3, 2)]
        return f"{next((text for text in texts if len(text) <= width), texts[-1]):>{width}}"

    def _print(self, text: str, style: str) -> None:
        self.console.print(Text(text, style=style), soft_wrap=True)


def _short(column: str) -> str:
    return "lr" if column == "learning_rate" else column
