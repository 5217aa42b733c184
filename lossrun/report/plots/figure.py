"""Draw learning curves into a file: a figure for a column of a paper, as clear in print and without colour."""

import io
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lossrun.analysis.learning_curves import LearningCurves, Panel
from lossrun.analysis.values.mean_curve import LearningCurve
from lossrun.errors import UsageError
from lossrun.nearby import about_folder, joined
from lossrun.report.layout.files import save

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS: Final = ("png", "svg", "pdf")

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is too light for lines on paper. The order
# keeps neighbours far apart in luminance.
COLOURS: Final = ("#0072B2", "#E69F00", "#000000", "#009E73", "#56B4E9", "#D55E00", "#CC79A7")
_DASHES: Final = ("-", (0, (5, 1.5)), (0, (1.2, 1)), (0, (6, 1.2, 1.2, 1.2)), (0, (6, 1.2, 1.2, 1.2, 1.2, 1.2)))
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "<")
_TRAINING_DASH: Final = (0, (3, 1.2))

_WIDTH: Final = 3.5  # inches: a column of two
_PANEL_HEIGHT: Final = 2.0  # inches
_LEGEND_ROW: Final = 0.16  # inches
_LABEL_WIDTH: Final = 56  # characters in a row of the legend
_HALF_WIDTH: Final = 23  # characters of a legend in two columns
_DPI: Final = 300  # of a PNG, as journals require
_MARKS_PER_LINE: Final = 7
_MOST_MARKED: Final = 10  # up to this number, every point has a mark

_STYLE: Final[Any] = {  # the type of the keys differs between versions of matplotlib
    "font.size": 8,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # part of matplotlib, so the same everywhere
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,  # embedded TrueType; many publishers refuse Type 3
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "lossrun",
    "text.parse_math": False,  # a label may contain any character
    "savefig.dpi": _DPI,
}
# No dates or other metadata, so that the same curves give the same bytes.
_METADATA: Final[dict[str, dict[str, Any]]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
_QUANTITIES: Final = {
    "grad_norm": "gradient norm",
    "seconds": "time per epoch (s)",
    "train_seconds": "training time per epoch (s)",
}
_PARTS: Final = {"val": "validation", "train": "training"}
_UNITS: Final = {"targets": "units of targets", "targets squared": "squared units of targets", "per cent": "%"}
_X_LABELS: Final = {"epoch": "epoch", "step": "step (optimizer updates)", "seconds": "wall time (s)"}


def check_output(path: Path) -> None:
    """Check that a figure can be drawn into a file.

    Raises:
        UsageError: If the ending is unknown, the folder does not exist, or matplotlib is not installed.
    """
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        expected = ", ".join(f".{name}" for name in FORMATS)
        raise UsageError(f"--output {path}: the ending chooses the format; expected one of {expected}")
    if not path.absolute().parent.is_dir():
        raise UsageError(
            joined(f"--output {path}{about_folder(path)}", "create the folder, or choose another --output")
        )
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise UsageError('--output needs matplotlib, which is not installed: pip install "lossrun[plot]"') from error


def save_figure(curves: LearningCurves, path: Path) -> None:
    """Draw all panels, one below the other, into a png, svg, or pdf file, by the path's ending.

    Lines are means over seeds. Bands reach from the lowest to the highest seed; they are for validation only if
    training is drawn too. An older file is replaced.

    Raises:
        UsageError: As `check_output` does.
        RunError: If the file cannot be written.
    """
    write_figure(lambda: _drawn(curves), path)


def write_figure(draw: Callable[[], "Figure"], path: Path) -> None:
    """Draw a figure in the style of a paper into a file, by the path's ending; as `save_figure` does."""
    check_output(path)
    import matplotlib

    format_ = path.suffix.lower().removeprefix(".")
    buffer = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # ignore a matplotlibrc, so that figures are the same everywhere
        matplotlib.rcParams.update(_STYLE)
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)  # names may use any script
        draw().savefig(buffer, format=format_, metadata=_METADATA[format_])
    save(buffer.getvalue(), path, "--output")


def _drawn(curves: LearningCurves) -> "Figure":
    from matplotlib.figure import Figure

    names = [textwrap.fill(label, _LABEL_WIDTH) for label in curves.labels]
    entries = list(_legend(curves, names))
    columns = 2 if entries and max(len(text) for _, text in entries) <= _HALF_WIDTH else 1
    texts = [text for _, text in entries]
    rows = sum(max(text.count("\n") + 1 for text in texts[n : n + columns]) for n in range(0, len(texts), columns))
    figure = Figure(
        figsize=(_WIDTH, len(curves.panels) * _PANEL_HEIGHT + 0.3 + rows * _LEGEND_ROW), layout="constrained"
    )
    shown = figure.subplots(len(curves.panels), sharex=True, squeeze=False)[:, 0]
    paired = any(map(_is_paired, curves.panels))
    for number, (axes, panel) in enumerate(zip(shown, curves.panels, strict=True)):
        _draw_panel(axes, panel, number, paired=paired)
    _scale_x(shown[-1], curves)
    figure.align_ylabels()
    if entries:
        figure.legend(
            [artist for artist, _ in entries],
            texts,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            handlelength=3.2,
        )
    return figure


