"""Show a run in progress: what it will do, a progress bar, and the end. Rows of epochs: see `epochs.py`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from lossrun.analysis.values.readings import spread
from lossrun.catalog.declaration import Layer
from lossrun.catalog.metric_names import bare
from lossrun.catalog.metrics import PRIMARY_METRICS
from lossrun.report.epochs import EpochTable
from lossrun.report.layout.console import note, plus_minus
from lossrun.report.layout.layer_table import layer_table
from lossrun.report.layout.numbers import format_seconds, format_spread
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_pairs, print_table

__all__ = ["EpochTable", "banner", "ending", "progress_bar", "summary"]


def banner(console: Console, facts: Mapping[str, str], layers: Sequence[Layer]) -> None:
    """Print what the run will do, one line for each fact, and the model layer by layer."""
    print_pairs(console, list(facts.items()), style="bold")
    summary(console, layers)


def summary(console: Console, layers: Sequence[Layer]) -> None:
    """Print the layers with their output shapes (without the batch axis) and numbers of parameters."""
    if not layers:
        return
    print_line(console, "")
    print_table(console, layer_table("", layers))
    print_line(console, "")


class Shower(Protocol):
    def __call__(self, epoch: int, done: int, total: int) -> None: ...


@contextmanager
def progress_bar(console: Console, epochs: int, *, hidden: bool) -> Iterator[Shower]:
    """Show a bar over the whole run and the time left, on a terminal only. It disappears at the end."""
    if hidden or not console.is_terminal or console.is_dumb_terminal:
        yield lambda epoch, done, total: None
        return
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("step {task.fields[done]}/{task.fields[steps]}"),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console, transient=True)
    progress.start()
    try:
        task = progress.add_task("", total=None, epoch=1, epochs=epochs, done=0, steps=0, visible=False)

        def show(epoch: int, done: int, total: int) -> None:
            completed = (epoch - 1) * total + done
            if progress.tasks[task].total is None:
                # A resumed run begins in the middle, and its earlier steps say nothing about the speed now.
                progress.reset(task, total=epochs * total, completed=completed)
            progress.update(task, completed=completed, epoch=epoch, done=done, steps=total, visible=True)

        yield show
    finally:
        # Closing the terminal ends the run by SIGHUP, so a failure to draw needs no report.
        with suppress(OSError):
            progress.stop()


def ending(
    console: Console,
    finished: Mapping[str, Any],
    best: Mapping[str, str],
    next_commands: Sequence[str],
    *,
    still_better: bool = False,
    remark: str = "",
) -> None:
    """Print the best epoch, test metrics at the best and the last epoch, the time, and the next commands.

    Args:
        finished: The ledger's last line.
        best: The metric that chose the best epoch, and its mode.
        still_better: Whether the metric was still improving in the last epochs.
        next_commands: One that shows the run, and one that trains it further.
        remark: A caveat about the values.
    """
    seeds = list(finished["seeds"].values())
    epochs = [str(seed["best_epoch"] or "-") for seed in seeds]
    same = len(set(epochs)) == 1
    which = "lowest" if best["mode"] == "min" else "highest"
    print_line(console, "")
    print_line(
        console,
        f"best epoch{'' if same else 's'} {epochs[0] if same else ', '.join(epochs)} of {finished['epoch']} "
        f"({which} {best['metric']}); "
        f"{format_seconds(finished['seconds'])} in total{f' for {len(seeds)} seeds' if len(seeds) > 1 else ''}",
        style="bold",
    )
    for seed, facts in finished["seeds"].items():
        if facts.get("stopped_epoch"):
            whose = f"seed {seed}: " if len(seeds) > 1 else ""
            print_line(console, f"{whose}early stopping ended training after epoch {facts['stopped_epoch']}")
        if facts.get("diverged_epoch"):
            print_line(console, f"seed {seed}: diverged in epoch {facts['diverged_epoch']}")
    if still_better:
        note(console, f"{best['metric']} was still improving: train for more epochs, or try a larger learning rate")
    if remark:
        note(console, remark)
    tested = {seed: facts for seed, facts in finished["seeds"].items() if "test_at_best" in facts}
    for table in _tested(console, tested):
        print_line(console, "")
        print_table(console, table)
    print_line(console, "")
    print_line(console, "To show everything about this run, or to train it further:")
    for command in next_commands:
        # A wrapped command could not be pasted.
        console.print(Text(f"  {command}", style="cyan"), soft_wrap=True)


def _tested(console: Console, seeds: Mapping[str, Mapping[str, Any]]) -> list[TextTable]:
    """Make tables of the test metrics: the deciding ones with the configured loss, and the others.

    There is one column of values if the best weights are the last ones.
    """
    # Seeds with different splits may have different metrics: a target of 0 rules out percentages.
    names = list(dict.fromkeys(name for facts in seeds.values() for name in facts["test_at_best"]))
    deciding, describing = _parted(names)
    same = all(facts["test_at_best"] == facts["test_at_last"] for facts in seeds.values())
    moments = (
        {"best = last epoch": "test_at_best"} if same else {"best epoch": "test_at_best", "last epoch": "test_at_last"}
    )
    width = max((len(name) for name in names), default=0)

    def table(title: str, shown: Sequence[str]) -> TextTable:
        columns = []
        for header, when in moments.items():
            found = [{int(s): facts[when][name] for s, facts in seeds.items() if name in facts[when]} for name in shown]
            cells = tuple(format_spread(spread(values), plus_minus(console)) for values in found)
            columns.append(Column(header, cells))
        # The same width in both tables, so that their numbers align.
        return TextTable("", Column(title, tuple(f"{name:{width}}" for name in shown), right=False), tuple(columns))

    if not deciding:
        return [table("metric", describing)] if describing else []
    return [table("metric", deciding), *([table("other metrics", describing)] if describing else [])]


def _parted(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split metrics into those that decide and the others.

    A task's primary metrics decide if all of them are there: classification has an mae too, but no rmse.
    """
    present = {bare(name) for name in names}
    first = [name for primary in PRIMARY_METRICS.values() if present.issuperset(primary) for name in primary]
    order = [*first, "loss"]
    deciding = sorted((name for name in names if bare(name) in order), key=lambda name: order.index(bare(name)))
    return deciding, [name for name in names if name not in deciding]
