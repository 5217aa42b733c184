"""Draw the curves of the manual as SVG without a script: losses over their outputs, rates over a run."""

from collections.abc import Sequence
from math import hypot, isfinite
from typing import Final, Protocol, TypeAlias

from lossrun.report.html.axes import Axis
from lossrun.report.html.figures import short, swatch
from lossrun.report.html.markup import Markup, element
from lossrun.report.reference.pictures import picture_number

# (name, xs, values)
Curve: TypeAlias = tuple[str, Sequence[float], Sequence[float]]

_WIDE: Final = 440  # units of a drawing, about a pixel each on a small screen
_HIGH: Final = 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 430, 8, 206
_DASHES: Final = 4  # further curves repeat the last one
_LEAST: Final = 0.15  # units; points nearer to the line between their neighbours are left out


class Picture(Protocol):
    """A loss as `components.losses.curves` computes it."""

    @property
    def name(self) -> str: ...
    @property
    def axis(self) -> str: ...
    @property
    def rows(self) -> Sequence[tuple[float, float, float]]: ...
    @property
    def curves(self) -> Sequence[Curve]: ...
    @property
    def limits(self) -> tuple[float, float]: ...


def loss_figure(picture: Picture) -> Markup:
    """Draw a loss next to similar losses, with a table of its values and slopes."""
    title = f"{picture.name}, over the {picture.axis}"
    return element(
        "figure",
        element("figcaption", title),
        _drawing(title, picture.curves, picture.limits, picture.axis),
        _legend(picture.curves),
        element("details", element("summary", "Values and slopes"), _values(picture)),
        class_="plot",
    )


def rate_figure(name: str, curves: Sequence[Curve]) -> Markup:
    """Draw the rate as a share of `learning_rate`, over the epochs of a run."""
    title = f"{name}: share of learning_rate over a run of {max(curves[0][1]):g} epochs"
    top = max(1.0, *(max(shares) for _, _, shares in curves))
    return element(
        "figure",
        element("figcaption", title),
        _drawing(title, curves, (0.0, top), "epoch"),
        _legend(curves),
        class_="plot",
    )


def _drawing(title: str, curves: Sequence[Curve], limits: tuple[float, float], label: str) -> Markup:
    xs = curves[0][1]
    low, high = limits
    room = 0.03 * (high - low)
    x = Axis(min(xs), max(xs), _LEFT, _RIGHT)
    y = Axis(low - room, high + room, _BOTTOM, _TOP)
    grid = [
        part
        for value, text in y.ticks(5)
        for part in (
            element("line", x1=_LEFT, x2=_RIGHT, y1=short(y.place(value)), y2=short(y.place(value)), class_="grid"),
            element("text", text, x=_LEFT - 7, y=short(y.place(value) + 4), text_anchor="end"),
        )
    ]
    for value, text in x.ticks(8):
        at = short(x.place(value))
        grid.append(element("text", text, x=at, y=_BOTTOM + 17, text_anchor="middle"))
        grid.append(element("line", x1=at, x2=at, y1=_BOTTOM, y2=_BOTTOM + 4, class_="axis"))
    grid.append(element("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="axis"))
    grid.append(element("text", label, x=(_LEFT + _RIGHT) / 2, y=_BOTTOM + 37, text_anchor="middle", class_="label"))
    # The loss itself is drawn last, on top of the others. The inner drawing cuts off what leaves the frame.
    lines = [_line(place, curve, x, y) for place, curve in reversed(list(enumerate(curves)))]
    inside = element("svg", *lines, x=_LEFT, y=_TOP, width=_RIGHT - _LEFT, height=_BOTTOM - _TOP)
    named = ", ".join(name for name, _, _ in curves)
    return element(
        "svg",
        element("title", f"{title}: {named}"),
        *grid,
        inside,
        viewBox=f"0 0 {_WIDE} {_HIGH}",
        role="img",
        aria_label=f"{title}: curves of {named}",
    )


def _line(place: int, curve: Curve, x: Axis, y: Axis) -> Markup:
    _, xs, values = curve
    points = [
        (x.place(at) - _LEFT, y.place(value) - _TOP) for at, value in zip(xs, values, strict=True) if isfinite(value)
    ]
    path = "L".join(f"{short(across)} {short(down)}" for across, down in _thinned(points))
    return element("path", d=f"M{path}", class_=f"line {_style(place)}")


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points, without those on the line between others (Ramer 1972, Douglas and Peucker 1973)."""
    kept = {0, len(points) - 1}
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        (x1, y1), (x2, y2) = points[first], points[last]
        length = hypot(x2 - x1, y2 - y1) or 1.0
        off = [abs((x2 - x1) * (y1 - y) - (x1 - x) * (y2 - y1)) / length for x, y in points[first + 1 : last]]
        if off and max(off) > _LEAST:
            farthest = first + 1 + off.index(max(off))
            kept.add(farthest)
            spans += [(first, farthest), (farthest, last)]
    return [points[place] for place in sorted(kept)]


def _style(place: int) -> str:
    """Return the classes of a curve: a colour, and a dash for the other losses, which also works without colour."""
    return f"c{place} d{min(place, _DASHES - 1)}"


def _legend(curves: Sequence[Curve]) -> Markup:
    entries = [
        element("li", swatch(_style(place)), element("span", name, class_="name"))
        for place, (name, _, _) in enumerate(curves)
    ]
    return element("ul", *entries, class_="legend")


def _values(picture: Picture) -> Markup:
    head = [picture.axis.split()[0], "loss", "slope"]
    rows = [
        element(
            "tr",
            element("th", f"{x:g}", scope="row"),
            element("td", picture_number(value)),
            element("td", picture_number(slope)),
        )
        for x, value, slope in picture.rows
    ]
    return element(
        "table",
        element("thead", element("tr", *(element("th", name, scope="col") for name in head))),
        element("tbody", *rows),
        class_="numbers",
    )
