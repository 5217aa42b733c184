"""Print everything that lossrun knows about one name, for `lossrun explain`."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from lossrun.catalog.parameter import with_article
from lossrun.report.layout.console import is_unicode, wrapped
from lossrun.report.layout.layer_table import layer_table
from lossrun.report.layout.text_table import print_table
from lossrun.report.reference.article import Article
from lossrun.report.reference.articles import article
from lossrun.report.reference.listing import spellings
from lossrun.report.reference.topics import Topic

# Longer lines are hard to read, however wide the terminal. A pipe gets lines of this length.
MEASURE: Final = 100


def print_topic(console: Console, topic: Topic) -> None:
    """Print the name and meaning, the facts, and lines of YAML to copy, at most `MEASURE` cells wide."""
    told = article(topic)
    _print_heading(console, told.name, told.noun)
    _print_paragraph(console, told.meaning)
    if told.conventions:
        console.print()
        _print_paragraph(console, told.conventions)
    if sections := list(_sections(told)):
        console.print()
        print_sections(console, sections)
    if told.parameters:
        _print_title(console, "parameters")
        print_sections(console, [(row.name, row.text) for row in told.parameters], indent=2)
    for drawn in told.layers:
        console.print()
        print_table(console, layer_table(drawn.title, drawn.layers))
    for example in told.examples:
        _print_title(console, example.title)
        _print_block(console, [*example.lines, *filter(None, [example.options])])
    console.print()


def print_sections(console: Console, sections: Sequence[tuple[str, str]], indent: int = 0) -> None:
    """Print a name and a text on each line, with the texts aligned; the text of a long name begins below it.

    Line breaks in a text are kept, and each line is wrapped at blanks.
    """
    width = measure(console)
    column = min(max(len(name) for name, _ in sections) + 2, 16) if sections else 0
    for name, text in sections:
        head = Text(" " * indent + name, style="")
        head.stylize("cyan", indent)
        room = width - indent - column
        lines = [piece for line in text.split("\n") for piece in wrapped(Text(line), room)]
        if len(name) + 2 > column:
            _print(console, head)
            head = Text()
        for row, line in enumerate(lines):
            start = head if row == 0 else Text()
            _print(console, Text.assemble(start, " " * (indent + column - start.cell_len), line))


def measure(console: Console) -> int:
    """Return the width of the text in cells."""
    return min(console.width, MEASURE)


def _sections(told: Article) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for each section that is not empty."""
    sections = (
        ("formula", "\n".join(filter(None, (told.formula, told.letters)))),
        *((one.label, one.text) for one in told.facts),
        ("also", spellings(told.spellings, "\n")),
        ("source", told.source),
        ("see also", "; ".join(filter(None, (", ".join(map(str, told.see_also)), told.lists)))),
    )
    yield from (section for section in sections if section[1])


def _print_heading(console: Console, name: str, kind: str) -> None:
    line = Text.assemble((name, "bold"), f"  {with_article(kind)}")
    _print(console, line)
    _print(console, Text(("─" if is_unicode(console) else "-") * min(line.cell_len, measure(console)), style="dim"))


def _print_title(console: Console, title: str) -> None:
    console.print()
    _print(console, Text(title, style="bold"))


def _print_paragraph(console: Console, text: str) -> None:
    for line in wrapped(Text(text), measure(console)):
        _print(console, line)


def _print_block(console: Console, lines: Sequence[str]) -> None:
    """Print YAML to be copied. A long line is broken at a blank, which a flow mapping allows."""
    for line in lines:
        room = measure(console) - 2
        for row, piece in enumerate(wrapped(Text(line), room if len(line) <= room else room - 4)):
            _print(console, Text.assemble("  " if row == 0 else "      ", piece))


def _print(console: Console, line: Text) -> None:
    line.rstrip()
    console.print(line, soft_wrap=True)
