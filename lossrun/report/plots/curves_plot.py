"""Draw learning curves on the terminal: a heading and a picture for each panel, then notes."""

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lossrun.analysis.comparison.differences import letters
from lossrun.analysis.learning_curves import LearningCurves, Panel
from lossrun.analysis.values.mean_curve import LearningCurve
from lossrun.catalog.metric_names import better
from lossrun.report.layout.console import is_bounded, note
from lossrun.report.layout.glyphs import draws_unicode
from lossrun.report.layout.text_table import print_line, print_pairs
from lossrun.report.plots.line_plot import MARKS, Band, Series, line_plot

_PIPE_WIDTH: Final = 80
_WIDEST: Final = 160  # in a wider picture, lines only become flatter
_HEIGHT: Final = 15
_MOST_BANDS: Final = 3  # more of them hide each other
_LEGEND_ROOM: Final = 14  # cells next to a name in the legend: the axis and the mark
_PARTS: Final = {"val_loss": "validation", "train_loss": "training"}
_X_LABELS: Final = {"epoch": "epoch", "step": "step", "seconds": "wall time in seconds"}


def print_learning_curves(curves: LearningCurves, console: Console) -> None:
    """Print each panel, no wider than the terminal, and the notes."""
    width = min(console.width, _WIDEST) - 1 if is_bounded(console) else _PIPE_WIDTH - 1
    called = _legend_names(curves.labels, width)
    for panel in curves.panels:
        _print_panel(console, curves, panel, called, width)
        console.print(Text())
    if called != curves.labels:
        drawn = {curve.run for panel in curves.panels for curve in panel.curves}
        print_pairs(console, [(called[run], curves.labels[run]) for run in sorted(drawn)])
    for sentence in curves.notes:
        note(console, sentence)


def _legend_names(labels: Sequence[str], width: int) -> tuple[str, ...]:
    """Return the labels, or letters if a label is too long for the legend."""
    if all(cell_len(label) + len(", validation") <= width - _LEGEND_ROOM for label in labels) or len(labels) == 1:
        return tuple(labels)
    return letters(len(labels))


def _print_panel(console: Console, curves: LearningCurves, panel: Panel, called: Sequence[str], width: int) -> None:
    paired = len(panel.columns) > 1
    series = [_series(curve, called, alone=len(curves.labels) == 1, paired=paired) for curve in panel.curves]
    bands = _bands(panel)
    print_line(console, _heading(curves, panel, shaded=bool(bands)), style="bold")
    lines = line_plot(
        series,
        width=width,
        height=_HEIGHT,
        unicode=draws_unicode(console),
        log_y=panel.log,
        x_label=_X_LABELS[curves.x_axis],
        bands=bands,
        per_colour=2 if paired else 1,
    )
    for line in lines:
        console.print(line, soft_wrap=True)
    if len(series) > MARKS:
        note(console, f"marks repeat, because there are only {MARKS} for {len(series)} curves")


def _series(curve: LearningCurve, called: Sequence[str], *, alone: bool, paired: bool) -> Series:
    parts = ([] if alone else [called[curve.run]]) + ([_PARTS[curve.column]] if paired else [])
    return ", ".join(parts), curve.xs, curve.means


def _bands(panel: Panel) -> dict[int, Band]:
    """Return the bands of the panel, only of validation data; {} if there would be too many."""
    shown = {n: curve for n, curve in enumerate(panel.curves) if curve.lows != curve.highs}
    if len(panel.columns) > 1:
        shown = {n: curve for n, curve in shown.items() if curve.column != "train_loss"}
    return {n: (curve.lows, curve.highs) for n, curve in shown.items()} if len(shown) <= _MOST_BANDS else {}


def _heading(curves: LearningCurves, panel: Panel, *, shaded: bool) -> str:
    what = f"{panel.name} ({panel.loss})" if panel.loss else panel.name
    units = f" [{panel.units}]" if panel.units else ""
    facts = [f"{better(panel.goal)} is better" if panel.goal else "", "logarithmic" if panel.log else ""]
    seeds = sorted({curve.seeds for curve in panel.curves})
    if seeds[-1] > 1:
        counts = " or ".join(map(str, seeds))
        whose = "validation " if len(panel.columns) > 1 else ""
        facts.append(f"mean of {counts} seeds" + (f", {whose}band from lowest to highest" if shaded else ""))
    of_run = f" of {curves.labels[0]}" if len(curves.labels) == 1 else ""
    details = "; ".join(filter(None, facts))
    return f"{what}{units}{of_run}" + (f": {details}" if details else "")
