"""Show the held-out samples on the page: calibration, confusion of classes, the worst examples."""

from collections.abc import Sequence
from math import log1p
from typing import Final

from lossrun.analysis.comparison.compare import ComparedRun
from lossrun.analysis.held_out import Bin, Calibration, Confusion, HeldOutSample
from lossrun.analysis.report_data import ReportData, RunReport
from lossrun.report.html.axes import Axis
from lossrun.report.html.figures import short, style, swatch
from lossrun.report.html.markup import Markup, element, png_address
from lossrun.report.layout.numbers import format_count, format_number

_SIDE: Final = 200  # of a calibration diagram, in its units
_LEFT, _TOP = 34, 10
_COUNTS: Final = 44  # height of the counts below it
_FOOT: Final = _TOP + _SIDE + 16 + _COUNTS
_SHADES: Final = 9  # of a confusion matrix
_MANY: Final = 6  # a matrix of more classes needs more than half the width of a printed page
_PAIRS: Final = 5  # the most confused pairs in a sentence


def calibration_section(data: ReportData) -> list[Markup]:
    """Draw a diagram for each run that predicts probabilities; nothing if none does."""
    found = [(i, run.held_out.calibration) for i, run in enumerate(data.runs)]
    if not any(calibration for _, calibration in found):
        return []
    panels = [
        _calibration(data.comparison.runs[i], calibration, i) for i, calibration in found if calibration is not None
    ]
    of = next(calibration.of for _, calibration in found if calibration)
    # A run without predictions may still have probabilities: it has diverged or is not finished.
    letters = [run.letter for run in data.comparison.runs]
    without = [letters[i] for i, calibration in found if not calibration and data.runs[i].held_out.part]
    silent = [letters[i] for i, _ in found if not data.runs[i].held_out.part]
    text = (
        f"Of all predictions that give {of} a probability of about 0.8, eight in ten should come true. The closer the "
        "dots are to the diagonal, the more reliable the probabilities. The bars and the sizes of the dots show how "
        "many predictions there are."
    )
    missing = f" No probabilities: {', '.join(without)}." if without else ""
    missing += f" No predictions: {', '.join(silent)}." if silent else ""
    return [element("p", text + missing), element("div", *panels, class_="panels small")]


def confusion_section(data: ReportData) -> list[Markup]:
    """Make a confusion matrix for each run with exclusive classes."""
    panels = [
        _confusion(run, report, index)
        for index, (run, report) in enumerate(zip(data.comparison.runs, data.runs, strict=True))
        if report.held_out.confusion is not None
    ]
    if not panels:
        return []
    counted = "all seeds of a run are counted together"
    if data.comparison.own_splits:
        counted = "if each seed has its own split, only the first seed of a run is counted"
    text = f"Rows are true classes and columns are predicted classes; {counted}."
    return [element("p", text), element("div", *panels, class_="panels")]


def worst_section(data: ReportData) -> list[Markup]:
    """Show the examples that each run predicts worst, and mark those that several runs share."""
    runs = data.comparison.runs
    letters: dict[int, list[str]] = {}
    # Row numbers can only be compared if the data are the same.
    if data.comparison.comparable and len({report.held_out.part for report in data.runs}) == 1:
        for run, report in zip(runs, data.runs, strict=True):
            for example in report.held_out.worst:
                letters.setdefault(example.id, []).append(run.letter)
    parts = []
    for index, (run, report) in enumerate(zip(runs, data.runs, strict=True)):
        held_out = report.held_out
        content = [_heading(run, index)]
        if held_out.worst:
            kept = f"{held_out.samples} of {held_out.total}" if held_out.samples < held_out.total else held_out.total
            seeds = f", mean over {len(held_out.seeds)} seeds" if len(held_out.seeds) > 1 else ""
            content.append(
                element("p", f"{kept} {held_out.part} samples, sorted by {held_out.measure}{seeds}", class_="note")
            )
            cards = [
                _example(one, report, [other for other in letters.get(one.id, ()) if other != run.letter])
                for one in held_out.worst
            ]
            content.append(element("ol", *cards, class_="worst"))
        if held_out.problem:
            content.append(element("p", held_out.problem, class_="note"))
        parts.append(element("div", *content, class_="run"))
    return parts


def _heading(run: ComparedRun, index: int) -> Markup:
    return element("h3", swatch(style(index)), f" {run.letter} ", element("small", run.label))


def _calibration(run: ComparedRun, calibration: Calibration, index: int) -> Markup:
    filled = [one for one in calibration.bins if one.count]
    error = element("p", "expected calibration error ", element("strong", format_number(calibration.error, 3)))
    head = element("tr", *(element("th", text, scope="col") for text in ("probability", "count", "mean", "came true")))
    rows = [
        element(
            "tr",
            element("th", f"{one.low:.2f} to {one.high:.2f}", scope="row"),
            *(
                element("td", text)
                for text in (format_count(one.count), _rounded(one.predicted), _rounded(one.observed))
            ),
        )
        for one in filled
    ]
    table = element("table", element("thead", head), element("tbody", *rows))
    numbers = element("details", element("summary", "the numbers"), element("div", table, class_="scroll"))
    return element("figure", _heading(run, index), _diagram(run, filled, index), error, numbers, class_="calibration")


