"""Tables of measurements in Markdown, ready to be pasted, and what is computed for them."""

import sys
from collections.abc import Sequence
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

WIDTH = 150  # columns; nothing is to be wrapped in a pipe


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column to the left, all others to the right."""
    table = Table(box=box.MARKDOWN)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    print(f"\n{title}\n", flush=True)
    Console(width=WIDTH, color_system=None, highlight=False, markup=False).print(table)
    sys.stdout.flush()


def progress(text: str) -> None:
    """What has just been measured, for a person who waits."""
    print(text, file=sys.stderr, flush=True)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over rounds of the ratio within a round: a machine that drifts from round to round moves both."""
    return median(a / b for a, b in zip(ours, theirs, strict=True))


def spread(values: Sequence[float], digits: int = 3) -> str:
    return f"{min(values):.{digits}f}..{max(values):.{digits}f}"


def verdict(value: float, at_most: float | None) -> tuple[str, str]:
    """The target and whether it is met, as two cells."""
    if at_most is None:
        return "", ""
    return f"<= {at_most:g}", "met" if value <= at_most else "MISSED"


def seconds(value: float) -> str:
    """Three significant digits at least, in the unit that suits."""
    if abs(value) < 1e-4:
        return f"{value * 1e6:.2f} us"
    return f"{value * 1e3:.2f} ms" if abs(value) < 0.1 else f"{value:.3f} s"


def mebibytes(value: float) -> str:
    return f"{value / 2**20:,.1f} MiB"
