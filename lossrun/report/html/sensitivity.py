"""Draw a sweep's tuning scores against the tuned value, and list what each pair was tuned to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from lossrun.analysis.comparison.differences import letters
from lossrun.analysis.sweeps.sensitivity import HeatMap, Sensitivity, SensitivityLine, heat_map, sensitivity
from lossrun.analysis.sweeps.tuning import TuningResult
from lossrun.analysis.sweeps.words import words
from lossrun.catalog.metric_names import better
from lossrun.report.comparison.tuning import curve_table, tuning_notes, tuning_table
from lossrun.report.html.axes import Axis, opened
from lossrun.report.html.figures import ends, short, squeezed, style, swatch
from lossrun.report.html.markup import Markup, element
from lossrun.report.html.verdicts import notes
from lossrun.report.layout.numbers import format_spread
from lossrun.report.layout.text_table import TextTable
from lossrun.report.plots.sensitivity_plot import is_log

_WIDE, _HEIGHT = 440, 278  # units of a drawing
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 424, 12, 236
_RADIUS: Final = 3


@dataclass(frozen=True, slots=True)
class PairMark:
    """What marks a pair in the figure: the letter and the CSS classes of its run; no letter for a pair without one."""

    letter: str
    classes: str


def marks(tuning: TuningResult, runs: Sequence[str]) -> list[PairMark]:
    """Return the mark of each pair. `runs`: the pair of each compared run."""
    places = {pair: place for place, pair in reversed([*enumerate(runs)])}
    others = count(len(runs))
    found = [places.get(words(pair.pair)) for pair in tuning.pairs]
    names = letters(len(runs))
    return [PairMark("", style(next(others))) if one is None else PairMark(names[one], style(one)) for one in found]


def tuning_section(tuning: TuningResult, runs: Sequence[str]) -> list[Markup | None]:
    """Return the curves, the heat map, and a table of the values that were chosen.

    `runs`: the pair of each compared run.
    """
    text = (
        "The values of each pair were chosen on validation data, with seeds that the comparison does not use. A value "
        "that diverged or failed has no point."
    )
    found, map_ = sensitivity(tuning), heat_map(tuning)
    figures = [_figure(found, marks(tuning, runs)) if found else None, _heat_map(map_) if map_ else None]
    panels = element("div", *figures, class_="panels") if any(figures) else None
    curve = curve_table(tuning, "±")
    told = ""
    if not (tuning.adaptive or tuning.rounds):
        told = ". The values tried count as random draws; evenly spaced ones vary less, so the band is rather too wide"
    return [
        element("p", text),
        panels,
        _table(tuning_table(tuning, "±")),
        notes(tuning_notes(tuning), "hint"),
        *(
            [
                element("h3", curve.title),
                _table(curve),
                element("p", f"{curve.note}{told}.", class_="note"),
            ]
            if curve
            else []
        ),
    ]


def _heat_map(found: HeatMap) -> Markup:
    """Make a table whose cells are the darker the better; the best one is marked too."""
    title = f"Best {found.metric} in tuning, by {found.keys[0]} and {found.keys[1]} ({better(found.goal)} is better)"
    rows = []
    for row, name in enumerate(found.rows):
        cells = []
        for column, score in enumerate(found.scores[row]):
            shade = found.shade(row, column)
            mark = " *" if shade == 1 else ""
            shown = format_spread(score, "±") + mark if score else "–"
            cells.append(element("td", shown, class_="" if shade is None else f"s{round(9 * shade)}"))
        rows.append(element("tr", element("th", name, scope="row"), *cells))
    head = element("tr", element("td"), *(element("th", name, scope="col") for name in found.columns))
    table = element("table", element("thead", head), element("tbody", *rows), class_="heat")
    return element("figure", element("h3", title), element("div", table, class_="scroll"))


def _figure(found: Sensitivity, marks: Sequence[PairMark]) -> Markup | None:
    shown = [score.mean for line in found.lines for score in line.scores if score and math.isfinite(score.mean)]
    across = opened((x for line in found.lines for x in line.xs), log=found.log)
    along = opened(shown, log=is_log(found))
    if across is None or along is None:
        return None
    x, y = Axis(*across, _LEFT, _RIGHT, found.log), Axis(*along, _BOTTOM, _TOP, is_log(found))
    what = f"{found.metric} in tuning against {found.key}"
    drawing = element(
        "svg",
        *_axes(x, y, found.key),
        *(_line(x, y, line, marks[line.pair]) for line in found.lines),
        *_letters(x, y, found.lines, marks),
        viewBox=f"0 0 {_WIDE} {_HEIGHT}",
        role="img",
        aria_label=f"{what} for {', '.join(line.label for line in found.lines)}",
    )
    entries = [
        element(
            "li",
            swatch(marks[line.pair].classes),
            element("span", f"{marks[line.pair].letter} {line.label}".strip(), class_="name"),
        )
        for line in found.lines
    ]
    legend = element("div", element("ul", *entries), class_="legend")
    return element("figure", element("h3", f"{what} ({better(found.goal)} is better)"), drawing, legend, class_="dots")


def _axes(x: Axis, y: Axis, key: str) -> list[Markup]:
    parts = [element("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="axis")]
    for value, text in x.ticks():
        parts.append(element("text", text, x=short(x.place(value)), y=_BOTTOM + 18, text_anchor="middle"))
    for value, text in y.ticks():
        place = y.place(value)
        parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=short(place), y2=short(place), class_="grid"))
        label = squeezed(text, _LEFT - 9)
        parts.append(element("text", text, x=_LEFT - 7, y=short(place + 4), text_anchor="end", class_="tick", **label))
    middle = (_LEFT + _RIGHT) / 2
    return [*parts, element("text", key, x=middle, y=_BOTTOM + 35, text_anchor="middle", class_="label")]


def _letters(x: Axis, y: Axis, lines: Sequence[SensitivityLine], marks: Sequence[PairMark]) -> list[Markup]:
    """Draw the letter of each line at its last score."""
    at: dict[float, list[tuple[float, str, str]]] = {}
    for line in lines:
        scored = [pair for pair in zip(line.xs, line.scores, strict=True) if pair[1] and math.isfinite(pair[1].mean)]
        if scored and (letter := marks[line.pair].letter):
            value, score = scored[-1]
            assert score is not None
            at.setdefault(x.place(value), []).append((y.inside(score.mean), letter, marks[line.pair].classes))
    return [text for right, curves in at.items() for text in ends(curves, right, _BOTTOM)]


def _line(x: Axis, y: Axis, line: SensitivityLine, mark: PairMark) -> Markup:
    """Draw a path for every stretch without a gap, and a point with its value for each score."""
    parts, stretch = [], list[str]()
    for value, score in [*zip(line.xs, line.scores, strict=True), (0.0, None)]:
        if score is not None and math.isfinite(score.mean):
            place = short(x.place(value)), short(y.inside(score.mean))
            stretch.append(" ".join(place))
            title = element("title", f"{line.label}, {value:g}: {format_spread(score, '±')}")
            parts.append(element("circle", title, cx=place[0], cy=place[1], r=_RADIUS, class_="point"))
            continue
        if len(stretch) > 1:
            parts.append(element("path", d=f"M{'L'.join(stretch)}", class_="line"))
        stretch = []
    return element("g", *parts, class_=mark.classes)


def _table(found: TextTable) -> Markup:
    columns = [found.key, *found.columns]
    rows = []
    for row, name in enumerate(found.key.cells):
        cells = ("–" if column.cells[row] == "-" else column.cells[row] for column in found.columns)
        rows.append(element("tr", element("th", name, scope="row"), *(element("td", cell) for cell in cells)))
    headers = element("tr", *(element("th", column.header.replace("\n", " "), scope="col") for column in columns))
    return element("div", element("table", element("thead", headers), element("tbody", *rows)), class_="scroll")
