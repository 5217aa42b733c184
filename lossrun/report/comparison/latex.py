"""Write tables and sentences as LaTeX, for the booktabs package."""

import re
from collections.abc import Sequence
from typing import Final

from lossrun.output import harmless
from lossrun.report.comparison.compare_tables import MARK
from lossrun.report.layout.text_table import Blocks, Column, TextTable

_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
    "|": r"\textbar{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}
_ESCAPED: Final = re.compile("|".join(map(re.escape, _SPECIAL)))
_MINUS: Final = re.compile(r"(?<![\w.)\]-])-(?=\d)")


def latex(blocks: Blocks) -> str:
    """Write the blocks in their order: each table as a float, sentences as a list."""
    parts = [_table(block) if isinstance(block, TextTable) else _list(block) for block in blocks]
    return "\n".join(["% needs \\usepackage{booktabs}\n", *parts])


def escaped(text: str) -> str:
    """Escape LaTeX, and write a minus sign as such."""
    found = _ESCAPED.sub(lambda found: _SPECIAL[found[0]], _MINUS.sub("\0", harmless(text))).replace("\0", "$-$")
    # After the end of a row, a rule or \item, these would begin an option.
    return f"{{{found[0]}}}{found[1:]}" if found.startswith(("[", "*")) else found


def _table(table: TextTable) -> str:
    columns = (table.key, *table.columns)
    rows = [" & ".join(_cell(column, row) for column in columns) + r" \\" for row in range(len(table.key.cells))]
    mark = MARK.strip()
    note = escaped(table.note.removeprefix(mark))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(table.title)}}}",
        rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in columns)}}}",
        r"\toprule",
        " & ".join(escaped(column.header.replace("\n", " ")) for column in columns) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        *([rf"\par\smallskip {'Bold:' if table.note.startswith(mark) else ''}{note}"] if note else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _cell(column: Column, row: int) -> str:
    text = escaped(column.cells[row].removesuffix(MARK).strip())
    return rf"\textbf{{{text}}}" if row in column.emphasis else text


def _list(sentences: Sequence[str]) -> str:
    # A sentence that begins with a dash belongs to the one above it.
    items = (
        rf"\item{'[--]' if text.startswith('- ') else ''} {escaped(text.removeprefix('- '))}" for text in sentences
    )
    return "\n".join([r"\begin{itemize}", *items, r"\end{itemize}"]) + "\n"
