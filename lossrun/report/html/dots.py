"""Draw what verdicts are based on: each seed's value, and each difference with its interval."""

import math
from collections.abc import Sequence
from typing import Final

from lossrun.analysis.comparison.metrics import ComparedMetric
from lossrun.analysis.comparison.verdicts import Verdict
from lossrun.report.html.axes import Axis, opened
from lossrun.report.html.figures import short, style, text_width
from lossrun.report.html.markup import Markup, element
from lossrun.report.layout.numbers import format_difference, format_number, format_spread

_WIDE: Final = 440  # units of a drawing
_LEFT, _RIGHT, _TOP = 34, 424, 10
_ROW: Final = 32


def seeds_figure(metric: ComparedMetric, letters: Sequence[str], names: Sequence[str]) -> Markup | None:
    """Draw each seed's value as a dot and the mean as a line; None if no value is finite."""
    spreads = metric.measured.values
    span = opened(value for spread in spreads if spread for value in spread.per_seed.values())
    if span is None:
        return None
    x = Axis(*span, _LEFT, _RIGHT)
    rows = []
    for index, (spread, letter, name) in enumerate(zip(spreads, letters, names, strict=True)):
        y = _TOP + _ROW * index + _ROW // 2
        parts = _dots(x, y, spread.per_seed if spread else {}, name)
        if spread and math.isfinite(spread.mean):
            parts.append(_bar(x, y, spread.mean, f"{name}, mean: {format_spread(spread, '±')}"))
        rows.append(element("g", _letter(letter, y), *parts, class_=style(index)))
    better = {"min": "← lower is better", "max": "higher is better →", None: ""}[metric.goal]
    anchor = "start" if metric.goal == "min" else "end"
    foot = element("text", better, x=_LEFT if anchor == "start" else _RIGHT, text_anchor=anchor, class_="better")
    what = f"{metric.name} of every seed"
    return element("figure", element("h3", what), _drawing(x, rows, [], foot, what), class_="dots")


def intervals_figure(
    metric: ComparedMetric, verdicts: Sequence[Verdict], letters: Sequence[str], names: Sequence[str]
) -> Markup | None:
    """Draw differences from the first run: dots for seeds, a line for the mean, and a box for the 95 % interval.

    None if no two runs could be compared.
    """
    shown = [(verdict, verdict.difference) for verdict in verdicts if verdict.difference is not None]
    ends = [value for _, found in shown for value in (*found.per_seed.values(), *(found.interval or ()))]
    span = opened([*ends, 0.0]) if shown else None
    if span is None:
        return None
    x = Axis(*span, _LEFT, _RIGHT)
    rows = []
    for index, (verdict, found) in enumerate(shown):
        y, name = _TOP + _ROW * index + _ROW // 2, f"{names[verdict.run]} - {letters[verdict.reference]}"
        parts = []
        if found.interval:
            low, high = found.interval
            title = element("title", f"{name}: 95 % interval {format_difference(low)} to {format_difference(high)}")
            ends_at = {"x": short(x.place(low)), "width": short(max(x.place(high) - x.place(low), 1))}
            parts.append(element("rect", title, **ends_at, y=y - 8, height=16, rx=3, class_="interval"))
        parts += _dots(x, y, found.per_seed, name)
        parts.append(_bar(x, y, found.mean, f"{name}, mean: {format_difference(found.mean)}"))
        rows.append(element("g", _letter(letters[verdict.run], y), *parts, class_=style(verdict.run)))
    zero = short(x.place(0))
    line = element("line", x1=zero, x2=zero, y1=_TOP - 4, y2=_TOP + _ROW * len(rows), class_="zero")
    against = letters[shown[0][0].reference]
    higher = metric.goal == "max"
    better = f"better than {against} →" if higher else f"← better than {against}"
    anchor = "end" if higher else "start"
    foot = element("text", better, x=_RIGHT if higher else _LEFT, text_anchor=anchor, class_="better")
    what = f"{metric.name}, difference from {against}"
    return element("figure", element("h3", what), _drawing(x, rows, [line], foot, what), class_="dots")


def _drawing(x: Axis, rows: Sequence[Markup], beneath: Sequence[Markup], foot: Markup, what: str) -> Markup:
    height = _TOP + _ROW * len(rows)
    ticks = [
        part
        for place, value, text in ((short(x.place(value)), value, text) for value, text in _apart(x))
        for part in (
            element("line", x1=place, x2=place, y1=_TOP - 4, y2=height, class_="grid"),
            element("text", text, x=_inside(x.place(value), text), y=height + 16, text_anchor="middle"),
        )
    ]
    return element(
        "svg",
        *ticks,
        *beneath,
        *rows,
        element("g", foot, transform=f"translate(0 {height + 36})"),
        viewBox=f"0 0 {_WIDE} {height + 44}",
        role="img",
        aria_label=f"{what}; the numbers are in the tables",
    )


def _apart(x: Axis) -> list[tuple[float, str]]:
    """Return as many ticks as fit next to each other."""
    for most in (6, 4, 3, 2):
        ticks = x.ticks(most)
        if sum(text_width(text) + 10 for _, text in ticks) <= _WIDE:
            break
    return ticks


def _inside(place: float, text: str) -> str:
    """Return where the middle of a text is placed: below its tick, but within the drawing."""
    half = text_width(text) / 2
    return short(min(max(place, half), _WIDE - half))


def _letter(letter: str, y: int) -> Markup:
    return element("text", letter, x=4, y=y + 5, class_="end")


def _dots(x: Axis, y: int, per_seed: dict[int, float], name: str) -> list[Markup]:
    return [
        element(
            "circle",
            element("title", f"{name}, seed {seed}: {format_number(value)}"),
            cx=short(x.place(value)),
            cy=y,
            r=5,
            class_="seed",
        )
        for seed, value in per_seed.items()
        if math.isfinite(value)
    ]


def _bar(x: Axis, y: int, value: float, title: str) -> Markup:
    at = short(x.place(value))
    return element("line", element("title", title), x1=at, x2=at, y1=y - 12, y2=y + 12, class_="mean")
