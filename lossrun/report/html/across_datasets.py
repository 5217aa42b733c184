"""Write methods compared over datasets as one HTML page that needs no network."""

from pathlib import Path
from typing import Final

from lossrun.analysis.comparison.across_datasets import AcrossDatasets
from lossrun.analysis.comparison.differences import letters
from lossrun.report.comparison.across_datasets import sentences
from lossrun.report.html.axes import Axis
from lossrun.report.html.document import document
from lossrun.report.html.figures import short, style
from lossrun.report.html.markup import Markup, element, joined
from lossrun.report.layout.files import save
from lossrun.report.layout.numbers import format_number

_WIDE: Final = 440  # units of the drawing
_LEFT, _RIGHT, _TOP, _ROW = 34, 424, 10, 32
_STEP: Final = 12  # between the lines below the methods


def save_page(found: AcrossDatasets, path: Path) -> None:
    """Write the page to a file.

    Raises:
        RunError: If the file cannot be written.
    """
    save(to_html(found).encode(errors="backslashreplace"), path, "--html")


def to_html(found: AcrossDatasets) -> str:
    """Write the page: verdicts, a picture of the mean ranks, and the means on each dataset."""
    title = f"Which method is better over {len(found.datasets)} datasets?"
    parts = (
        ("verdicts", "Verdicts", element("ul", *(element("li", text) for text in sentences(found)))),
        ("ranks", "Mean ranks", ranks_figure(found)),
        ("datasets", "Datasets", _values(found)),
    )
    sections = [
        element("section", element("h2", name, id=f"{key}-title"), content, id=key, aria_labelledby=f"{key}-title")
        for key, name, content in parts
    ]
    return document(
        "lossrun.report.html",
        "page",
        f"{title} · lossrun",
        heading=title,
        summary=f"{len(found.methods)} methods by {found.metric}, means over seeds",
        contents=joined(element("a", name, href=f"#{key}") for key, name, _ in parts),
        sections=joined(sections),
    )


def ranks_figure(found: AcrossDatasets) -> Markup:
    """Draw the rank on each dataset as a dot and the mean rank as a line, for each method."""
    count = len(found.methods)
    x = Axis(0.8, count + 0.2, _LEFT, _RIGHT)
    rows = []
    for method, (letter, name) in enumerate(zip(letters(count), found.methods, strict=True)):
        y = _TOP + _ROW * method + _ROW // 2
        dots = [
            element("circle", element("title", f"{name}, {dataset}: rank {ranks[method]:g}"),
                    cx=short(x.place(ranks[method])), cy=y, r=5, class_="seed")
            for dataset, ranks in zip(found.datasets, found.ranks, strict=True)
        ]  # fmt: skip
        at = short(x.place(found.mean_ranks[method]))
        told = element("title", f"{name}, mean rank: {format_number(found.mean_ranks[method], 3)}")
        bar = element("line", told, x1=at, x2=at, y1=y - 12, y2=y + 12, class_="mean")
        label = element("text", letter, x=4, y=y + 5, class_="end")
        rows.append(element("g", label, *dots, bar, class_=style(method)))
    foot = _TOP + _ROW * count
    if together := found.together:
        rows += [_group(found, group, x, foot + _STEP * place) for place, group in enumerate(together.alike)]
        foot += _STEP * len(together.alike)
        rows.append(_critical(found, x, foot + _STEP))
        foot += 2 * _STEP
    foot += 14
    ticks = [
        element("text", str(rank), x=short(x.place(rank)), y=foot, text_anchor="middle") for rank in range(1, count + 1)
    ]
    text = f"{found.metric}: ranks on each dataset (dots) and mean rank (line); 1 is the best"
    drawing = element("svg", *rows, *ticks, viewBox=f"0 0 {_WIDE} {foot + 8}", role="img", aria_label=text)
    legend = [f"{letter}: {name}" for letter, name in zip(letters(count), found.methods, strict=True)]
    if together:
        legend.append("grey lines join methods whose mean ranks do not differ significantly (Nemenyi, 95 %)")
    return element("figure", element("h3", text), drawing, element("p", "; ".join(legend)), class_="dots")


def _group(found: AcrossDatasets, group: tuple[int, ...], x: Axis, y: int) -> Markup:
    """Draw a line over the mean ranks of methods that are not told apart."""
    ends = [x.place(found.mean_ranks[method]) for method in (group[0], group[-1])]
    told = element("title", f"no significant difference: {', '.join(found.methods[method] for method in group)}")
    return element("line", told, x1=short(ends[0]), x2=short(ends[1]), y1=y, y2=y, class_="group")


def _critical(found: AcrossDatasets, x: Axis, y: int) -> Markup:
    """Draw the critical difference from rank 1 on, with its name."""
    assert found.together is not None
    critical = found.together.critical_difference
    left, right = x.place(1), min(x.place(1 + critical), _RIGHT)
    label = f"critical difference {format_number(critical, 3)}"
    text = element("text", label, x=short(left), y=y - 5, text_anchor="start")
    return element("g", text, element("line", x1=short(left), x2=short(right), y1=y, y2=y, class_="group"))


def _values(found: AcrossDatasets) -> Markup:
    head = element("tr", element("th", "dataset", scope="col"), *(element("th", m, scope="col") for m in found.methods))
    body = [
        element(
            "tr",
            element("th", dataset, scope="row"),
            *(
                element("td", f"{format_number(value)}{' ★' if rank == min(ranks) else ''}")
                for value, rank in zip(values, ranks, strict=True)
            ),
        )
        for dataset, values, ranks in zip(found.datasets, found.values, found.ranks, strict=True)
    ]
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="scroll")
