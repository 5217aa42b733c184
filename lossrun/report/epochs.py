"""Print a row for each epoch on stdout during training."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from lossrun.analysis.values.readings import spread
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.report.layout.console import plus_minus
from lossrun.report.layout.numbers import format_clock, format_number, format_spread

MOST_EPOCHS: Final = 100  # a terminal shows all epochs up to this number
ROWS: Final = 50  # about this many rows are shown of a longer run
LONGEST_SILENCE: Final = 10.0  # seconds of training after which an epoch is always shown

_GAP: Final = "  "
_SPREAD_WIDTH: Final = 18  # cells: 0.001234 ± 0.00012
_NUMBER_WIDTH: Final = 9  # cells: -1.234e-7
_CLOCK_WIDTH: Final = 6  # cells: 12.34s
_MEANS: Final = ("learning_rate", "grad_norm")  # shown as means because they are not results


class EpochTable:
    """Prints a row when an epoch is over. Columns have fixed widths, so that rows align without the later ones.

    Several seeds are shown as mean and standard deviation. A star marks the best epoch so far; with several seeds, the
    number after it says how many have their best epoch there. A terminal gets the columns that fit, and only some of
    many rows; a pipe gets everything.
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
        self.means = set(_MEANS) if seeds > 1 else {*_MEANS, *self.columns}
        self.stride = -(-epochs // ROWS) if console.is_terminal and epochs > MOST_EPOCHS else 1
        self.silence = 0.0
        self.started = False

    def add(self, epoch: int, rows: Sequence[Mapping[str, Any]], best_seeds: frozenset[int]) -> None:
        """Print the epoch, or skip it if there are too many.

        Args:
            epoch: The number of the epoch.
            rows: Its rows of the history, one for each seed that trained.
            best_seeds: The seeds with their best epoch so far.
        """
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
                f"mean {plus_minus(self.console)} standard deviation over seeds; *2: best epoch so far of 2 seeds",
                "dim",
            )
        if self.stride > 1:
            self._print(f"one epoch in {self.stride} is shown; history.jsonl has all epochs", "dim")
        self._print(self._header(), "bold")
        self.started = True

    def _fit(self) -> None:
        """Leave out the least important columns until the row fits; history.jsonl has all of them."""
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
        # Small numbers have long texts: 0.0001234 +- 0.00012.
        texts = [format_spread(value, plus_minus(self.console), digits) for digits in (4, 3, 2)]
        return f"{next((text for text in texts if len(text) <= width), texts[-1]):>{width}}"

    def _print(self, text: str, style: str) -> None:
        self.console.print(Text(text, style=style), soft_wrap=True)


def _short(column: str) -> str:
    return "lr" if column == "learning_rate" else column
