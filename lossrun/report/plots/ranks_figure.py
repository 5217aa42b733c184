"""Draw mean ranks over datasets with the critical difference into a file, as in Demsar (2006)."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lossrun.analysis.comparison.across_datasets import AcrossDatasets
from lossrun.report.layout.numbers import format_number
from lossrun.report.plots.figure import line_look, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _MARGIN, _ROW = 3.5, 0.9, 0.24  # inches
_LABEL_WIDTH: Final = 28  # characters in a row of a method's name
_GREY: Final = "#555555"


def save_ranks(found: AcrossDatasets, path: Path) -> None:
    """Draw a row for each method into a png, svg, or pdf file, by the path's ending.

    A row has the rank on each dataset as small dots and the mean rank as a large mark. Below, grey lines join the
    methods that are not told apart, and the critical difference is drawn from rank 1 on.

    Raises:
        UsageError: If the ending is unknown, the folder does not exist, or matplotlib is not installed.
        RunError: If the file cannot be written.
    """
    write_figure(lambda: _drawn(found), path)


def _drawn(found: AcrossDatasets) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    count = len(found.methods)
    order = sorted(range(count), key=found.mean_ranks.__getitem__)
    below = len(found.together.alike) + 1 if found.together else 0
    figure = Figure(figsize=(_WIDTH, _MARGIN + _ROW * (count + below)), layout="constrained")
    axes = figure.subplots()
    for row, method in enumerate(order):
        look = line_look(method)
        ranks = [ranks[method] for ranks in found.ranks]
        axes.plot(ranks, [row] * len(ranks), "o", color=look["color"], alpha=0.3, markersize=2.5, linestyle="none")
        mean = [found.mean_ranks[method]]
        axes.plot(mean, [row], color=look["color"], marker=look["marker"], linestyle="none", gid=f"method{method}")
    if found.together:
        _draw_groups(axes, found, count)
    axes.set_yticks(range(count), [textwrap.fill(found.methods[method], _LABEL_WIDTH) for method in order])
    axes.set_ylim(count + below - 0.4, -0.6)
    axes.set_xlim(0.8, count + 0.2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(f"rank by {found.metric} on {len(found.datasets)} datasets; 1 is the best")
    return figure


def _draw_groups(axes: "Axes", found: AcrossDatasets, row: int) -> None:
    assert found.together is not None
    for place, group in enumerate(found.together.alike):
        ends = [found.mean_ranks[group[0]], found.mean_ranks[group[-1]]]
        axes.plot(ends, [row + place] * 2, color=_GREY, linewidth=2.5, gid=f"group{place}")
    row += len(found.together.alike)
    critical = found.together.critical_difference
    axes.plot([1, 1 + critical], [row, row], color="black", marker="|", linewidth=0.9, gid="critical-difference")
    text = f"critical difference {format_number(critical, 3)}"
    axes.annotate(text, (1, row), (0, 4), textcoords="offset points", fontsize=6)
