"""Print what `rm` and `gc` are about to remove."""

from rich.console import Console
from rich.text import Text

from lossrun.records.removal import Removables
from lossrun.report.layout.console import is_bounded, print_text, warning
from lossrun.report.layout.numbers import format_size
from lossrun.report.layout.text_table import Column, TextTable, print_table


def print_removables(removables: Removables, console: Console) -> None:
    """Print what will be removed, one line each, and its total size."""
    if removables.found:
        columns = (
            Column("what", tuple(one.why for one in removables.found), right=False),
            Column("size", tuple(format_size(one.size) for one in removables.found)),
        )
        runs = Column("run", tuple(one.path.name for one in removables.found), right=False)
        table = TextTable("", runs, columns, note=f"total: {format_size(removables.size)}")
        if not is_bounded(console) or table.width <= console.width:
            print_table(console, table)
        else:
            for one in removables.found:
                print_text(console, Text(f"{one.path.name}: {one.why}; {format_size(one.size)}"))
            print_text(console, Text(table.note))
    for sentence in removables.passed_over:
        warning(console, sentence)
