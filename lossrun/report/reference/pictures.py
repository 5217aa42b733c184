"""Draw the curves below the text of `lossrun explain`: a loss over its error, a rate over the run."""

import os
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from lossrun.report.layout.console import is_unicode
from lossrun.report.layout.numbers import format_number
from lossrun.report.layout.text_table import Column, TextTable, print_line, print_table
from lossrun.report.plots.line_plot import Series, line_plot
from lossrun.report.reference.explain import measure

_WIDTH: Final = 78  # cells; a wider curve shows nothing more
_HEIGHT: Final = 14
_ROUNDING: Final = 1e-15
_NOTE: Final = "Computed by the function that training uses; slopes by autograd."
# The consoles of Linux and of old terminals have no braille in their fonts.
_PLAIN_TERMINALS: Final = ("linux", "vt100", "vt102", "vt220", "ansi")


def print_loss(
    console: Console,
    name: str,
    axis: str,
    rows: Sequence[tuple[float, float, float]],
    curves: Sequence[Series],
    limits: tuple[float, float],
) -> None:
    """Print a loss as a table and as curves.

    Args:
        name: The loss.
        axis: What the xs are.
        rows: (x, loss, slope).
        curves: The loss and similar losses.
        limits: The range of values to draw.
    """
    key = Column(axis.split()[0], tuple(f"{x:g}" for x, _, _ in rows))
    columns = (
        Column("loss", tuple(picture_number(value) for _, value, _ in rows)),
        Column("slope", tuple(picture_number(slope) for _, _, slope in rows)),
    )
    print_table(console, TextTable(f"{name}, over the {axis}", key, columns, note=_NOTE))
    console.print()
    _draw(console, curves, limits, axis)


def print_rates(console: Console, name: str, curves: Sequence[Series]) -> None:
    """Print the rate as a share of `learning_rate`, over epochs."""
    print_line(console, f"{name}: share of learning_rate, over a run of {max(curves[0][1]):g} epochs", style="bold")
    console.print()
    top = max(1.0, *(max(shares) for _, _, shares in curves))
    _draw(console, curves, (0.0, top), "epoch")


def _draw(console: Console, curves: Sequence[Series], limits: tuple[float, float], axis: str) -> None:
    braille = is_unicode(console) and not console.is_dumb_terminal and os.environ.get("TERM") not in _PLAIN_TERMINALS
    width = min(measure(console) - 1, _WIDTH)
    for line in line_plot(curves, width=width, height=_HEIGHT, unicode=braille, y_limits=limits, x_label=axis):
        console.print(line, soft_wrap=True)
    console.print(Text())


def picture_number(value: float) -> str:
    """Write a value or a slope of a curve. The rounding error of sin(180 degrees) counts as 0, and so does -0."""
    return format_number(0.0 if abs(value) < _ROUNDING else value)