def _is_paired(panel: Panel) -> bool:
    """Return whether the panel shows both validation and training."""
    return len(panel.columns) > 1


def _has_band(panel: Panel, curve: LearningCurve) -> bool:
    """Return whether a curve has a band; training has none next to validation, because it would hide too much."""
    return curve.lows != curve.highs and not (_is_paired(panel) and curve.column == "train_loss")


def _draw_panel(axes: "Axes", panel: Panel, number: int, *, paired: bool) -> None:
    """Draw one panel.

    Args:
        paired: Whether dashes distinguish training from validation in some panel, and so must not distinguish runs.
    """
    if panel.log:
        _scale_log(axes, panel)
    for order, curve in enumerate(panel.curves):
        look = line_look(curve.run, training=_is_paired(panel) and curve.column == "train_loss", paired=paired)
        points = len(curve.xs)
        # Curves have their marks at different places.
        start = (order * 0.37) % 1 / _MARKS_PER_LINE
        every = None if points <= _MOST_MARKED else (start, 1 / _MARKS_PER_LINE)
        name = f"panel{number}-run{curve.run}-{curve.column}"
        axes.plot(curve.xs, curve.means, markevery=every, gid=name, zorder=3 - order / 1000, **look)
        if _has_band(panel, curve):
            axes.fill_between(
                curve.xs,
                curve.lows,
                curve.highs,
                facecolor=(look["color"], 0.15),
                edgecolor=(look["color"], 0.4),  # shows where overlapping bands end
                linewidth=0.4,
                gid=f"{name}-band",
            )
    axes.set_ylabel(_quantity(panel))


def line_look(run: int, *, training: bool = False, paired: bool = False) -> dict[str, Any]:
    """Return the look of a run: its own colour and marker, and dashes unless these mark training."""
    colour = COLOURS[run % len(COLOURS)]
    dash = _DASHES[run % len(_DASHES)] if not paired else _TRAINING_DASH if training else "-"
    return {
        "color": colour,
        "linestyle": dash,
        "linewidth": 0.9 if training else 1.2,
        "marker": _MARKERS[run % len(_MARKERS)],
        "markerfacecolor": "white" if training else colour,
        "markeredgewidth": 0.8,
    }


def _legend(curves: LearningCurves, names: Sequence[str]) -> Iterator[tuple["Artist", str]]:
    """Yield the legend's entries: the runs, then training and validation, then the bands."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    paired = any(map(_is_paired, curves.panels))
    alone = len(curves.labels) == 1
    if not alone:
        for run in sorted({curve.run for panel in curves.panels for curve in panel.curves}):
            yield Line2D([], [], **line_look(run, paired=paired)), names[run]
    if paired:
        for training, part in ((False, "validation"), (True, "training")):
            look = line_look(0, training=training, paired=True)
            # With several runs, use none of their colours.
            neutral = {} if alone else {"color": "#555555", "marker": ""}
            yield Line2D([], [], **{**look, **neutral}), part
    shaded = {curve.seeds for panel in curves.panels for curve in panel.curves if _has_band(panel, curve)}
    if shaded:
        counts = " or ".join(map(str, sorted(shaded)))
        whose = " (validation)" if paired else ""
        band = Patch(facecolor="#999999", alpha=0.4, linewidth=0)
        yield band, f"lines: means; bands: range of {counts} seeds{whose}"


def _scale_x(axes: "Axes", curves: LearningCurves) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(_X_LABELS[curves.x_axis])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=curves.x_axis != "seconds"))


def _scale_log(axes: "Axes", panel: Panel) -> None:
    """Set ticks at powers of ten, for few decades also at 2 and 5, written as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    above = [y for curve in panel.curves for y in (*curve.lows, *curve.highs) if y > 0]
    few = max(above) / min(above) < 100
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _quantity(panel: Panel) -> str:
    """Name what the axis shows, with its units."""
    part, _, rest = panel.name.partition("_")
    plain = panel.name.replace("_", " ")
    what = f"{_PARTS[part]} {rest.replace('_', ' ')}" if part in _PARTS else _QUANTITIES.get(panel.name, plain)
    if panel.loss:
        return textwrap.fill(f"{what}: {panel.loss}", 34)
    return f"{what} ({_UNITS.get(panel.units, panel.units)})" if panel.units else what
