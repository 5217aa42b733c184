"""What a person sees of a run in progress: what it will do, a row per epoch, a progress bar, and the end."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import mean, stdev
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from lossrun.catalog.declaration import Layer
from lossrun.catalog.metrics import PRIMARY_YARDSTICKS
from lossrun.report.console import plus_minus
from lossrun.report.numbers import format_number, format_seconds
from lossrun.report.text_table import Column, TextTable, print_table


def banner(console: Console, facts: Mapping[str, str], layers: Sequence[Layer]) -> None:
    """What the run will do: a line per fact, then the model layer by layer."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in facts.items():
        grid.add_row(name, Text(text))
    console.print(grid)
    summary(console, layers)


def summary(console: Console, layers: Sequence[Layer]) -> None:
    """The layers, what comes out of each (without the batch axis), and how many parameters it has."""
    if not layers:
        return
    total = sum(layer.parameters for layer in layers)
    columns = (
        Column("type", (*(layer.type for layer in layers), ""), right=False),
        Column("output", (*(" x ".join(map(str, layer.output_shape)) for layer in layers), "")),
        Column("parameters", (*(f"{layer.parameters:,}" for layer in layers), f"{total:,}")),
    )
    names = Column("layer", (*(layer.name for layer in layers), "total"), right=False)
    print_table(console, TextTable("", names, columns))


class EpochTable:
    """A row per epoch, printed when the epoch is over: columns keep their width, so that no row needs the others.

    Several seeds show as mean and standard deviation. A star marks the best epoch so far; for several seeds, how many
    of them have their best there.
    """

    def __init__(self, console: Console, *, task: str, epochs: int, seeds: int, constant_rate: bool) -> None:
        self.console = console
        self.seeds = seeds
        self.epoch_width = max(5, len(f"{epochs}/{epochs}"))
        self.epochs = epochs
        primary = [f"val_{name}" for name in PRIMARY_YARDSTICKS[task]]
        self.columns = ["train_loss", "val_loss", *primary]
        if not constant_rate:
            self.columns.append("learning_rate")
        self.started = False

    def add(self, epoch: int, rows: Sequence[Mapping[str, Any]], best_seeds: frozenset[int]) -> None:
        if not rows:
            return
        if not self.started:
            self.columns = self._fitting([name for name in self.columns if name in rows[0]])
            self.console.print(Text(self._header(), style="bold"), soft_wrap=True)
            self.started = True
        cells = [self._cell([row[name] for row in rows], name) for name in self.columns]
        mark = "" if not best_seeds else "*" if self.seeds == 1 else f"*{len(best_seeds)}"
        parts = [f"{f'{epoch}/{self.epochs}':>{self.epoch_width}}", *cells, f"{format_seconds(rows[0]['seconds']):>8}"]
        line = Text("  ".join(parts) + f" {mark}".rstrip())
        if best_seeds:
            line.stylize("bold")
        self.console.print(line, soft_wrap=True)

    def _fitting(self, columns: list[str]) -> list[str]:
        """As many columns as the width holds; all of them are in history.jsonl."""
        while len(columns) > 2 and len(self._header(columns)) + 3 > self.console.width:
            columns = columns[:-1]
        return columns

    def _header(self, columns: Sequence[str] | None = None) -> str:
        names = [f"{_short(name):>{self._width(name)}}" for name in columns or self.columns]
        return "  ".join([f"{'epoch':>{self.epoch_width}}", *names, f"{'time':>8}"])

    def _width(self, name: str) -> int:
        spread = self.seeds > 1 and name != "learning_rate"
        return max(len(_short(name)), 19 if spread else 9)

    def _cell(self, values: Sequence[float], name: str) -> str:
        text = format_number(mean(values))
        if self.seeds > 1 and name != "learning_rate" and len(values) > 1:
            text += f" {plus_minus(self.console)} {format_number(stdev(values), digits=2)}"
        return f"{text:>{self._width(name)}}"


class Shower(Protocol):
    def __call__(self, epoch: int, done: int, total: int) -> None: ...


@contextmanager
def progress_bar(console: Console, epochs: int, *, hidden: bool) -> Iterator[Shower]:
    """A bar over the epoch in progress, on a terminal; nothing anywhere else. It vanishes at the end."""
    if hidden or not console.is_terminal or console.is_dumb_terminal:
        yield lambda epoch, done, total: None
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} steps"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, epoch=1, epochs=epochs, visible=False)

        def show(epoch: int, done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, epoch=epoch, visible=True)

        yield show


def ending(
    console: Console, finished: Mapping[str, Any], best: Mapping[str, str], next_commands: Sequence[str]
) -> None:
    """Best epoch, test yardsticks at best and at last, time, and what to type next.

    `finished` is the ledger's last line; `best` the metric and mode that chose.
    """
    seeds = list(finished["seeds"].values())
    epochs = [seed["best_epoch"] for seed in seeds if seed["best_epoch"]]
    listed = ", ".join(str(epoch) for epoch in epochs) or "none"
    which = "lowest" if best["mode"] == "min" else "highest"
    label = "best epoch" if len(seeds) == 1 else "best epochs"
    console.print(
        f"\n[bold]{label} {listed}[/bold] of {finished['epoch']} ({which} {best['metric']}); "
        f"{format_seconds(finished['seconds'])} in all"
    )
    tested = [seed for seed in seeds if "test_at_best" in seed]
    if tested:
        print_table(console, _tested(console, tested))
    for command in next_commands:
        console.print(f"  {command}", style="cyan", soft_wrap=True)


def _tested(console: Console, seeds: Sequence[Mapping[str, Any]]) -> TextTable:
    names = list(seeds[0]["test_at_best"])

    def column(header: str, when: str) -> Column:
        return Column(header, tuple(_with_spread(console, [seed[when][name] for seed in seeds]) for name in names))

    columns = (column("at best", "test_at_best"), column("at last", "test_at_last"))
    return TextTable("", Column("yardstick", tuple(names), right=False), columns)


def _with_spread(console: Console, values: Sequence[float]) -> str:
    text = format_number(mean(values))
    return f"{text} {plus_minus(console)} {format_number(stdev(values), digits=2)}" if len(values) > 1 else text


def _short(column: str) -> str:
    return "lr" if column == "learning_rate" else column
