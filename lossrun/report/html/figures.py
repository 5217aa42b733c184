"""Draw the page's figures as SVG that needs no script; the values that a script shows follow as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from lossrun.analysis.values.readings import Spread
from lossrun.report.html.axes import Axis, opened
from lossrun.report.html.markup import Markup, element, json_block
from lossrun.report.layout.numbers import format_spread

MOST_POINTS: Final = 160  # of a curve: two to three units of the drawing apart

_COLOURS: Final = 6  # after these, the dashes change
_WIDE: Final = 440  # units of a drawing, about a pixel each on a small screen
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 402, 12, 236
_HEIGHT: Final = 278
_LABEL_GAP: Final = 12.0  # between the letters at the ends of curves
_LOG_FROM: Final = 1e3  # with a larger ratio of highest to lowest value, a figure opens with its log scale


@dataclass(frozen=True, slots=True)
class Line:
    """A curve.

    Attributes:
        name: Its name in the legend.
        end: The text at its right end.
        style: Its CSS classes.
        values: One spread for each epoch; None for an epoch without a value.
        seeds: The number of seeds of the run; an epoch has fewer after a seed has diverged or stopped.
    """

    name: str
    end: str
    style: str
    values: tuple[Spread | None, ...]
    seeds: int

    def text(self, place: int) -> str:
        value = self.values[place]
        return format_spread(value, "±") + (of_seeds(value, self.seeds) if value else "")


def of_seeds(value: Spread, seeds: int) -> str:
    """Say how many of a run's seeds a mean is over, unless it is over all of them."""
    return f" ({len(value.per_seed)} of {seeds} seeds)" if len(value.per_seed) < seeds else ""


def style(index: int) -> str:
    """Return the CSS classes of the `index`-th run: a colour, and a dash once the colours repeat."""
    return f"c{index % _COLOURS} d{index // _COLOURS}"


def line_figure(title: str, epochs: Sequence[int], lines: Sequence[Line], note: str = "") -> Markup | None:
    """Draw means over the seeds by epoch, with a band of one standard deviation; None if no value is finite.

    There is a linear scale and, if a value is above 0, a logarithmic one; a checkbox switches.
    """
    x = Axis(*(opened(epochs) or (0.0, 1.0)), _LEFT, _RIGHT)
    axes = {"linear": _y_axis(lines, log=False), "log": _y_axis(lines, log=True)}
    scales = {name: axis for name, axis in axes.items() if axis}
    if not scales:
        return None
    places = [round(x.place(epoch), 1) for epoch in epochs]
    hover = {
        "epochs": list(epochs),
        "x": places,
        "lines": [
            {
                "text": [line.text(place) for place in range(len(line.values))],
                **{name: [_place(axis, value) for value in line.values] for name, axis in scales.items()},
            }
            for line in lines
        ],
    }
    drawing = element(
        "svg",
        _x_axis(x),
        *(_scale(name, axis, places, lines) for name, axis in scales.items()),
        element("g", class_="cursor"),
        viewBox=f"0 0 {_WIDE} {_HEIGHT}",
        role="img",
        tabindex="0",
        aria_label=f"{title} by epoch for {', '.join(line.name for line in lines)}; arrow keys read the values",
    )
    parts = [element("h3", title), _log_switch(axes["log"]), drawing, _legend(epochs, lines)]
    parts += [element("p", note, class_="note")] if note else []
    return element("figure", *parts, json_block(hover, class_="values"), class_="curves")


def _y_axis(lines: Sequence[Line], *, log: bool) -> Axis | None:
    shown = [value for line in lines for value in line.values if value and math.isfinite(value.mean)]
    edges = [
        value.mean + sign * value.deviation
        for value in shown
        if value.deviation is not None and math.isfinite(value.deviation)
        for sign in (-1, 1)
    ]
    # On a logarithmic scale, a band close to 0 would leave no room for the curves.
    means = [value.mean for value in shown]
    span = opened(means, log=True) if log else opened(means + edges)
    return Axis(*span, _BOTTOM, _TOP, log) if span and math.isfinite(span[1] - span[0]) else None


def _place(axis: Axis, value: Spread | None) -> float | None:
    if value is None or not math.isfinite(value.mean) or (axis.log and value.mean <= 0):
        return None
    return round(axis.place(value.mean), 1)


