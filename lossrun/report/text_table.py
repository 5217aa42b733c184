"""Tables of text that never lose a character: what is too wide is stacked in blocks, in a pipe nothing is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lossrun.report.console import box

_GAP: Final = 2  # blanks between columns


@dataclass(frozen=True, slots=True)
class Column:
    """`cells`: one text per row of the table. `emphasis`: rows to print bold, which their text says as well."""

    header: str
    cells: tuple[str, ...]
    right: bool = True
    emphasis: frozenset[int] = frozenset()

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


def print_table(console: Console, table: TextTable) -> None:
    """Print the table, in as many blocks as the terminal's width asks for. A pipe's console is wide enough for all."""
    blocks = packed(table, console.width) if console.is_terminal else [table.columns]
    for number, columns in enumerate(blocks):
        if table.title or number:
            print_line(console, table.title if number == 0 else f"{table.title} (continued)".strip(), style="bold")
        _print_block(console, (table.key, *columns))
    if table.note:
        print_line(console, table.note)


def print_line(console: Console, text: str, style: str = "") -> None:
    """A line of plain text, wrapped at words in a terminal and left whole in a pipe."""
    console.print(Text(text, style=style), soft_wrap=not console.is_terminal)


def packed(table: TextTable, width: int) -> list[Sequence[Column]]:
    """The columns in blocks, each with the key column no wider than `width` cells; a block has at least one."""
    blocks: list[list[Column]] = []
    used = width
    for column in table.columns:
        used += _GAP + column.width
        if used > width:
            blocks.append([])
            used = table.key.width + _GAP + column.width
        blocks[-1].append(column)
    return list(blocks)


def _print_block(console: Console, columns: Sequence[Column]) -> None:
    grid = Table(box=box(console), show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style="")
    for column in columns:
        grid.add_column(Text(column.header), justify="right" if column.right else "left", overflow="fold")
    for row in range(len(columns[0].cells)):
        grid.add_row(*(Text(c.cells[row], style="bold" if row in c.emphasis else "") for c in columns))
    needed = sum(column.width + _GAP for column in columns)
    console.print(grid, width=min(needed, console.width), crop=False)