def _diagram(run: ComparedRun, filled: Sequence[Bin], index: int) -> Markup:
    side, up = Axis(0.0, 1.0, _LEFT, _LEFT + _SIDE), Axis(0.0, 1.0, _TOP + _SIDE, _TOP)
    most = max(one.count for one in filled)
    parts, path = [], []
    for one in filled:
        predicted, observed = one.predicted or 0.0, one.observed or 0.0
        x, y = short(side.place(predicted)), short(up.place(observed))
        title = f"{format_count(one.count)} predictions from {one.low:.2f} to {one.high:.2f}: "
        title += f"mean {_rounded(predicted)}, share that came true {_rounded(observed)}"
        size = max(1.0, _COUNTS * one.count / most)
        left, right = side.place(one.low), side.place(one.high)
        bar = {
            "x": short(left + 0.5),
            "y": short(_FOOT - size),
            "width": short(right - left - 1),
            "height": short(size),
        }
        parts += [
            element("line", x1=x, x2=x, y1=short(up.place(predicted)), y2=y, class_="gap"),
            element(
                "circle",
                element("title", title),
                cx=x,
                cy=y,
                r=short(2 + 3 * log1p(one.count) / log1p(most)),
                class_="point",
            ),
            element("rect", element("title", title), **bar, class_="count"),
        ]
        path.append(f"{x} {y}")
    line = [element("path", d=f"M{'L'.join(path)}", class_="line")] if len(path) > 1 else []
    grid = [
        part
        for value in (0.0, 0.5, 1.0)
        for part in (
            element(
                "line", x1=_LEFT, x2=_LEFT + _SIDE, y1=short(up.place(value)), y2=short(up.place(value)), class_="grid"
            ),
            element("text", f"{value:g}", x=_LEFT - 6, y=short(up.place(value) + 4), text_anchor="end"),
            element("text", f"{value:g}", x=short(side.place(value)), y=_FOOT + 14, text_anchor="middle"),
        )
    ]
    diagonal = element("line", x1=_LEFT, y1=_TOP + _SIDE, x2=_LEFT + _SIDE, y2=_TOP, class_="diagonal")
    return element(
        "svg",
        *grid,
        diagonal,
        element("g", *line, *parts, class_=style(index)),
        viewBox=f"0 0 {_LEFT + _SIDE + 12} {_FOOT + 20}",
        role="img",
        aria_label=f"Calibration of {run.letter}: how often predictions come true; the numbers follow",
    )


def _confusion(run: ComparedRun, report: RunReport, index: int) -> Markup:
    confusion = report.held_out.confusion
    assert confusion is not None
    names = confusion.classes
    head = element(
        "tr",
        element("td", "true ↓", title="rows: true class; columns: predicted class"),
        *(element("th", name, scope="col") for name in names),
    )
    rows = [
        element("tr", element("th", name, scope="row"), *(_cell(count, row, i == j) for j, count in enumerate(row)))
        for i, (name, row) in enumerate(zip(names, confusion.counts, strict=True))
    ]
    table = element("table", element("thead", head), element("tbody", *rows), class_="confusion")
    held_out = report.held_out
    seeds = f", {len(held_out.seeds)} seeds" if len(held_out.seeds) > 1 else ""
    text = f"{held_out.samples} {held_out.part} samples{seeds}. {_pairs(confusion)}"
    # A printed page does not scroll, so a large matrix gets the whole width.
    return element(
        "div",
        _heading(run, index),
        element("div", table, class_="scroll"),
        element("p", text, class_="note"),
        class_="many" if len(names) > _MANY else None,
    )


def _cell(count: float, row: Sequence[float], right: bool) -> Markup:
    """Make a cell, shaded by its share of the row; for errors by the root, so that rare ones can be seen."""
    share = count / (sum(row) or 1)
    shade = round(_SHADES * (share if right else share**0.5))
    return element("td", format_count(count) if count else "·", class_=f"{'right' if right else 'wrong'} s{shade}")


def _pairs(confusion: Confusion) -> str:
    found = [
        (count, confusion.classes[i], confusion.classes[j])
        for i, row in enumerate(confusion.counts)
        for j, count in enumerate(row)
        if i != j and count
    ]
    found.sort(key=lambda pair: -pair[0])
    if not found:
        return "No class is mistaken for another."
    pairs = ", ".join(f"{truth} for {guess} ({format_count(count)})" for count, truth, guess in found[:_PAIRS])
    return f"Most often mistaken: {pairs}."


def _example(example: HeldOutSample, report: RunReport, others: Sequence[str]) -> Markup:
    pixels = report.images.get(example.id)
    picture = None
    if pixels is not None:
        height, width = pixels.shape[:2]
        picture = element("img", src=png_address(pixels), alt=f"example {example.id}", width=width, height=height)
    seeds = len(report.held_out.seeds)
    facts = [
        element("span", f"#{example.id}", class_="id"),
        element("span", _text(example.truth), class_="truth", title="true"),
        element("span", f"→ {_text(example.guess)}", class_="guess", title="predicted"),
        element("span", format_number(example.badness, 3), class_="badness"),
    ]
    if example.wrong is not None and seeds > 1:
        facts.append(element("span", f"{example.wrong}/{seeds} seeds wrong", class_="wrongs"))
    if others:
        facts.append(element("span", f"also in {', '.join(others)}", class_="shared"))
    return element("li", picture, element("div", *facts))


def _text(values: tuple[str, ...] | tuple[float, ...]) -> str:
    if not values:
        return "no label"
    return ", ".join(one if isinstance(one, str) else format_number(one) for one in values)


def _rounded(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
