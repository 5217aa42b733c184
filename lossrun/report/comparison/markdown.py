"""Write tables and sentences as GitHub's Markdown."""

import re
from collections.abc import Sequence
from typing import Final

from lossrun.output import harmless
from lossrun.report.comparison.compare_tables import MARK
from lossrun.report.layout.text_table import Blocks, Column, TextTable

_MARKUP: Final = re.compile(r"[\\*|<`]|\[(?=[^\]]*\][(\[])|(?<!\w)_|_(?!\w)")


def markdown(blocks: Blocks) -> str:
    """Write the blocks in their order; the best values are bold."""
    return "\n".join(_table(block) if isinstance(block, TextTable) else _list(block) for block in blocks)


def _list(sentences: Sequence[str]) -> str:
    # A sentence that begins with a dash belongs to the one above it.
    return "".join(
        f"{'  - ' if text.startswith('- ') else '- '}{_escaped(text.removeprefix('- '))}\n" for text in sentences
    )


def _table(table: TextTable) -> str:
    columns = (table.key, *table.columns)
    lines = [
        f"**{_escaped(table.title)}**\n",
        _row([_escaped(column.header.replace("\n", " ")) for column in columns]),
        "|" + "".join(" ---: |" if column.right else " --- |" for column in columns),
        *(_row([_cell(column, row) for column in columns]) for row in range(len(table.key.cells))),
    ]
    if table.note:
        mark = MARK.strip()
        note = _escaped(table.note.removeprefix(mark))
        lines.append(f"\n**bold**:{note}" if table.note.startswith(mark) else f"\n{note}")
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(column: Column, row: int) -> str:
    text = _escaped(column.cells[row].removesuffix(MARK).strip())
    return f"**{text}**" if row in column.emphasis else text


def _escaped(text: str) -> str:
    """Escape Markdown. Underscores and hyphens within a word, and brackets without a link, need no escape."""
    return _MARKUP.sub(r"\\\g<0>", harmless(text))
