"""What a person sees of a run in progress: what it will do, a progress bar, and the end. Epoch rows: `epochs.py`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from lossrun.analysis.readings import bare, spread
from lossrun.catalog.declaration import Layer
from lossrun.catalog.metrics import PRIMARY_YARDSTICKS
from lossrun.report.console import plus_minus
from lossrun.report.epochs import EpochTable
from lossrun.report.numbers import format_seconds, format_spread
from lossrun.report.text_table import Column, TextTable, print_line, print_pairs, print_table

__all__ = ["EpochTable", "banner", "ending", "progress_bar", "summary"]


def banner(console: Console, facts: Mapping[str, str], layers: Sequence[Layer]) -> None:
    """What the run will do: a line per fact, then the model layer by layer."""
    print_pairs(console, list(facts.items()), style="bold")
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
    print_line(console, "")
    print_table(console, TextTable("", names, columns))
    print_line(console, "")


class Shower(Protocol):
    def __call__(self, epoch: int, done: int, total: int) -> None: ...


@contextmanager
def progress_bar(console: Console, epochs: int, *, hidden: bool) -> Iterator[Shower]:
    """A bar over the whole run and the time it still needs, on a terminal; nothing anywhere else. It vanishes at the
    end."""
    if hidden or not console.is_terminal or console.is_dumb_terminal:
        yield lambda epoch, done, total: None
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("step {task.fields[done]}/{task.fields[steps]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None, epoch=1, epochs=epochs, done=0, steps=0, visible=False)

        def show(epoch: int, done: int, total: int) -> None:
            completed = (epoch - 1) * total + done
            if progress.tasks[task].total is None:
                # A resumed run begins in the middle: what was done before says nothing about the speed now.
                progress.reset(task, total=epochs * total, completed=completed)
            progress.update(task, completed=completed, epoch=epoch, done=done, steps=total, visible=True)

        yield show


def ending(
    console: Console, finished: Mapping[str, Any], best: Mapping[str, str], next_commands: Sequence[str]
) -> None:
    """Best epoch, test yardsticks at best and at last, time, and what to type next.

    `finished` is the ledger's last line; `best` the metric and mode that chose.
    """
    seeds = list(finished["seeds"].values())
    epochs = [str(seed["best_epoch"] or "none") for seed in seeds]
    same = len(set(epochs)) == 1
    which = "lowest" if best["mode"] == "min" else "highest"
    print_line(console, "")
    print_line(
        console,
        f"best epoch{'' if same else 's'} {epochs[0] if same else ', '.join(epochs)} of {finished['epoch']} "
        f"({which} {best['metric']}); "
        f"{format_seconds(finished['seconds'])} in all",
        style="bold",
    )
    for seed, facts in finished["seeds"].items():
        if facts.get("stopped_epoch"):
            whose = f"seed {seed}: " if len(seeds) > 1 else ""
            print_line(console, f"{whose}early stopping ended it after epoch {facts['stopped_epoch']}")
        if facts.get("diverged_epoch"):
            print_line(console, f"seed {seed}: diverged in epoch {facts['diverged_epoch']}")
    tested = {seed: facts for seed, facts in finished["seeds"].items() if "test_at_best" in facts}
    if tested:
        print_line(console, "")
        print_table(console, _tested(console, tested))
    print_line(console, "")
    for command in next_commands:
        # Never wrapped: in two lines it could not be pasted.
        console.print(Text(f"  {command}", style="cyan"), soft_wrap=True)


def _tested(console: Console, seeds: Mapping[str, Mapping[str, Any]]) -> TextTable:
    """Test yardsticks, the primary ones first; one column where the best weights are the last ones."""
    names = _primary_first(list(next(iter(seeds.values()))["test_at_best"]))

    def column(header: str, when: str) -> Column:
        spreads = (spread({int(seed): facts[when][name] for seed, facts in seeds.items()}) for name in names)
        return Column(header, tuple(format_spread(value, plus_minus(console)) for value in spreads))

    key = Column("yardstick", tuple(names), right=False)
    if all(facts["test_at_best"] == facts["test_at_last"] for facts in seeds.values()):
        return TextTable("", key, (column("at best = at last", "test_at_best"),))
    return TextTable("", key, (column("at best", "test_at_best"), column("at last", "test_at_last")))


def _primary_first(names: Sequence[str]) -> list[str]:
    """Whatever some task decides by comes first, if all its primary yardsticks are there: classes have an mae too, but
    no rmse."""
    present = {bare(name) for name in names}
    first = [name for primary in PRIMARY_YARDSTICKS.values() if present.issuperset(primary) for name in primary]
    return sorted(names, key=lambda name: first.index(bare(name)) if bare(name) in first else len(first))
