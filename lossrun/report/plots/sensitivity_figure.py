"""Draw a sweep's tuning scores against the tuned value into a file."""

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lossrun.analysis.sensitivity import Sensitivity
from lossrun.report.plots.figure import line_look, write_figure
from lossrun.report.plots.sensitivity_plot import is_log, means

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT, _LEGEND_ROW = 3.5, 2.4, 0.16  # inches
_LABEL_WIDTH: Final = 56  # characters in a row of the legend


def save_sensitivity(found: Sensitivity, path: Path) -> None:
    """Draw one line for each pair into a png, svg, or pdf file, by the path's ending.

    Lines are means over the tuning seeds; bars are one standard deviation.

    Raises:
        UsageError: If the ending is unknown, the folder does not exist, or matplotlib is not installed.
        RunError: If the file cannot be written.
    """
    write_figure(lambda: _drawn(found), path)


def _drawn(found: Sensitivity) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    names = [textwrap.fill(line.label or "base config", _LABEL_WIDTH) for line in found.lines]
    rows = sum(name.count("\n") + 1 for name in names)
    figure = Figure(figsize=(_WIDTH, _HEIGHT + rows * _LEGEND_ROW), layout="constrained")
    axes = figure.subplots()
    drawn = []
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
    axes.set_ylabel(found.metric.replace("val_", "validation ").replace("_", " "))
    figure.legend(drawn, names, loc="outside lower center", frameon=False, handlelength=3.2)
    return figure
