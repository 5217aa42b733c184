"""Print what `rm` and `gc` are about to remove."""

from rich.console import Console
from rich.text import Text

from lossrun.records.leftovers import Leftovers
from lossrun.report.layout.console import is_bounded, print_text, warning
from lossrun.report.layout.numbers import format_size
from lossrun.report.layout.text_table import Column, TextTable, print_table


def print_leftovers(leftovers: Leftovers, console: Console) -> None:
    """Print what will be removed, one line each, and its total size."""
    if leftovers.found:
        columns = (
            Column("what", tuple(one.why for one in leftovers.found), right=False),
            Column("size", tuple(format_size(one.size) for one in leftovers.found)),
        )
        runs = Column("run", tuple(one.path.name for one in leftovers.found), right=False)
        table = TextTable("", runs, columns, note=f"total: {format_size(leftovers.size)}")
        if not is_bounded(console) or table.width <= console.width:
            print_table(console, table)
        else:
            for one in leftovers.found:
                print_text(console, Text(f"{one.path.name}: {one.why}; {format_size(one.size)}"))
            print_text(console, Text(table.note))
    for sentence in leftovers.passed_over:
        warning(console, sentence)
