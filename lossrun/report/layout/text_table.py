"""Print tables that never lose a character: a table too wide for the terminal is split into blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from lossrun.report.layout.console import CapturingConsole, is_bounded, is_unicode, print_text, wrapped

_GAP: Final = 2  # blanks between columns
_INDENT: Final = 4  # blanks before a value on its own line


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        cells: One text for each row.
        emphasis: The rows to print in bold; their texts have to say the same.
        group: Neighbours of one group stay in one block if they fit.
    """

    header: str
    cells: tuple[str, ...]
    right: bool = True
    emphasis: frozenset[int] = frozenset()
    group: str = ""

    @property
    def width(self) -> int:
        """The width in cells."""
        lines = (line for text in (self.header, *self.cells) for line in text.split("\n"))
        return max(_cells(line) for line in lines)


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table.

    Attributes:
        key: The first column, repeated in every block.
        note: A line below the table.
    """

    title: str
    key: Column
    columns: tuple[Column, ...]
    note: str = ""

    @property
    def width(self) -> int:
        """The width of the whole table in one block, in cells."""
        return self.key.width + sum(_GAP + column.width for column in self.columns)


Blocks: TypeAlias = Sequence[TextTable | Sequence[str]]  # a document: tables and lists of sentences


class _Pieces(CapturingConsole):
    """A console that keeps tables as they are, apart from the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str | TextTable] = []

    def keep(self, table: TextTable | None = None) -> None:
        if text := self.taken().strip("\n"):
            self.pieces.append(text)
        if table:
            self.pieces.append(table)


def pieces(draw: Callable[[Console], object]) -> list[str | TextTable]:
    """Return what `draw` prints in its order: tables, and the text between them."""
    console = _Pieces()
    draw(console)
    console.keep()
    return console.pieces


def print_table(console: Console, table: TextTable) -> None:
    """Print the table in as many blocks as the terminal's width requires; in a pipe, in one."""
    if isinstance(console, _Pieces):
        console.keep(table)
        return
    blocks = packed(table, console.width) if is_bounded(console) else [table.columns]
    for number, columns in enumerate(blocks):
        if table.title or number:
            print_line(console, table.title if number == 0 else f"{table.title} (continued)".strip(), style="bold")
        _print_block(console, (table.key, *columns))
    if table.note:
        print_line(console, table.note)


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print a line of plain text, wrapped at blanks on a terminal and whole in a pipe."""
    print_text(console, Text(text, style=style))


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]], *, style: str = "", indent: int = 0) -> None:
    """Print a name and a text in each line, with the texts aligned, also where they are wrapped.

    A text with a word that does not fit next to its name starts on a new line, so that a hash or a path stays whole.
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
    """Divide the columns into blocks that fit `width` cells with the key column; each has at least one column."""
    blocks: list[list[Column]] = [[]]

    def fits(columns: Sequence[Column]) -> bool:
        return table.key.width + sum(_GAP + column.width for column in columns) <= width

    for group, members in groupby(table.columns, key=lambda column: column.group):
        together = list(members)
        # Columns without a group may be separated.
        pieces = [together] if group and fits(together) else [[column] for column in together]
        for piece in pieces:
            if blocks[-1] and not fits([*blocks[-1], *piece]):
                blocks.append([])
            blocks[-1] += piece
    return list(blocks)


def _print_block(console: Console, columns: Sequence[Column]) -> None:
    """Print headers, a rule, and the rows. Cells are only wrapped in a single column that is too wide."""
    widths = [column.width for column in columns]
    if is_bounded(console) and (spare := console.width - sum(widths) - _GAP * (len(widths) - 1)) < 0:
        widths[-1] = max(widths[-1] + spare, 1)
    rule = ("─" if is_unicode(console) else "-") * min(sum(widths) + _GAP * (len(widths) - 1), console.width)
    _print_row(console, columns, [Text(column.header) for column in columns], widths, foot=True)
    console.print(Text(rule), soft_wrap=True)
    plain: list[str] = []  # printed together, because each call of rich takes its time
    for row in range(len(columns[0].cells)):
        if (line := _plain_line(columns, row, widths)) is not None:
            plain.append(line)
            continue
        _print_together(console, plain)
        cells = [Text(c.cells[row], style="bold" if row in c.emphasis else "") for c in columns]
        _print_row(console, columns, cells, widths)
    _print_together(console, plain)


def _plain_line(columns: Sequence[Column], row: int, widths: Sequence[int]) -> str | None:
    """Return the only line of a row; None if it has several, or anything in bold."""
    pieces = []
    for column, width in zip(columns, widths, strict=True):
        cell = column.cells[row].rstrip()
        room = width - _cells(cell)
        if room < 0 or "\n" in cell or row in column.emphasis:
            return None
        pieces.append(" " * room + cell if column.right else cell + " " * room)
    return (" " * _GAP).join(pieces).rstrip()


def _print_together(console: Console, lines: list[str]) -> None:
    if lines:
        console.print(Text("\n".join(lines)), soft_wrap=True)
        lines.clear()


def _cells(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def _print_row(
    console: Console, columns: Sequence[Column], cells: Sequence[Text], widths: Sequence[int], *, foot: bool = False
) -> None:
    """Print a row with as many lines as its tallest cell.

    Args:
        foot: Whether shorter cells are aligned at the bottom, as headers are.
    """
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
