"""Draw a sweep's tuning scores against the tuned value on the terminal, one line for each pair."""

import math
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from lossrun.analysis.sweeps.sensitivity import Sensitivity, sensitivity
from lossrun.analysis.sweeps.tuning import TuningResult
from lossrun.analysis.values.readings import Spread
from lossrun.catalog.metric_names import better
from lossrun.report.layout.console import is_bounded, note
from lossrun.report.layout.glyphs import draws_unicode
from lossrun.report.layout.text_table import print_line
from lossrun.report.plots.line_plot import MARKS, line_plot

_PIPE_WIDTH: Final = 79
_WIDEST: Final = 120
_HEIGHT: Final = 9
_DECADES: Final = 2  # of the scores, from which on their axis is logarithmic


def print_sensitivity(console: Console, tuning: TuningResult, *, names: Sequence[str] | None) -> None:
    """Print the picture; nothing where the tuned values do not make a curve.

    Args:
        names: What to call each pair in the legend; None for what it changes.
    """
    found = sensitivity(tuning)
    if found is None:
        return
    title = f"{found.metric} in tuning: {better(found.goal)} is better; gaps are values without a score"
    print_line(console, "")
    print_curves(console, found, title, names=names)


def print_curves(console: Console, found: Sensitivity, title: str, *, names: Sequence[str] | None = None) -> None:
    """Print a picture with a line for each pair, below a title.

    Args:
        names: What to call each line in the legend; None for its label.
    """
    width = min(console.width - 1, _WIDEST) if is_bounded(console) else _PIPE_WIDTH
    called = [line.label for line in found.lines] if names is None else [names[line.pair] for line in found.lines]
    # There are not enough marks that differ without colour, and letters are the clearest ones.
    letters = "".join(called) if len(called) > MARKS and all(len(name) == 1 for name in called) else ""
    lines = line_plot(
        [(name, line.xs, means(line.scores)) for name, line in zip(called, found.lines, strict=True)],
        width=width,
        height=_HEIGHT,
        unicode=draws_unicode(console),
        log_x=found.log,
        log_y=is_log(found),
        x_label=found.key,
        marks_at_points=True,
        marks=letters,
    )
    print_line(console, title, style="bold")
    for line in lines:
        console.print(line, soft_wrap=True)
    if letters:
        print_line(console, "letters: as in the leaderboard")
    elif len(called) > MARKS:
        note(console, f"marks repeat, because there are only {MARKS} for {len(called)} curves")


def means(scores: Sequence[Spread | None]) -> list[float]:
    """Return the mean of each score; NaN for none."""
    return [math.nan if score is None else score.mean for score in scores]


def is_log(found: Sensitivity) -> bool:
    """Return whether the scores span so much that their axis is logarithmic."""
    shown = [score.mean for line in found.lines for score in line.scores if score is not None]
    return min(shown) > 0 and max(shown) / min(shown) >= 10**_DECADES
