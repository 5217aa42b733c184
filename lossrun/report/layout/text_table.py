"""Tables of text that never lose a character: what is too wide is stacked in blocks, in a pipe nothing is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lossrun.report.layout.console import is_bounded, is_unicode, print_text, wrapped

_GAP: Final = 2  # blanks between columns
_INDENT: Final = 4  # blanks before a value that has a line of its own


@dataclass(frozen=True, slots=True)
class Column:
    """`cells`: one text per row of the table. `emphasis`: rows to print bold, which their text says as well. `group`:
    neighbours of the same group stay in one block where it is wide enough for them."""

    header: str
    cells: tuple[str, ...]
    right: bool = True
    emphasis: frozenset[int] = frozenset()
    group: str = ""

    @property
    def width(self) -> int:
        lines = (line for text in (self.header, *self.cells) for line in text.split("\n"))
        return max(cell_len(line) for line in lines)


@dataclass(frozen=True, slots=True)
class TextTable:
    """`key`: the first column, repeated in every block. `note`: a line below."""

    title: str
    key: Column
    columns: tuple[Column, ...]
    note: str = ""

    @property
    def width(self) -> int:
        """Of the whole table in one block, in cells."""
        return self.key.width + sum(_GAP + column.width for column in self.columns)


def print_table(console: Console, table: TextTable) -> None:
    """Print the table, in as many blocks as the terminal's width asks for. A pipe's console is wide enough for all."""
    blocks = packed(table, console.width) if is_bounded(console) else [table.columns]
    for number, columns in enumerate(blocks):
        if table.title or number:
            print_line(console, table.title if number == 0 else f"{table.title} (continued)".strip(), style="bold")
        _print_block(console, (table.key, *columns))
    if table.note:
        print_line(console, table.note)


def print_line(console: Console, text: str, style: str = "") -> None:
    """A line of plain text, wrapped at blanks in a terminal and left whole in a pipe."""
    print_text(console, Text(text, style=style))


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]], *, style: str = "", indent: int = 0) -> None:
    """A name and a text on each line, the texts aligned, and so are the further lines of one that is wrapped.

    A text of a single word that has no room beside its name gets a line of its own: a hash or a path stays whole.
    """
    width = max((cell_len(name) for name, _ in pairs), default=0) + _GAP
    for name, text in pairs:
        head = Text(" " * indent + name + " " * (width - cell_len(name)))
        head.stylize(style, indent, indent + len(name))
        room = console.width - indent - width if is_bounded(console) else console.width
        lines = wrapped(Text(text), room)
        if any(line.cell_len > room for line in lines):
            console.print(_stripped(head), soft_wrap=True)
            head = Text(" " * (indent + _INDENT))
            lines = wrapped(Text(text), console.width - head.cell_len)
        for number, line in enumerate(lines):
            start = head if number == 0 else Text(" " * head.cell_len)
            console.print(_stripped(start + line), soft_wrap=True)


def packed(table: TextTable, width: int) -> list[Sequence[Column]]:
    """The columns in blocks, each with the key column no wider than `width` cells; a block has at least one."""
    blocks: list[list[Column]] = [[]]

    def fits(columns: Sequence[Column]) -> bool:
        return table.key.width + sum(_GAP + column.width for column in columns) <= width

    for group, members in groupby(table.columns, key=lambda column: column.group):
        together = list(members)
        # Columns without a group are no group.
        pieces = [together] if group and fits(together) else [[column] for column in together]
        for piece in pieces:
            if blocks[-1] and not fits([*blocks[-1], *piece]):
                blocks.append([])
            blocks[-1] += piece
    return list(blocks)


def _print_block(console: Console, columns: Sequence[Column]) -> None:
    """Headers, a rule and the rows. Only a lone column that is too wide has its cells wrapped, at blanks."""
    widths = [column.width for column in columns]
    if is_bounded(console) and (spare := console.width - sum(widths) - _GAP * (len(widths) - 1)) < 0:
        widths[-1] = max(widths[-1] + spare, 1)
    rule = ("─" if is_unicode(console) else "-") * min(sum(widths) + _GAP * (len(widths) - 1), console.width)
    _print_row(console, columns, [Text(column.header) for column in columns], widths, foot=True)
    console.print(Text(rule), soft_wrap=True)
    for row in range(len(columns[0].cells)):
        cells = [Text(c.cells[row], style="bold" if row in c.emphasis else "") for c in columns]
        _print_row(console, columns, cells, widths)


def _print_row(
    console: Console, columns: Sequence[Column], cells: Sequence[Text], widths: Sequence[int], *, foot: bool = False
) -> None:
    """A row of as many lines as its tallest cell. `foot`: shorter cells stand at the bottom, as headers do."""
    stacks = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    height = max(len(stack) for stack in stacks)
    for number in range(height):
        line = Text()
        for column, stack, width in zip(columns, stacks, widths, strict=True):
            place = number - (height - len(stack)) if foot else number
            piece = stack[place] if 0 <= place < len(stack) else Text()
            blanks = " " * (width - piece.cell_len)
            gap = " " * _GAP if line else ""
            line = Text.assemble(line, gap, blanks, piece) if column.right else Text.assemble(line, gap, piece, blanks)
        console.print(_stripped(line), soft_wrap=True)


def _stripped(line: Text) -> Text:
    line.rstrip()
    return line
