"""Draw a sweep's tuning scores against the tuned value into a file."""

import math
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lossrun.analysis.sweeps.sensitivity import HeatMap, Sensitivity
from lossrun.report.layout.numbers import format_number
from lossrun.report.plots.figure import line_look, write_figure
from lossrun.report.plots.sensitivity_plot import is_log, means

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase

_WIDTH, _HEIGHT, _LEGEND_ROW = 3.5, 2.4, 0.16  # inches
_MAP_MARGIN, _MAP_ROW, _MAP_LINE = 0.6, 0.28, 0.12  # inches
_LABEL_WIDTH: Final = 56  # characters in a row of the legend
_CHARACTER: Final = 0.06  # inches of a character of a label at most, on average
_ROW_LABEL: Final = 18  # characters in a line of a label next to the map
_SCORE: Final = 0.45  # inches that a score needs
_FONT_SIZE: Final = 8


def save_sensitivity(found: Sensitivity, path: Path, map_: HeatMap | None = None) -> None:
    """Draw one line for each pair into a png, svg, or pdf file, by the path's ending, and the heat map below.

    Lines are means over the tuning seeds; bars are one standard deviation.

    Raises:
        UsageError: If the ending is unknown, the folder does not exist, or matplotlib is not installed.
        RunError: If the file cannot be written.
    """
    write_figure(lambda: _drawn(found, map_), path)


def _drawn(found: Sensitivity, map_: HeatMap | None) -> "Figure":
    from matplotlib.figure import Figure

    names = [textwrap.fill(line.label or "base config", _LABEL_WIDTH) for line in found.lines]
    height = _HEIGHT + sum(name.count("\n") + 1 for name in names) * _LEGEND_ROW
    if map_ is None:
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        above: FigureBase = figure
    else:
        labels = _MapLabels.of(map_)
        figure = Figure(figsize=(_WIDTH, height + labels.height), layout="constrained")
        # Labels of the map must not make the curves narrower, and their legend belongs directly below them.
        (above,), (below,) = figure.subfigures(2, 1, height_ratios=[height, labels.height], squeeze=False)
        _draw_map(below.subplots(), map_, labels)
        title = f"best {_quantity(map_.metric)}, by {map_.keys[0]} and {map_.keys[1]}"
        below.suptitle(textwrap.fill(title, _LABEL_WIDTH), fontsize=_FONT_SIZE)
    drawn = _draw_lines(above.subplots(), found)
    above.legend(drawn, names, loc="outside lower center", frameon=False, handlelength=3.2)
    return figure


@dataclass(frozen=True, slots=True)
class _MapLabels:
    """The labels of a map, in lines that fit.

    Attributes:
        cell: Inches of a cell from left to right.
        upright: Whether the labels of the columns are turned, because a word is wider than its cell.
        height: Inches of the whole map.
    """

    rows: list[str]
    columns: list[str]
    cell: float
    upright: bool
    height: float

    @classmethod
    def of(cls, found: HeatMap) -> "_MapLabels":
        rows = [_wrapped(name, _ROW_LABEL) for name in found.rows]
        widest = max(len(line) for name in rows for line in name.split("\n"))
        cell = (_WIDTH - (widest + 3) * _CHARACTER) / len(found.columns)
        columns = [_wrapped(name, int(cell / _CHARACTER) - 1) for name in found.columns]
        if upright := max(len(line) for name in columns for line in name.split("\n")) * _CHARACTER > cell:
            columns = [*found.columns]
            below = max(map(len, columns)) * _CHARACTER
        else:
            below = max(name.count("\n") for name in columns) * _MAP_LINE
        tallest = max(name.count("\n") + 1 for name in rows)
        height = _MAP_MARGIN + len(rows) * max(_MAP_ROW, tallest * _MAP_LINE) + below
        return cls(rows, columns, cell, upright, height)


def _wrapped(name: str, width: int) -> str:
    """Break a label into lines of `width` characters, after commas and before what is in brackets.

    A longer word stays whole.
    """
    spaced = name.replace(",", ", ").replace("(", " (")
    lines = textwrap.wrap(spaced, max(1, width), break_long_words=False, break_on_hyphens=False)
    return "\n".join(line.replace(" (", "(").replace(", ", ",") for line in lines)


def _draw_map(axes: "Axes", found: HeatMap, labels: _MapLabels) -> None:
    """Draw a cell for each pair, the darker the better, with its score."""
    shades = [
        [math.nan if (shade := found.shade(row, column)) is None else shade for column in range(len(found.columns))]
        for row in range(len(found.rows))
    ]
    axes.imshow(shades, cmap="Blues", vmin=-0.2, vmax=2.2, aspect="auto")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    size = _FONT_SIZE * min(1.0, labels.cell / _SCORE)
    for row, scores in enumerate(found.scores):
        for column, score in enumerate(scores):
            text = "-" if score is None else format_number(score.mean)
            weight = "bold" if shades[row][column] == 1 else None
            axes.text(column, row, text, ha="center", va="center", weight=weight, size=size)
    axes.set_xticks(range(len(found.columns)), labels.columns, rotation=90 if labels.upright else 0)
    axes.set_yticks(range(len(found.rows)), labels.rows)
    axes.tick_params(length=0)


def _quantity(metric: str) -> str:
    return metric.replace("val_", "validation ").replace("_", " ")


def _draw_lines(axes: "Axes", found: Sensitivity) -> list["Artist"]:
    """Draw a line with error bars for each pair, and return what the legend shows."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    drawn: list[Artist] = []
    for number, line in enumerate(found.lines):
        deviations = [score.deviation or 0.0 if score else math.nan for score in line.scores]
        bars = axes.errorbar(
            line.xs,
            means(line.scores),
            yerr=deviations,
            elinewidth=0.6,
            capsize=1.5,
            gid=f"pair{number}",
            **line_look(number),
        )
        drawn.append(bars.lines[0])
    for axis, log, scale in ((axes.xaxis, found.log, axes.set_xscale), (axes.yaxis, is_log(found), axes.set_yscale)):
        if log:
            scale("log")
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(found.key.replace("_", " "))
    axes.set_ylabel(_quantity(found.metric))
    return drawn
