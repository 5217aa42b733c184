"""Draw a sweep's tuning scores against the tuned value into a file."""

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lossrun.analysis.sweeps.sensitivity import HeatMap, Sensitivity
from lossrun.report.layout.numbers import format_number
from lossrun.report.plots.figure import line_look, write_figure
from lossrun.report.plots.sensitivity_plot import is_log, means

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _LEGEND_ROW = 3.5, 2.4, 0.16  # inches
_MAP_MARGIN, _MAP_ROW = 0.6, 0.28  # inches
_LABEL_WIDTH: Final = 56  # characters in a row of the legend


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
    legend = sum(name.count("\n") + 1 for name in names) * _LEGEND_ROW
    map_height = 0.0 if map_ is None else _MAP_MARGIN + len(map_.rows) * _MAP_ROW
    figure = Figure(figsize=(_WIDTH, _HEIGHT + map_height + legend), layout="constrained")
    if map_ is None:
        axes = figure.subplots()
    else:
        axes, below = figure.subplots(2, height_ratios=[_HEIGHT, map_height])
        _draw_map(below, map_)
    drawn = _draw_lines(axes, found)
    figure.legend(drawn, names, loc="outside lower center", frameon=False, handlelength=3.2)
    return figure


def _draw_map(axes: "Axes", found: HeatMap) -> None:
    """Draw a cell for each pair, the darker the better, with its score."""
    shades = [
        [math.nan if (shade := found.shade(row, column)) is None else shade for column in range(len(found.columns))]
        for row in range(len(found.rows))
    ]
    axes.imshow(shades, cmap="Blues", vmin=-0.2, vmax=2.2, aspect="auto")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for row, scores in enumerate(found.scores):
        for column, score in enumerate(scores):
            text = "-" if score is None else format_number(score.mean)
            axes.text(column, row, text, ha="center", va="center", weight="bold" if shades[row][column] == 1 else None)
    axes.set_xticks(range(len(found.columns)), found.columns)
    axes.set_yticks(range(len(found.rows)), found.rows)
    axes.tick_params(length=0)
    axes.set_title(f"best {_quantity(found.metric)}, by {found.keys[0]} and {found.keys[1]}", fontsize=8)


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
