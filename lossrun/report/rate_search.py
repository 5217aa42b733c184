"""Print a search for a learning rate: its progress, its curves, and the suggestion with its reason."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lossrun.analysis.rate_search import RateSearch, has_no_effect, readable, search_curves
from lossrun.catalog.metric_names import better
from lossrun.digits import reach
from lossrun.report.layout.console import note
from lossrun.report.layout.numbers import format_number
from lossrun.report.layout.text_table import print_line
from lossrun.report.plots.sensitivity_plot import print_curves

WIDE: Final = 10.0  # the ratio of two rates that are equally good, from which on the choice hardly matters


@contextmanager
def search_progress(console: Console, *, hidden: bool) -> Iterator[Callable[[int, int], object]]:
    """Show on a terminal how many rates were tried; nothing in a pipe."""
    if hidden or not console.is_terminal:
        yield lambda done, steps: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("trying learning rates")
        yield lambda done, steps: progress.update(task, description=f"{done} rates tried, now for {steps} steps each")


def print_search(console: Console, found: RateSearch) -> None:
    """Print a curve for each round, and what they suggest."""
    better_is = f"{better(found.goal)} is better"
    title = f"{found.metric}: {better_is}; a gap is a rate that diverged or did worse than without training"
    print_curves(console, search_curves(found), title)
    print_line(console, "")
    assert found.suggestion is not None
    print_line(console, f"suggestion: learning_rate {found.suggestion:g}", style="bold")
    for text in reasons(found):
        print_line(console, text)


def reasons(found: RateSearch) -> list[str]:
    """Return why this rate is suggested, what limits the answer, and what it cost."""
    best, working = found.best, found.working
    assert best is not None
    assert best.score is not None
    assert working is not None
    last = found.rounds[-1]
    steps = f"{last.steps:,} step{'' if last.steps == 1 else 's'}"
    length = f"{steps}, the whole run" if found.is_whole else f"{last.steps:,} of {found.run_steps:,} steps"
    why = f"after {length}, {best.rate:.3g} has the best {found.metric}, {format_number(best.score)}"
    low, high = working
    chance = f", up to the {found.noise:.2g} by which seeds differ by chance" if found.noise else ""
    if low < high:
        place, at = ("the middle", math.sqrt(low * high)) if found.is_whole else ("the smallest", low)
        where = "is" if found.suggestion == readable(at, 2) else "lies towards"
        flat = ", and any of them will do" if high / low >= WIDE else ""
        good = f"rates from {reach(low, high, 3)} are as good{chance}"
        texts = [f"{why}; {good}; {found.suggestion:g} {where} {place}{flat}"]
    else:
        texts = [f"{why}; the rates next to it are worse{chance.replace('up to', 'by more than')}"]
    if found.elsewhere:
        rates = " and ".join(f"{rate:.3g}" for rate in found.elsewhere)
        texts.append(
            f"{rates} {'is' if len(found.elsewhere) == 1 else 'are'} as good, too, although a rate in between is worse"
        )
    if has_no_effect(found):
        texts.append(
            f"all rates of the first round have the same {found.metric}: it cannot tell them apart, or the optimizer "
            "ignores its learning rate"
        )
    if (above := next((one for one in last.tries if one.rate > high), None)) is not None and above.score is None:
        texts.append(f"{above.rate:.3g} already diverges: with other data or seeds, a smaller rate is safer")
    if not found.is_whole:
        texts.append(
            "the run is longer, and usually does best at the same rate or a smaller one; "
            f"--steps {found.run_steps} tries rates for the whole run"
        )
    cost = f"{readable(found.cost, 2):g}"
    runs = f"{cost} time{'s' if cost != '1' else ''} the steps of one run"
    texts.append(
        f"{len(found.seeds)} seeds for each of the longest trainings, {found.trainings} trainings in all: {runs}"
    )
    return texts


def print_next(console: Console, *commands: str) -> None:
    """Print commands that use the suggestion."""
    note(console, "next:" + "".join(f"\n  {line}" for line in commands))
