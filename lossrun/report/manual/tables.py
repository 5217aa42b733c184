"""Write the tables of the page. On a small screen a row becomes a block, and each cell shows the name of its column."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lossrun.report.html.markup import Markup, element

Cell = str | Markup
# The cells of a row, the first of which names it, and the row's attributes.
Row = tuple[Sequence[Cell], Mapping[str, Any]]


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], class_: str | None = None) -> Markup:
    return marked_table(heads, ((cells, {}) for cells in rows), class_)


def marked_table(heads: Sequence[str], rows: Iterable[Row], class_: str | None) -> Markup:
    """Return a table whose rows have attributes, such as an id for links and words for the search."""
    head = element("tr", *(element("th", name, scope="col") for name in heads))
    body = [
        element(
            "tr",
            element("th", cells[0], scope="row"),
            *(element("td", cell, data_label=name) for name, cell in zip(heads[1:], cells[1:], strict=True)),
            **attributes,
        )
        for cells, attributes in rows
    ]
    whole = element("table", element("thead", head), element("tbody", *body), class_=class_)
    return element("div", whole, class_="scroll")
