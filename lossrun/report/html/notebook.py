"""Write what a command prints as HTML for a cell of a notebook: tables as tables, everything else as it is printed."""

from collections.abc import Sequence

from lossrun.output import harmless
from lossrun.report.html.markup import Markup, element, joined
from lossrun.report.layout.text_table import Column, TextTable


def to_html(pieces: Sequence[str | TextTable]) -> str:
    """Return the pieces in their order. A notebook has its own styles, so only what tables need is stated here."""
    return joined(_table(piece) if isinstance(piece, TextTable) else _text(piece) for piece in pieces)


def _text(text: str) -> Markup:
    # A line that is wider than the cell is wrapped, so that a sentence can be read without scrolling.
    return element("pre", text, style="white-space: pre-wrap; line-height: 1.2")


def _table(table: TextTable) -> Markup:
    columns = (table.key, *table.columns)
    heads = (element("th", *_lines(column.header), scope="col", style=_aligned(column)) for column in columns)
    rows = (element("tr", *(_cell(column, row) for column in columns)) for row in range(len(table.key.cells)))
    body = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    title = element("strong", harmless(table.title)) if table.title else None
    note = element("p", harmless(table.note)) if table.note else None
    return element("div", title, body, note, style="overflow-x: auto")


def _cell(column: Column, row: int) -> Markup:
    text = joined(_lines(column.cells[row]))
    return element("td", element("strong", text) if row in column.emphasis else text, style=_aligned(column))


def _lines(text: str) -> list[str]:
    """Return the lines with a line break after each but the last one."""
    lines = [harmless(line.rstrip()) for line in text.split("\n")]
    return [part for line in lines[:-1] for part in (line, element("br"))] + lines[-1:]


def _aligned(column: Column) -> str:
    return f"text-align: {'right' if column.right else 'left'}; padding: 0 0.6em"