def _x_axis(axis: Axis) -> Markup:
    ticks = [(value, text) for value, text in axis.ticks(8) if value == int(value) > 0]
    parts = [
        element("text", text, x=short(axis.place(value)), y=_BOTTOM + 18, text_anchor="middle") for value, text in ticks
    ]
    parts.append(element("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="axis"))
    parts.append(element("text", "epoch", x=(_LEFT + _RIGHT) / 2, y=_BOTTOM + 35, text_anchor="middle", class_="label"))
    return element("g", *parts, class_="x")


def _scale(name: str, axis: Axis, places: Sequence[float], lines: Sequence[Line]) -> Markup:
    ticks = [
        part
        for value, text in axis.ticks()
        for part in (
            element(
                "line", x1=_LEFT, x2=_RIGHT, y1=short(axis.place(value)), y2=short(axis.place(value)), class_="grid"
            ),
            element(
                "text",
                text,
                x=_LEFT - 7,
                y=short(axis.place(value) + 4),
                text_anchor="end",
                class_="tick",
                **squeezed(text, _LEFT - 9),
            ),
        )
    ]
    curves = [_curve(axis, places, line) for line in lines]
    return element("g", *ticks, *curves, *_ends(axis, lines), class_=f"scale {name}")


def _curve(axis: Axis, places: Sequence[float], line: Line) -> Markup:
    """Draw the band, the line, and a point for an epoch without neighbours."""
    parts: list[Markup] = []
    at = [(x, _place(axis, value), value) for x, value in zip(places, line.values, strict=True)]
    for drawn, group in groupby(at, key=lambda point: point[1] is not None):
        points = list(group)
        if not drawn:
            continue
        edges = [
            (x, v.mean, v.deviation) for x, _, v in points if v and v.deviation is not None and v.deviation < math.inf
        ]
        upper = [f"{x} {short(axis.inside(mean + deviation))}" for x, mean, deviation in edges]
        lower = [f"{x} {short(axis.inside(mean - deviation))}" for x, mean, deviation in reversed(edges)]
        if len(upper) > 1:
            parts.append(element("path", d=f"M{'L'.join(upper + lower)}Z", class_="band"))
        if len(points) == 1:
            parts.append(element("circle", cx=points[0][0], cy=points[0][1], r=3.5, class_="point"))
        else:
            parts.append(element("path", d=f"M{'L'.join(f'{x} {y}' for x, y, _ in points)}", class_="line"))
    return element("g", *parts, class_=line.style)


def _ends(axis: Axis, lines: Sequence[Line]) -> list[Markup]:
    found = []
    for line in lines:
        places = [y for y in (_place(axis, value) for value in line.values) if y is not None]
        found += [(places[-1], line.end, line.style)] if places else []
    return ends(found, _RIGHT, _BOTTOM)


def ends(curves: Sequence[tuple[float, str, str]], right: float, bottom: float) -> list[Markup]:
    """Draw the letters of curves that end at `right`, moved apart if they end close together.

    Args:
        curves: For each, the height of its end, its letter, and its CSS classes.
        bottom: The lowest place of a letter.
    """
    curves = sorted(curves, key=lambda curve: curve[0])
    heights: list[float] = []
    for y, _, _ in curves:
        heights.append(max(y, heights[-1] + _LABEL_GAP) if heights else y)
    floor = float(bottom)
    for place in reversed(range(len(heights))):
        heights[place] = min(heights[place], floor)
        floor = heights[place] - _LABEL_GAP
    return [
        element("text", letter, x=short(right + 6), y=short(y + 4), class_=f"end {classes}")
        for y, (_, letter, classes) in zip(heights, curves, strict=True)
    ]


def _log_switch(axis: Axis | None) -> Markup | None:
    """Make the checkbox; None without a logarithmic scale. It is checked if the values span magnitudes."""
    if axis is None:
        return None
    box = element("input", type="checkbox", class_="log", checked=axis.high / axis.low > _LOG_FROM)
    return element("label", box, " log scale", class_="switch")


def _legend(epochs: Sequence[int], lines: Sequence[Line]) -> Markup:
    """Name each line, with its value at the last epoch until a script shows another epoch."""
    entries = [
        element(
            "li",
            swatch(line.style),
            element("span", line.name, class_="name"),
            element("output", line.text(-1)),
        )
        for line in lines
    ]
    at = element("p", "epoch ", element("output", str(epochs[-1])), class_="at")
    return element("div", at, element("ul", *entries), class_="legend")


def squeezed(text: str, room: float) -> dict[str, Any]:
    """Return attributes that make a text fit `room` units; {} if it fits anyway."""
    if text_width(text) <= room:
        return {}
    return {"textLength": short(room), "lengthAdjust": "spacingAndGlyphs"}


def text_width(text: str) -> float:
    """Estimate the width of a tick's text in the widest font."""
    return sum(4.5 if char in ".,-+ " else 7.7 for char in text)


def swatch(classes: str) -> Markup:
    """Draw a short piece of a run's line."""
    line = element("line", x1=1, x2=25, y1=5, y2=5, class_="line")
    return element("svg", element("g", line, class_=classes), viewBox="0 0 26 10", class_="swatch", aria_hidden="true")


def short(value: float) -> str:
    """Write a place in a drawing, rounded to a tenth."""
    return f"{value:.1f}".removesuffix(".0")
